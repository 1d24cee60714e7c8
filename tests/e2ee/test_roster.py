"""Rosters and the ids of direct conversations follow from who is in them, and from nothing else."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee.roster import NO_STATEMENT, direct_id, roster, uuid8

ids = st.binary(min_size=16, max_size=16)
hashes = st.binary(min_size=32, max_size=32)
lists = st.dictionaries(ids, hashes, min_size=1, max_size=5)


@given(lists, st.data())
def test_the_order_of_members_does_not_matter(members: dict[bytes, bytes], data: st.DataObject) -> None:
    order = data.draw(st.permutations(list(members)))
    mixed = {account: members[account] for account in order}
    assert roster(b"c" * 16, NO_STATEMENT, mixed) == roster(b"c" * 16, NO_STATEMENT, members)


@given(lists, ids, hashes)
def test_everything_else_does(members: dict[bytes, bytes], account: bytes, digest: bytes) -> None:
    first = roster(b"c" * 16, NO_STATEMENT, members)
    changed = members | {account: digest}
    assert (roster(b"c" * 16, NO_STATEMENT, changed) == first) == (changed == members)
    assert roster(b"d" * 16, NO_STATEMENT, members) != first
    assert roster(b"c" * 16, b"s" * 32, members) != first


@given(ids, ids, ids)
def test_a_direct_conversation_is_that_of_its_two_accounts(one: bytes, other: bytes, third: bytes) -> None:
    assert direct_id(one, other) == direct_id(other, one)
    assert (direct_id(one, other) == direct_id(one, third)) == (other == third)


@given(hashes)
def test_ids_that_follow_from_a_hash_are_uuids_of_version_8(digest: bytes) -> None:
    made = uuid.UUID(bytes=uuid8(digest))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    kept = [byte for number, byte in enumerate(made.bytes) if number not in (6, 8)]
    assert kept == [byte for number, byte in enumerate(digest[:16]) if number not in (6, 8)]
