"""Containers: bytes of any length sealed under one key for one purpose, in chunks that have their places.

What stands at the front commits to key and purpose, and every chunk to its number and to being the last one or not: so
nothing can be swapped, dropped or cut off unnoticed. Source: docs/protocol/e2ee.md, 4.7.
"""

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import Random, aes_gcm_decrypt, aes_gcm_encrypt, constant_time_equal, hkdf

KEY_BYTES = 32
CHUNK_BYTES = 65_536
LINK = b"link"
"""The purpose of what a new device is given."""

_MAGIC = b"APRT\x01"
_SALT_BYTES = 32
_COMMITMENT_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + _SALT_BYTES + _COMMITMENT_BYTES
_TAG_BYTES = 16
_INFO = b"container-v1:"


def seal(key: bytes, purpose: bytes, data: bytes, random: Random) -> bytes:
    """Seal data under a key; the salt makes the keys within fresh each time."""
    salt = random(_SALT_BYTES)
    chunk_key, commitment = _keys(key, purpose, salt)
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)] or [b""]
    last = len(chunks) - 1
    sealed = (aes_gcm_encrypt(chunk_key, _nonce(number, last), chunk) for number, chunk in enumerate(chunks))
    return b"".join((_MAGIC, salt, commitment, *sealed))


def open_(key: bytes, purpose: bytes, container: bytes) -> bytes:
    """All the data, or InvalidMessage: nothing is handed out before the last chunk has held."""
    head, body = container[:_HEAD_BYTES], container[_HEAD_BYTES:]
    if len(head) != _HEAD_BYTES or not head.startswith(_MAGIC):
        raise InvalidMessage
    chunk_key, commitment = _keys(key, purpose, head[len(_MAGIC) : -_COMMITMENT_BYTES])
    if not constant_time_equal(commitment, head[-_COMMITMENT_BYTES:]):
        raise InvalidMessage
    size = CHUNK_BYTES + _TAG_BYTES
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    last = len(chunks) - 1
    if last < 0 or (last > 0 and len(chunks[last]) <= _TAG_BYTES):
        raise InvalidMessage
    return b"".join(aes_gcm_decrypt(chunk_key, _nonce(number, last), chunk) for number, chunk in enumerate(chunks))


def _keys(key: bytes, purpose: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """AES key 32, commitment 32."""
    if len(key) != KEY_BYTES:
        raise InvalidMessage
    derived = hkdf(salt, key, _INFO + purpose, 64)
    return derived[:32], derived[32:]


def _nonce(number: int, last: int) -> bytes:
    return number.to_bytes(8, "big") + int(number == last).to_bytes(4, "big")
