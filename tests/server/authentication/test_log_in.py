"""Logging in: names, lockout, kinds of accounts, what an attacker may and may not learn."""

import asyncio
from typing import Any
from uuid import uuid4

import bcrypt
import pytest
from tests.support.sign_in import HOME, PASSWORD, gate, log_in, register

from aparte.server.accounts import actions as accounts
from aparte.server.accounts import passwords, rules
from aparte.server.accounts.model import Attempts, Credentials
from aparte.server.accounts.passwords import Hashing
from aparte.server.authentication import actions
from aparte.server.authentication.model import Gate
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.sessions import actions as sessions
from aparte.wire.accounts import NewPassword
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "Alice", email="Alice@Example.org", phone="+33 6 12 34 56 78")


async def outcome(here: Gate, login: str, password: str = PASSWORD) -> tuple[str, str]:
    """`in`, or the code and detail of the refusal."""
    try:
        await log_in(here, login, password)
    except Refusal as refusal:
        return refusal.code, refusal.detail
    return "in", ""


WRONG = ("bad_credentials", "")


@pytest.mark.parametrize(
    "login",
    [
        "Alice",
        "alice",
        "ALICE",
        " alice ",
        "Alice@Example.org",
        "alice@example.ORG",
        "+33612345678",
        "+33 6 12-34.56(78)",
    ],
)
async def test_r_049_one_logs_in_by_name_address_or_number(here: Gate, alice: Caller, login: str) -> None:
    assert (await log_in(here, login)).account_id == alice.account


async def test_r_042_a_login_stores_its_time(here: Gate, alice: Caller, admin: Admin) -> None:
    await admin.execute("UPDATE accounts SET last_login_at = NULL")
    await log_in(here, "alice")
    assert (await accounts.me(here.db, alice)).last_login_at is not None


@pytest.mark.parametrize("login", ["alice", "alice@example.org", "+33612345678"])
async def test_an_unknown_name_and_a_wrong_password_are_answered_alike_for_ever(
    here: Gate, alice: Caller, login: str
) -> None:
    assert alice
    unknown = {"alice": "nobody", "alice@example.org": "no@body.org", "+33612345678": "+4915112345678"}[login]
    for attempt in range(rules.FAILURES + 2):
        known_outcome = await outcome(here, login, "wrong password")
        assert known_outcome == await outcome(here, unknown, "wrong password")
        assert known_outcome == (WRONG if attempt < rules.FAILURES else ("account_locked", ""))


async def test_both_locks_last_as_long(here: Gate, alice: Caller) -> None:
    assert alice
    waits = []
    for login in ("alice", "nobody"):
        for _ in range(rules.FAILURES):
            await outcome(here, login, "wrong password")
        with pytest.raises(Refusal) as refused:
            await log_in(here, login)
        waits.append(refused.value.retry_after or 0)
    assert all(890 < wait <= 900 for wait in waits)


async def test_an_unknown_name_costs_a_hash_of_the_same_parameters(
    here: Gate, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alice
    compared: list[str] = []
    verify = passwords._verify

    def watched(hasher: Any, hashed: str, password: bytes) -> bool:
        compared.append(hashed.rsplit("$", 2)[0])
        return verify(hasher, hashed, password)

    monkeypatch.setattr(passwords, "_verify", watched)
    for login in ("alice", "nobody"):
        assert await outcome(here, login, "wrong password") == WRONG
    assert compared == ["$argon2id$v=19$m=8,t=1,p=1"] * 2


async def test_r_051_g_01_five_failures_lock_even_for_the_right_password_and_each_lock_doubles(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    for minutes in (15, 30, 60, 120, 240, 480, 960, 1440, 1440):
        for _ in range(rules.FAILURES):
            assert await outcome(here, "alice", "wrong password") == WRONG
        with pytest.raises(Refusal) as refused:
            await log_in(here, "alice")
        assert refused.value.code == "account_locked"
        assert minutes * 60 - 30 < (refused.value.retry_after or 0) <= minutes * 60
        await admin.execute("UPDATE accounts SET locked_until = clock_timestamp() - interval '1 second'")
    assert await admin.fetchval("SELECT count(*) FROM audit_entries WHERE event = 'account_locked'") == 9
    assert (await log_in(here, "alice")).account_id == alice.account


async def test_r_050_a_login_sets_the_count_back(here: Gate, alice: Caller, admin: Admin) -> None:
    for _ in range(3):
        for _ in range(rules.FAILURES - 1):
            await outcome(here, "alice", "wrong password")
        assert await admin.fetchval("SELECT failed_login_attempts FROM accounts") == rules.FAILURES - 1
        assert (await log_in(here, "alice")).account_id == alice.account
        assert await admin.fetchval("SELECT failed_login_attempts + lock_count FROM accounts") == 0


async def test_guesses_at_once_learn_no_more_than_guesses_in_a_row(here: Gate, alice: Caller) -> None:
    assert alice
    outcomes = await asyncio.gather(*(outcome(here, "alice", "wrong password") for _ in range(12)))
    assert outcomes.count(WRONG) == rules.FAILURES
    assert outcomes.count(("account_locked", "")) == 12 - rules.FAILURES
    assert (await outcome(here, "alice"))[0] == "account_locked"


async def test_a_lock_counts_every_name_of_the_account(here: Gate, alice: Caller) -> None:
    assert alice
    for login in ("alice", "ALICE", "alice@example.org", "+33612345678", "Alice"):
        assert await outcome(here, login, "wrong password") == WRONG
    assert (await outcome(here, "alice"))[0] == "account_locked"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE accounts SET is_active = false", "account_closed"),
        ("UPDATE accounts SET is_suspended = true", "account_closed"),
        ("UPDATE accounts SET deleted_at = clock_timestamp()", "bad_credentials"),
        ("UPDATE accounts SET kind = 'bot'", "bad_credentials"),
        ("UPDATE accounts SET kind = 'placeholder'", "bad_credentials"),
        ("UPDATE accounts SET password_hash = NULL", "bad_credentials"),
    ],
)
async def test_who_may_not_log_in(here: Gate, alice: Caller, admin: Admin, change: str, code: str) -> None:
    assert alice
    await admin.execute(change)
    assert (await outcome(here, "alice"))[0] == code
    assert (await outcome(here, "alice", "wrong password")) == WRONG, "being closed is told to the owner alone"


