"""Payloads: each is read as what was written; what is malformed is refused, what is unknown ignored."""

from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.people import Person

from aparte.e2ee import grant, payload, statement
from aparte.e2ee.canonical import INTEGER_MAX
from aparte.e2ee.device_list import Signed
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.group import Distribution
from aparte.e2ee.payload import (
    AccountState,
    Chain,
    KeyRequest,
    Keys,
    Nothing,
    PassedOn,
    Payload,
    PinnedAccount,
    SignedLists,
)

ids, hashes = (st.binary(min_size=size, max_size=size) for size in (16, 32))
public = st.binary(min_size=33, max_size=33)
signatures = st.binary(min_size=64, max_size=64)
pins = st.builds(PinnedAccount, ids, public, st.integers(1, 2**53 - 1), hashes, st.none() | public)
lists = st.builds(Signed, st.binary(min_size=108, max_size=400), signatures, st.none() | signatures)
statements = st.builds(statement.Signed, st.binary(min_size=165, max_size=165), signatures, st.none() | signatures)
alice = Person.create(1).identity
distributions = st.builds(
    Distribution, ids, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), hashes, st.just(alice)
)
triples = st.builds(grant.Triple, st.integers(1, INTEGER_MAX), hashes, hashes)
several = st.lists(triples, min_size=1, max_size=4, unique_by=lambda triple: triple.number)
T = TypeVar("T")


def rows(items: st.SearchStrategy[T], least: int) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


payloads: st.SearchStrategy[Payload] = st.one_of(
    st.just(Nothing()),
    st.lists(st.tuples(hashes, hashes), min_size=1, max_size=5).map(lambda pairs: Keys(tuple(pairs))),
    st.lists(hashes, min_size=1, max_size=5).map(lambda wanted: KeyRequest(tuple(wanted))),
    st.builds(AccountState, account_private=st.none() | hashes, pins=st.lists(pins, max_size=3).map(tuple)),
    distributions.map(lambda given: Chain(given.distribution_id, given.serialize())),
    st.builds(PassedOn, conversation=ids, triples=several.map(grant.pack)),
    st.builds(PassedOn, conversation=ids, object=ids, key=hashes, sha256=hashes),
    st.builds(
        SignedLists, st.lists(lists, min_size=1, max_size=3).map(tuple), st.lists(statements, max_size=3).map(tuple)
    ),
    st.builds(SignedLists, st.just(()), st.lists(statements, min_size=1, max_size=3).map(tuple)),
)


@given(payloads)
def test_what_is_written_is_read(said: Payload) -> None:
    assert payload.decode(payload.encode(said)) == said


@given(payloads, st.data())
def test_anything_cut_off_is_never_the_same_and_never_a_crash(said: Payload, data: st.DataObject) -> None:
    whole = payload.encode(said)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        assert payload.decode(cut) != said
    except InvalidMessage:
        return


@given(st.binary(max_size=200), st.integers(0, 255))
def test_any_bytes_are_read_ignored_or_refused(data: bytes, kind: int) -> None:
    known = kind in (0, 1, 2, 3, 5, 6, 7)
    try:
        assert payload.decode(bytes([kind]) + data) is not None or not known or kind in (5, 6)
    except InvalidMessage:
        assert known


LIST, STATEMENT = Signed(bytes(108), bytes(64)), statement.Signed(bytes(165), bytes(64))
OBJECT = {"object": bytes(16), "key": bytes(32), "sha256": bytes(32)}
TRIPLES = [grant.Triple(number, bytes(32), bytes(32)) for number in range(1, 52)]


