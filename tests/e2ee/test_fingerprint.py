"""Safety numbers: one number for two people, another for everybody else."""

import pytest
from tests.e2ee.people import seeded

from aparte.e2ee import fingerprint, protobuf
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.fingerprint import Identity
from aparte.e2ee.keys import KeyPair


def identity(number: int) -> Identity:
    return Identity(bytes([number]) * 16, KeyPair.generate(seeded(number)).public)


def test_both_see_the_same_sixty_digits() -> None:
    ours, theirs = fingerprint.compute(identity(1), identity(2)), fingerprint.compute(identity(2), identity(1))
    assert ours.display == theirs.display
    assert len(ours.display) == 60
    assert ours.display.isdecimal()
    assert ours.matches(theirs.scannable)
    assert theirs.matches(ours.scannable)


@pytest.mark.parametrize(
    "between", [Identity(bytes([2]) * 16, identity(3).key), Identity(bytes([3]) * 16, identity(2).key)]
)
def test_another_key_or_another_account_is_seen(between: Identity) -> None:
    ours, theirs = fingerprint.compute(identity(1), between), fingerprint.compute(identity(2), identity(1))
    assert ours.display != theirs.display
    assert not ours.matches(theirs.scannable)


def test_our_own_code_is_not_the_one_of_the_other() -> None:
    ours = fingerprint.compute(identity(1), identity(2))
    assert not ours.matches(ours.scannable)


def test_half_a_match_is_none() -> None:
    ours = fingerprint.compute(identity(1), identity(2))
    for local, remote in ((2, 3), (3, 1)):
        assert not ours.matches(fingerprint.compute(identity(local), identity(remote)).scannable)


def code(version: int | None, local: bytes, remote: bytes) -> bytes:
    return protobuf.encode((1, version), (2, protobuf.encode((1, local))), (3, protobuf.encode((1, remote))))


@pytest.mark.parametrize(
    "scanned",
    [
        b"",
        b"not a code",
        code(1, bytes(32), bytes(32)),
        code(3, bytes(32), bytes(32)),
        code(None, bytes(32), bytes(32)),
        code(2, bytes(31), bytes(32)),
        code(2, bytes(32), bytes(33)),
        code(2, bytes(32), bytes(32)) + protobuf.encode((9, bytes(200))),
    ],
)
def test_what_is_no_code_is_refused(scanned: bytes) -> None:
    with pytest.raises(InvalidMessage):
        fingerprint.compute(identity(1), identity(2)).matches(scanned)


def test_a_code_has_at_most_256_bytes() -> None:
    ours, theirs = fingerprint.compute(identity(1), identity(2)), fingerprint.compute(identity(2), identity(1))
    filler = bytes(256 - len(theirs.scannable) - 3)
    assert ours.matches(theirs.scannable + protobuf.encode((9, filler)))
    with pytest.raises(InvalidMessage):
        ours.matches(theirs.scannable + protobuf.encode((9, filler + b".")))
