"""Payloads: each is read as what was written; what is malformed is refused, what is unknown ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import payload
from aparte.e2ee.device_list import Signed
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.payload import AccountState, KeyRequest, Keys, Nothing, Payload, PinnedAccount, SignedLists

ids, hashes = (st.binary(min_size=size, max_size=size) for size in (16, 32))
public = st.binary(min_size=33, max_size=33)
signatures = st.binary(min_size=64, max_size=64)
pins = st.builds(PinnedAccount, ids, public, st.integers(1, 2**53 - 1), hashes, st.none() | public)
lists = st.builds(Signed, st.binary(min_size=108, max_size=400), signatures, st.none() | signatures)
payloads: st.SearchStrategy[Payload] = st.one_of(
    st.just(Nothing()),
    st.lists(st.tuples(hashes, hashes), min_size=1, max_size=5).map(lambda pairs: Keys(tuple(pairs))),
    st.lists(hashes, min_size=1, max_size=5).map(lambda wanted: KeyRequest(tuple(wanted))),
    st.builds(AccountState, account_private=st.none() | hashes, pins=st.lists(pins, max_size=3).map(tuple)),
    st.lists(lists, min_size=1, max_size=3).map(lambda several: SignedLists(tuple(several))),
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
    known = kind in (0, 1, 3, 5, 7)
    try:
        assert payload.decode(bytes([kind]) + data) is not None or not known or kind == 5
    except InvalidMessage:
        assert known


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
    assert payload.decode(b"\x07\x03\x00\x02xx" + data[1:] + b"\xff\x00\x00") == one
    assert payload.decode(b"\x07\x03\x00\x02xx") == SignedLists(())


def test_no_key_is_in_a_representation() -> None:
    key = b"secret key" + bytes(22)
    assert "secret" not in repr(Keys(((key, bytes(32)),)))
    assert "secret" not in repr(AccountState(account_private=key))
