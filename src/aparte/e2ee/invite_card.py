"""Invite cards: what a group is called and what it is about, for whoever holds an invite link and is not inside yet.

Sealed under a key that follows from the link's seed, so the server keeps it and cannot read it. It is the word of
whoever sealed it, as of then, and nothing more: what the group says of itself is a sealed entry. Source:
docs/protocol/e2ee.md, 4.2.
"""

from typing import Annotated

from msgspec import Meta

from aparte.e2ee import canonical, container
from aparte.e2ee.content import DESCRIPTION_MAX, NAME_MAX, TOPIC_MAX
from aparte.e2ee.errors import InvalidMessage, NeedsNewer
from aparte.e2ee.invite import SEED_BYTES
from aparte.e2ee.padding import pad, unpad
from aparte.e2ee.primitives import NO_SALT, Random, hkdf

PURPOSE = b"invite"
CARD_BYTES_MAX = 12_288
"""Of the container; the longest card takes 10,645."""

_INFO = b"aparte-invite-card-v1"


class Card(canonical.Map, frozen=True, kw_only=True):
    """What a link says of the group that it leads to."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
    topic: Annotated[str, Meta(max_length=TOPIC_MAX)] = ""
    description: Annotated[str, Meta(max_length=DESCRIPTION_MAX)] = ""


def card_key(seed: bytes) -> bytes:
    """The key that a link's card is sealed under; InvalidMessage unless the seed has its length."""
    if len(seed) != SEED_BYTES:
        raise InvalidMessage
    return hkdf(NO_SALT, seed, _INFO, container.KEY_BYTES)


def seal(seed: bytes, card: Card, random: Random) -> bytes:
    """A container of purpose "invite", padded as entries are; InvalidMessage if the card is past a limit."""
    data = canonical.encode(card)
    try:
        _read(data)
    except NeedsNewer as error:
        raise InvalidMessage from error
    return container.seal(card_key(seed), PURPOSE, pad(data), random)


def open_(seed: bytes, sealed: bytes) -> Card:
    """Read a card; InvalidMessage if anything about it is wrong, NeedsNewer if a later version may know it."""
    if len(sealed) > CARD_BYTES_MAX:
        raise InvalidMessage
    return _read(unpad(container.open_(card_key(seed), PURPOSE, sealed)))


def _read(data: bytes) -> Card:
    try:
        card = canonical.decode(data, Card)
    except canonical.Newer as error:
        raise NeedsNewer from error
    except ValueError as error:
        raise InvalidMessage from error
    if not card.name.strip():
        raise InvalidMessage
    return card
