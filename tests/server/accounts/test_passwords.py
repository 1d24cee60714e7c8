"""Passwords: both algorithms, nobody's hash, turns."""

import asyncio

import argon2
import bcrypt
import pytest

from aparte.server.accounts.passwords import Hashing, Passwords
from aparte.wire.errors import Refusal

ARGON2 = Hashing(memory_kib=8, passes=1)
BCRYPT = Hashing("bcrypt", bcrypt_cost=4)


@pytest.mark.parametrize("hashing", [ARGON2, BCRYPT], ids=["argon2id", "bcrypt"])
async def test_a_password_matches_its_own_hash_and_no_other(hashing: Hashing) -> None:
    here = Passwords(hashing)
    hashed = await here.hash("correct horse")
    assert hashed != await here.hash("correct horse"), "each hash has a salt of its own"
    assert await here.matches(hashed, "correct horse")
    assert not await here.matches(hashed, "correct horse ")
    assert not await here.matches(None, "correct horse")
    assert not here.is_outdated(hashed)
    assert len(hashed) <= 255
    here.close()


@pytest.mark.parametrize("hashing", [Hashing(), Hashing("bcrypt")], ids=["argon2id", "bcrypt"])
def test_nobodys_hash_is_a_real_one_of_the_present_parameters(hashing: Hashing) -> None:
    here = Passwords(hashing)
    if hashing.algorithm == "bcrypt":
        assert bcrypt.checkpw(b"x", here._nobodys.encode()) is False
        assert here._nobodys.startswith("$2b$12$")
    else:
        found = argon2.extract_parameters(here._nobodys)
        assert (found.memory_cost, found.time_cost, found.parallelism) == (65_536, 3, 1)
        assert (found.salt_len, found.hash_len) == (16, 32)
    assert not here.is_outdated(here._nobodys)


async def test_hashes_of_the_other_algorithm_are_verified_and_outdated() -> None:
    one, other = Passwords(ARGON2), Passwords(BCRYPT)
    for mine, theirs in ((one, other), (other, one)):
        hashed = await theirs.hash("correct horse")
        assert await mine.matches(hashed, "correct horse")
        assert not await mine.matches(hashed, "wrong horse")
        assert mine.is_outdated(hashed)


async def test_bcrypt_takes_passwords_longer_than_it_looks_at() -> None:
    here = Passwords(BCRYPT)
    hashed = await here.hash("é" * 200)
    assert await here.matches(hashed, "é" * 200)


@pytest.mark.parametrize(
    "hashed",
    ["", "plain", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$", "$argon2id$v=19$m=8", "$2b$04$short", "é"],
)
async def test_a_damaged_hash_matches_nothing(hashed: str) -> None:
    assert not await Passwords(ARGON2).matches(hashed, "")


async def test_only_so_many_are_hashed_at_once_and_the_others_do_not_wait_for_ever() -> None:
    here = Passwords(Hashing(memory_kib=65_536, passes=3, at_once=1, wait_seconds=0.01))
    outcomes = await asyncio.gather(*(here.hash("correct horse") for _ in range(4)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, Refusal)]
    assert len(refused) == 3
    assert {(one.code, one.retry_after) for one in refused} == {("unavailable", 0.01)}
    assert await here.hash("correct horse"), "a turn that was not taken is not lost"
