"""Invite links: one way to write each, and a key that only the seed gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import invite
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.invite import Invite
from aparte.e2ee.primitives import sha256

ids = st.binary(min_size=16, max_size=16)


@given(ids, ids)
def test_a_link_is_read_as_it_was_written(conversation: bytes, seed: bytes) -> None:
    written = invite.text(Invite(conversation, seed))
    assert len(written) == invite.TEXT_CHARACTERS
    assert invite.parse(written) == Invite(conversation, seed)


@given(st.text(max_size=60) | st.text("AB-_", min_size=42, max_size=44))
def test_any_other_text_is_refused_or_the_one_that_would_be_written(written: str) -> None:
    try:
        found = invite.parse(written)
    except InvalidMessage:
        return
    assert invite.text(found) == written


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: "+" + text[1:],
        lambda text: "é" + text[1:],
        lambda text: text[:-1] + "B",  # the same bytes, written otherwise
        lambda text: " " + text[1:],
    ],
)
def test_what_was_mistyped_is_refused(changed: object) -> None:
    assert callable(changed)
    written = invite.text(Invite(bytes(16), bytes(16)))
    with pytest.raises(InvalidMessage):
        invite.parse(changed(written))


@given(ids, ids)
def test_another_seed_is_another_key_and_another_link(one: bytes, other: bytes) -> None:
    keys = [invite.link_key(seed).public for seed in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert (invite.link_id(keys[0]) == invite.link_id(keys[1])) == (one == other)
    assert invite.link_id(keys[0]) == sha256(keys[0].serialize())[:16]


@pytest.mark.parametrize(("conversation", "seed"), [(bytes(15), bytes(16)), (bytes(16), bytes(17)), (b"", bytes(32))])
def test_parts_of_other_lengths_are_not_written(conversation: bytes, seed: bytes) -> None:
    with pytest.raises(InvalidMessage):
        invite.text(Invite(conversation, seed))


def test_a_seed_of_another_length_is_no_key() -> None:
    for length in (0, 15, 17, 32):
        with pytest.raises(InvalidMessage):
            invite.link_key(bytes(length))


def test_the_seed_is_not_in_a_representation() -> None:
    assert "secret" not in repr(Invite(bytes(16), b"secret" + bytes(10)))