@pytest.mark.parametrize(
    ("at_the_limit", "past_it"),
    [
        (Keys(((bytes(32), bytes(32)),) * 100), Keys(((bytes(32), bytes(32)),) * 101)),
        (Keys(((bytes(32), bytes(32)),)), Keys(())),
        (Keys(((bytes(32), bytes(32)),)), Keys(((bytes(31), bytes(33)),))),
        (KeyRequest((bytes(32),) * 100), KeyRequest((bytes(32),) * 101)),
        (KeyRequest((bytes(32),)), KeyRequest(())),
        (SignedLists((Signed(bytes(108), bytes(64)),) * 100), SignedLists((Signed(bytes(108), bytes(64)),) * 101)),
        (SignedLists((Signed(bytes(108), bytes(64)),)), SignedLists((Signed(bytes(107), bytes(64)),))),
        (SignedLists((Signed(bytes(108), bytes(64)),)), SignedLists((Signed(bytes(70_000), bytes(64)),))),
        (SignedLists((Signed(bytes(108), bytes(64)),)), SignedLists(())),
        (SignedLists((LIST,) * 50, (STATEMENT,) * 50), SignedLists((LIST,) * 50, (STATEMENT,) * 51)),
        (SignedLists((), (STATEMENT,)), SignedLists((), (statement.Signed(bytes(164), bytes(64)),))),
        (SignedLists((), (STATEMENT,)), SignedLists((), (statement.Signed(bytes(166), bytes(64)),))),
        (
            SignedLists((), (statement.Signed(bytes(165), bytes(64), bytes(64)),)),
            SignedLists((), (statement.Signed(bytes(165), bytes(64), bytes(63)),)),
        ),
        (
            PassedOn(conversation=bytes(16), triples=grant.pack(TRIPLES[:50])),
            PassedOn(conversation=bytes(16), triples=grant.pack(TRIPLES)),
        ),
        (
            PassedOn(conversation=bytes(16), triples=grant.pack(TRIPLES[:1])),
            PassedOn(conversation=bytes(16), triples=b""),
        ),
        (PassedOn(conversation=bytes(16), **OBJECT), PassedOn(conversation=bytes(15), **OBJECT)),
        (PassedOn(conversation=bytes(16), **OBJECT), PassedOn(conversation=bytes(16))),
        (PassedOn(conversation=bytes(16), **OBJECT), PassedOn(conversation=bytes(16), **OBJECT | {"key": None})),
        (PassedOn(conversation=bytes(16), **OBJECT), PassedOn(conversation=bytes(16), **OBJECT | {"sha256": None})),
        (
            PassedOn(conversation=bytes(16), **OBJECT),
            PassedOn(conversation=bytes(16), **OBJECT, triples=grant.pack(TRIPLES[:1])),
        ),
        (AccountState(account_private=bytes(32)), AccountState(account_private=bytes(33))),
    ],
)
def test_limits(at_the_limit: Payload, past_it: Payload) -> None:
    assert payload.decode(payload.encode(at_the_limit)) == at_the_limit
    with pytest.raises(InvalidMessage):
        payload.encode(past_it)


def test_items_among_lists_that_we_do_not_know_are_passed_over() -> None:
    one = SignedLists((Signed(b"l" * 108, b"s" * 64),))
    data = payload.encode(one)
    assert payload.decode(b"\x07\x04\x00\x02xx" + data[1:] + b"\xff\x00\x00") == one
    assert payload.decode(b"\x07\x04\x00\x02xx") == SignedLists(())


def test_a_chain_is_that_of_its_conversation() -> None:
    given = Distribution(b"c" * 16, 7, 3, b"k" * 32, alice).serialize()
    assert payload.decode(b"\x02" + b"c" * 16 + given) == Chain(b"c" * 16, given)
    for wrong in (b"d" * 16 + given, b"c" * 16 + given[:-1], b"c" * 16, b"c" * 15, b""):
        with pytest.raises(InvalidMessage):
            payload.decode(b"\x02" + wrong)


def test_history_with_a_number_twice_is_refused() -> None:
    with pytest.raises(InvalidMessage):
        payload.encode(PassedOn(conversation=bytes(16), triples=grant.pack(TRIPLES[:1]) * 2))


def test_no_key_is_in_a_representation() -> None:
    key = b"secret key" + bytes(22)
    assert "secret" not in repr(Keys(((key, bytes(32)),)))
    assert "secret" not in repr(AccountState(account_private=key))
    assert "secret" not in repr(PassedOn(conversation=bytes(16), triples=bytes(8) + key + key))
    assert "secret" not in repr(Chain(bytes(16), key))
