"""Records: what an account keeps at the server for its own devices, under a key that follows from the account key.

A record has a name, which is in what is sealed: the server cannot hand out one for another. What was sealed under an
account key of before is not opened any more. Source: docs/protocol/e2ee.md, 6.
"""

from typing import Annotated

from msgspec import Meta

from aparte.e2ee import canonical, container
from aparte.e2ee.content import TEXT_MAX, Id, Milliseconds
from aparte.e2ee.entry import KEY_BYTES
from aparte.e2ee.errors import InvalidMessage, NeedsNewer
from aparte.e2ee.padding import pad, unpad
from aparte.e2ee.primitives import NO_SALT, Random, hkdf

PURPOSE = b"record\0"
DRAFT = b"draft\0"
"""Begins the name of a draft; the conversation follows."""
DRAFT_BYTES_MAX = 16_384
"""Of the container; the longest draft takes 16,245."""

_INFO = b"aparte-record-v1"


class Draft(canonical.Map, frozen=True, kw_only=True):
    """What somebody was writing in a conversation."""

    at: Milliseconds
    """The writer's clock."""
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]


def record_key(account_private: bytes) -> bytes:
    """The key of an account's records; InvalidMessage unless the private key has its length."""
    if len(account_private) != KEY_BYTES:
        raise InvalidMessage
    return hkdf(NO_SALT, account_private, _INFO, container.KEY_BYTES)


def seal(account_private: bytes, name: bytes, data: bytes, random: Random) -> bytes:
    """A container around data, padded as entries are."""
    return container.seal(record_key(account_private), PURPOSE + name, pad(data), random)


def open_(account_private: bytes, name: bytes, sealed: bytes) -> bytes:
    """The data of a record; InvalidMessage if it is another one's, under another key, or changed."""
    return unpad(container.open_(record_key(account_private), PURPOSE + name, sealed))


def seal_draft(account_private: bytes, conversation: Id, draft: Draft, random: Random) -> bytes:
    """Seal a draft for one's own devices; InvalidMessage if it is past a limit."""
    data = canonical.encode(draft)
    try:
        _read(data)
    except NeedsNewer as error:
        raise InvalidMessage from error
    return seal(account_private, DRAFT + conversation, data, random)


def open_draft(account_private: bytes, conversation: Id, sealed: bytes) -> Draft:
    """Read a draft; InvalidMessage if anything about it is wrong, NeedsNewer if a later version may know it."""
    if len(sealed) > DRAFT_BYTES_MAX:
        raise InvalidMessage
    return _read(open_(account_private, DRAFT + conversation, sealed))


def _read(data: bytes) -> Draft:
    try:
        return canonical.decode(data, Draft)
    except canonical.Newer as error:
        raise NeedsNewer from error
    except ValueError as error:
        raise InvalidMessage from error
