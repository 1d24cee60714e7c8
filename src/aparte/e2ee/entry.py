"""Entries: what people do in an encrypted conversation, sealed under a fresh key each and bound to its place.

The head names the entry's kind, conversation, sender, epoch, roster, place among its device's entries and target. It
never travels whole: everybody rebuilds it. The tag commits to key, head and content; the hash names the entry for
good, with its content or without. Source: docs/protocol/e2ee.md, 3.1.
"""

from dataclasses import dataclass, field

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.padding import PADDED_TO, pad, unpad
from aparte.e2ee.primitives import NO_SALT, aes_ctr, constant_time_equal, hkdf, hmac_sha256, sha256

HEAD_BYTES = 178
KEY_BYTES = 32
TAG_BYTES = 32
CONTENT_BYTES_MAX = 65_000
ZERO_HASH = bytes(32)
"""No entry: what comes before a device's first one, and the target of what aims at nothing."""

_VERSION = b"\x01"
_INFO = b"aparte-content-v1"
_HASH_LABEL = b"aparte-entry-v1\0"


@dataclass(frozen=True, slots=True)
class Head:
    """The authenticated header of an entry; ids are 16 raw bytes, hashes 32."""

    kind: int
    conversation: bytes
    account: bytes
    device: bytes
    epoch: int
    roster: bytes
    counter: int
    client_id: bytes
    prev: bytes = field(default=ZERO_HASH)
    target: bytes = field(default=ZERO_HASH)

    def serialize(self) -> bytes:
        """The 178 bytes: 01 || kind || the other fields in their order, integers of 8 bytes."""
        data = b"".join(
            (
                _VERSION,
                self.kind.to_bytes(1, "big"),
                self.conversation,
                self.account,
                self.device,
                self.epoch.to_bytes(8, "big"),
                self.roster,
                self.counter.to_bytes(8, "big"),
                self.client_id,
                self.prev,
                self.target,
            )
        )
        if len(data) != HEAD_BYTES:
            raise InvalidMessage
        return data


def seal(head: Head, content: bytes, key: bytes) -> bytes:
    """Encrypt and authenticate content under a key that is used for nothing else; ValueError if it is too long."""
    if len(content) > CONTENT_BYTES_MAX:
        raise ValueError("the content is too long")
    encryption, authentication, iv = _keys(key)
    ciphertext = aes_ctr(encryption, iv, pad(content))
    return ciphertext + hmac_sha256(authentication, head.serialize() + ciphertext)


def open_(head: Head, sealed: bytes, key: bytes) -> bytes:
    """The content; InvalidMessage if the tag, the length or the padding is wrong, whichever it is."""
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    encryption, authentication, iv = _keys(key)
    if not constant_time_equal(tag, hmac_sha256(authentication, head.serialize() + ciphertext)):
        raise InvalidMessage
    if not ciphertext or len(ciphertext) % PADDED_TO:
        raise InvalidMessage
    content = unpad(aes_ctr(encryption, iv, ciphertext))
    if len(content) > CONTENT_BYTES_MAX:
        raise InvalidMessage
    return content


def entry_hash(head: Head, sealed_digest: bytes) -> bytes:
    """The name of an entry, from its head and the SHA-256 of what was sealed: it outlives the content."""
    if len(sealed_digest) != len(ZERO_HASH):
        raise InvalidMessage
    return sha256(_HASH_LABEL + head.serialize() + sealed_digest)


def _keys(key: bytes) -> tuple[bytes, bytes, bytes]:
    """AES key 32, MAC key 32, first counter block 16."""
    if len(key) != KEY_BYTES:
        raise InvalidMessage
    derived = hkdf(NO_SALT, key, _INFO, 80)
    return derived[:32], derived[32:64], derived[64:]