async def test_the_system_account_has_one_and_cannot_log_in(here: Gate) -> None:
    made = set()
    for _ in range(3):
        async with here.db.transaction() as tx:
            made.add(await accounts.ensure_system(tx))
    assert len(made) == 1
    for password in (PASSWORD, "", "aparte"):
        assert (await outcome(here, "aparte", password)) in (WRONG, ("account_locked", ""))
    with pytest.raises(Refusal, match="username_taken"):
        await register(here, "Aparte")


async def test_c_04_an_imported_bcrypt_hash_is_verified_and_renewed(here: Gate, alice: Caller, admin: Admin) -> None:
    long = "p" * 72
    await admin.execute(
        "UPDATE accounts SET password_hash = $1", bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    )
    assert (await outcome(here, "alice", "wrong password")) == WRONG
    assert (await log_in(here, "alice", long)).account_id == alice.account
    assert (await admin.fetchval("SELECT password_hash FROM accounts")).startswith("$argon2id$")
    assert (await outcome(here, "alice", long))[0] == "in"


async def test_g_27_a_hash_of_other_parameters_is_renewed_at_login(here: Gate, alice: Caller, admin: Admin) -> None:
    assert alice
    stronger = Gate(here.db, gate(here.db, Hashing(memory_kib=64, passes=2)).passwords, here.keys)
    await log_in(stronger, "alice")
    assert "m=64,t=2,p=1" in await admin.fetchval("SELECT password_hash FROM accounts")
    assert (await outcome(here, "alice"))[0] == "in"


async def test_b_110_the_salt_is_in_the_phc_string_and_differs(here: Gate, admin: Admin) -> None:
    await register(here, "one")
    await register(here, "two")
    hashes = {row["password_hash"] for row in await admin.fetch("SELECT password_hash FROM accounts")}
    assert len(hashes) == 2
    assert all(len(text.split("$")) == 6 and text.startswith("$argon2id$v=19$") for text in hashes)


async def test_too_many_logins_at_once_are_told_to_come_back(db: Database) -> None:
    here = gate(db, Hashing(memory_kib=65_536, passes=2, at_once=1, wait_seconds=0.02))
    await register(here, "alice")
    outcomes = await asyncio.gather(*(outcome(here, f"nobody{n}") for n in range(8)))
    assert {code for code, _ in outcomes} == {"bad_credentials", "unavailable"}


async def test_passwords_are_compared_however_the_keyboard_writes_accents(here: Gate) -> None:
    await register(here, "zoe", password="Zo\u00eb aime le caf\u00e9")
    assert (await outcome(here, "zoe", "Zoe\u0308 aime le cafe\u0301"))[0] == "in"
    assert (await outcome(here, "zoe", "Zoe aime le cafe")) == WRONG


async def test_changing_the_password_closes_every_other_session(here: Gate, alice: Caller) -> None:
    phone = await log_in(here, "alice")
    await actions.change_password(here, alice, NewPassword(PASSWORD, "another good password"), HOME)
    assert await sessions.valid(here.db, [phone.session_id, alice.session]) == {alice.session}
    assert await outcome(here, "alice") == WRONG
    assert (await outcome(here, "alice", "another good password"))[0] == "in"


async def test_a_wrong_old_password_counts_like_a_failed_login(here: Gate, alice: Caller) -> None:
    change = NewPassword("wrong password", "another good password")
    for code in ["bad_credentials"] * rules.FAILURES + ["account_locked"]:
        with pytest.raises(Refusal, match=code):
            await actions.change_password(here, alice, change, HOME)
    assert (await outcome(here, "alice"))[0] == "account_locked"


async def test_the_new_password_must_be_new(here: Gate, alice: Caller) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await actions.change_password(here, alice, NewPassword(PASSWORD, PASSWORD), HOME)


async def test_a_login_refused_for_its_device_opens_no_session(here: Gate, alice: Caller) -> None:
    mallory = await register(here, "mallory")
    with pytest.raises(Refusal, match="device_exists"):
        await log_in(here, "alice", device=mallory.device)
    assert [one.session_id for one in (await sessions.mine(here.db, alice)).sessions] == [alice.session]
    assert await sessions.valid(here.db, [mallory.session]) == {mallory.session}


async def test_names_that_nobody_has_are_stored_hidden_and_forgotten(here: Gate, admin: Admin) -> None:
    await outcome(here, "hunter2secret")
    rows = await admin.fetch("SELECT * FROM login_failures")
    assert len(rows) == 1
    assert b"hunter2" not in rows[0]["name_key"]
    await admin.execute("UPDATE login_failures SET tried_at = tried_at - interval '3 days'")
    async with here.db.transaction() as tx:
        assert await accounts.forget_stale_failures(tx) == 1


def test_hashes_do_not_show_in_representations() -> None:
    known = Credentials(AccountId(uuid4()), "alice", "user", "$argon2id$hush", is_open=True, attempts=Attempts())
    assert "hush" not in repr(known)
