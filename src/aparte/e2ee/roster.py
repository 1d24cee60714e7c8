"""Rosters: 32 bytes that stand for who can read a conversation, and the ids that follow from who is in it.

The server compares the sender's roster with its own; clients compute it from signed data alone, and encrypt to nobody
else. Source: docs/protocol/e2ee.md, 4.2.
"""

from collections.abc import Mapping

from aparte.e2ee.primitives import sha256

_ROSTER_LABEL = b"aparte-roster-v1\0"
_DIRECT_LABEL = b"aparte-direct-v1\0"
NO_STATEMENT = bytes(32)
"""In place of the newest membership statement, in conversations that have none: direct ones and notes to oneself."""


def direct_id(one: bytes, other: bytes) -> bytes:
    """The id of the direct conversation of two accounts; of one's notes to oneself, with one's own account twice."""
    return uuid8(sha256(_DIRECT_LABEL + min(one, other) + max(one, other)))


def uuid8(digest: bytes) -> bytes:
    """The first 16 bytes of a digest with the version and variant bits of a UUID version 8 (RFC 9562, 5.8)."""
    return digest[:6] + bytes([digest[6] & 0x0F | 0x80, digest[7], digest[8] & 0x3F | 0x80]) + digest[9:16]


def roster(conversation: bytes, statement: bytes, lists: Mapping[bytes, bytes]) -> bytes:
    """The roster of a conversation: its newest statement's hash, and each member's account id and list hash."""
    members = b"".join(account + lists[account] for account in sorted(lists))
    return sha256(_ROSTER_LABEL + conversation + statement + members)
