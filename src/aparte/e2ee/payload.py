"""Payloads: the plaintexts of pairwise sessions, told apart by their first byte.

They carry the content keys of entries, ask for keys, tell one's own devices what is new about the account, and pass
signed lists on. A first byte that we do not know is no error: a later version may send it. Source:
docs/protocol/e2ee.md, 3.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from aparte.e2ee import canonical
from aparte.e2ee.content import Hash
from aparte.e2ee.device_list import Signed
from aparte.e2ee.entry import KEY_BYTES, ZERO_HASH
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.keys import PUBLIC_KEY_BYTES
from aparte.e2ee.state import Key, State

KEYS_MAX = 100
REQUESTS_MAX = 100
LISTS_MAX = 100
PINS_MAX = 10_000

_HASH_BYTES = len(ZERO_HASH)
_SIGNATURE_BYTES = 64
_LIST_BYTES_MIN = 108
_ITEM_BYTES_MAX = 0xFFFF
_LIST, _LIST_OF_A_ROTATION = 1, 2

PublicKeyBytes = Annotated[bytes, Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]


class PinnedAccount(State, frozen=True):
    """What one device of an account tells another of a peer's keys: the newest list it has checked."""

    account: Annotated[bytes, Meta(min_length=16, max_length=16)]
    account_key: PublicKeyBytes
    version: Annotated[int, Meta(ge=1, le=canonical.INTEGER_MAX)]
    hash: Hash
    verified_key: PublicKeyBytes | None
    """The account key that was compared in person, if one was."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """00: the session is there, there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Keys:
    """01: content keys with the hashes of their entries, 1 to 100."""

    pairs: tuple[tuple[bytes, bytes], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """03: the hashes of entries whose keys are asked for, 1 to 100."""

    hashes: tuple[bytes, ...]


class AccountState(canonical.Map, frozen=True, kw_only=True):
    """05: what is new about one's own account, for one's own devices; the key must fit the list."""

    account_private: Key | None = None
    pins: Annotated[tuple[PinnedAccount, ...], Meta(max_length=PINS_MAX)] = ()


@dataclass(frozen=True, slots=True)
class SignedLists:
    """07: device lists as they were signed, 1 to 100."""

    lists: tuple[Signed, ...]


Payload = Nothing | Keys | KeyRequest | AccountState | SignedLists


def encode(payload: Payload) -> bytes:
    """Write a plaintext; InvalidMessage if a reader would refuse it."""
    data = _encode(payload)
    if decode(data) != payload:
        raise InvalidMessage
    return data


def decode(data: bytes) -> Payload | None:
    """Read a plaintext; None if a later version may know it, InvalidMessage if it is malformed."""
    if not data:
        raise InvalidMessage
    read = _READERS.get(data[0])
    return read(data[1:]) if read is not None else None


def _encode(payload: Payload) -> bytes:
    match payload:
        case Nothing():
            return b"\x00"
        case Keys(pairs):
            return b"\x01" + b"".join(key + digest for key, digest in pairs)
        case KeyRequest(hashes):
            return b"\x03" + b"".join(hashes)
        case AccountState():
            return b"\x05" + canonical.encode(payload)
        case SignedLists(lists):
            return b"\x07" + b"".join(_write_list(signed) for signed in lists)


def _read_nothing(data: bytes) -> Nothing:
    if data:
        raise InvalidMessage
    return Nothing()


def _read_keys(data: bytes) -> Keys:
    pairs = _split(data, KEY_BYTES + _HASH_BYTES, KEYS_MAX)
    return Keys(tuple((pair[:KEY_BYTES], pair[KEY_BYTES:]) for pair in pairs))


def _read_request(data: bytes) -> KeyRequest:
    return KeyRequest(_split(data, _HASH_BYTES, REQUESTS_MAX))


def _read_account_state(data: bytes) -> AccountState | None:
    try:
        return canonical.decode(data, AccountState)
    except canonical.Newer:
        return None
    except canonical.Malformed as error:
        raise InvalidMessage from error


def _read_lists(data: bytes) -> SignedLists:
    """Items: kind || length in 2 bytes || that many bytes; kinds that we do not know are passed over."""
    lists: list[Signed] = []
    items = 0
    while data:
        length = int.from_bytes(data[1:3], "big")
        item, rest = data[3 : 3 + length], data[3 + length :]
        items += 1
        if len(data) < 3 + length or items > LISTS_MAX:
            raise InvalidMessage
        if data[0] in (_LIST, _LIST_OF_A_ROTATION):
            lists.append(_read_list(item, 1 if data[0] == _LIST else 2))
        data = rest
    if not items:
        raise InvalidMessage
    return SignedLists(tuple(lists))


def _read_list(item: bytes, signatures: int) -> Signed:
    end = len(item) - signatures * _SIGNATURE_BYTES
    if end < _LIST_BYTES_MIN:
        raise InvalidMessage
    first, second = item[end : end + _SIGNATURE_BYTES], item[end + _SIGNATURE_BYTES :]
    return Signed(item[:end], first, second or None)


def _write_list(signed: Signed) -> bytes:
    item = signed.list + signed.signature + (signed.previous_signature or b"")
    kind = _LIST if signed.previous_signature is None else _LIST_OF_A_ROTATION
    if len(item) > _ITEM_BYTES_MAX:
        raise InvalidMessage
    return bytes([kind]) + len(item).to_bytes(2, "big") + item


def _split(data: bytes, size: int, most: int) -> tuple[bytes, ...]:
    if not data or len(data) % size or len(data) > size * most:
        raise InvalidMessage
    return tuple(data[at : at + size] for at in range(0, len(data), size))


_READERS: dict[int, Callable[[bytes], Payload | None]] = {
    0: _read_nothing,
    1: _read_keys,
    3: _read_request,
    5: _read_account_state,
    7: _read_lists,
}
