"""Invite links: who has one joins a group, visibly, without being added.

What stands after the link's `#` never reaches the server: the group it must lead to, and the seed of a key that the
group's chain names. Without the seed nobody signs a joining, whatever the server says. Source: docs/protocol/e2ee.md,
4.2.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.primitives import NO_SALT, hkdf, sha256

SEED_BYTES = 16
LINK_ID_BYTES = 16
TEXT_CHARACTERS = 43

_ID_BYTES = 16
_INFO = b"aparte-invite-v1"
_TEXT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Invite:
    """What stands after the `#`: the group, and the seed of the link's key."""

    conversation: bytes
    seed: bytes = field(repr=False)


def link_key(seed: bytes) -> KeyPair:
    """The key that signs joinings by this link; InvalidMessage unless the seed has its length."""
    if len(seed) != SEED_BYTES:
        raise InvalidMessage
    return KeyPair.from_private(hkdf(NO_SALT, seed, _INFO, 32))


def link_id(key: PublicKey) -> bytes:
    """What names a link in the chain: 16 bytes that follow from its public key."""
    return sha256(key.serialize())[:LINK_ID_BYTES]


def text(invite: Invite) -> str:
    """43 characters of base64url; InvalidMessage if the parts have other lengths."""
    if len(invite.conversation) != _ID_BYTES or len(invite.seed) != SEED_BYTES:
        raise InvalidMessage
    return base64.urlsafe_b64encode(invite.conversation + invite.seed).rstrip(b"=").decode()


def parse(written: str) -> Invite:
    """Read what `text` wrote; InvalidMessage on anything else, other writings of the same bytes included."""
    if not _TEXT.fullmatch(written):
        raise InvalidMessage
    try:
        data = base64.urlsafe_b64decode(written + "=")
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage from error
    found = Invite(data[:_ID_BYTES], data[_ID_BYTES:])
    if text(found) != written:
        raise InvalidMessage
    return found
