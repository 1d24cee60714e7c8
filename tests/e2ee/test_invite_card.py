"""Invite cards: read by who has the seed, at their longest too, and by nobody else."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee import container, invite_card
from aparte.e2ee.content import DESCRIPTION_MAX, NAME_MAX, TOPIC_MAX
from aparte.e2ee.errors import InvalidMessage, NeedsNewer
from aparte.e2ee.invite import link_key
from aparte.e2ee.invite_card import CARD_BYTES_MAX, Card
from aparte.e2ee.padding import PADDED_TO, pad, unpad
from aparte.wire import limits

SEED = b"\x05" * 16
pack = msgspec.msgpack.encode
written_characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
names = st.text(written_characters, min_size=1, max_size=NAME_MAX).filter(lambda name: bool(name.strip()))


def salt(length: int) -> bytes:
    return b"\x07" * length


def sealed(data: bytes) -> bytes:
    """What nobody would write."""
    return container.seal(invite_card.card_key(SEED), b"invite", pad(data), salt)


@given(
    st.binary(min_size=16, max_size=16),
    names,
    st.text(written_characters, max_size=TOPIC_MAX),
    st.text(written_characters, max_size=DESCRIPTION_MAX),
)
def test_a_card_is_read_as_it_was_written(seed: bytes, name: str, topic: str, description: str) -> None:
    card = Card(name=name, topic=topic, description=description)
    assert invite_card.open_(seed, invite_card.seal(seed, card, salt)) == card


@pytest.mark.parametrize(
    ("at_the_limit", "past_it"),
    [
        ({"name": "👋" * NAME_MAX}, {"name": "👋" * (NAME_MAX + 1)}),
        ({"name": "x"}, {"name": ""}),
        ({"name": " x"}, {"name": " \n\u3000"}),
        ({"name": "x", "topic": "👋" * TOPIC_MAX}, {"name": "x", "topic": "👋" * (TOPIC_MAX + 1)}),
        (
            {"name": "x", "description": "👋" * DESCRIPTION_MAX},
            {"name": "x", "description": "👋" * (DESCRIPTION_MAX + 1)},
        ),
        ({"name": "x", "topic": "\x01"}, {"name": "x", "topic": "\0"}),
        ({"name": "x", "later": 1}, {"name": b"x"}),
        ({"name": "x"}, {"topic": "x"}),
    ],
)
def test_limits(at_the_limit: dict[str, Any], past_it: dict[str, Any]) -> None:
    assert invite_card.open_(SEED, sealed(pack({"v": 1, **at_the_limit}))).name == at_the_limit["name"]
    with pytest.raises(InvalidMessage):
        invite_card.open_(SEED, sealed(pack({"v": 1, **past_it})))


@pytest.mark.parametrize(
    "card",
    [Card(name=""), Card(name="x" * 101), Card(name="x", topic="x" * 501), Card(name="x", description="x" * 2_001)],
)
def test_what_would_not_be_read_is_not_written(card: Card) -> None:
    with pytest.raises(InvalidMessage):
        invite_card.seal(SEED, card, salt)


def test_the_longest_card_fits_and_no_longer_container_is_looked_at() -> None:
    longest = Card(name="👋" * NAME_MAX, topic="👋" * TOPIC_MAX, description="👋" * DESCRIPTION_MAX)
    assert len(invite_card.seal(SEED, longest, salt)) == 10_645 < CARD_BYTES_MAX == limits.INVITE_CARD_BYTES
    spare = CARD_BYTES_MAX - len(sealed(pack({"v": 1, "name": "x", "later": b""})))
    known = {"v": 1, "name": "x"}
    assert invite_card.open_(SEED, sealed(pack({**known, "later": bytes(spare // PADDED_TO * PADDED_TO)}))).name == "x"
    with pytest.raises(InvalidMessage):
        invite_card.open_(SEED, sealed(pack({**known, "later": bytes(CARD_BYTES_MAX)})))


def test_names_of_about_one_length_look_alike() -> None:
    assert len({len(invite_card.seal(SEED, Card(name="x" * length), salt)) for length in range(1, NAME_MAX + 1)}) == 1


def test_a_later_version_is_told_from_a_forgery() -> None:
    with pytest.raises(NeedsNewer):
        invite_card.open_(SEED, sealed(pack({"v": 2, "name": 1})))
    with pytest.raises(InvalidMessage):
        invite_card.seal(SEED, Card(v=2, name="x"), salt)


def test_nothing_else_opens_it() -> None:
    card, key = Card(name="Tea party"), invite_card.card_key(SEED)
    written = invite_card.seal(SEED, card, salt)
    assert key != link_key(SEED).private
    data = unpad(container.open_(key, b"invite", written))
    assert data == pack({"v": 1, "name": "Tea party"})
    for wrong in (
        container.seal(key, b"grant", pad(data), salt),
        container.seal(key, b"invite", data, salt),
        container.seal(key, b"invite", data + b"\x80", salt),
        container.seal(link_key(SEED).private, b"invite", pad(data), salt),
        sealed(data + b"\xc0"),
        sealed(b""),
        b"",
        *(written[:length] for length in range(len(written))),
    ):
        with pytest.raises(InvalidMessage):
            invite_card.open_(SEED, wrong)
    for place in range(len(written)):
        with pytest.raises(InvalidMessage):
            invite_card.open_(SEED, written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
    with pytest.raises(InvalidMessage):
        invite_card.open_(b"\x06" * 16, written)
    for length in (0, 15, 17, 32):
        with pytest.raises(InvalidMessage):
            invite_card.card_key(bytes(length))


def test_a_card_is_not_in_a_representation() -> None:
    assert "Tea" not in repr(Card(name="Tea party"))
