"""Payloads: the plaintexts of pairwise sessions, told apart by their first byte.

They carry the content keys of entries and the chains of groups, ask for keys, tell one's own devices what is new about
the account, and pass history, signed lists and statements on. A first byte that we do not know is no error: a later
version may send it. Source: docs/protocol/e2ee.md, 3.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from msgspec import Meta

from aparte.e2ee import canonical, grant, group, signed_items, statement
from aparte.e2ee.content import Hash, Id
from aparte.e2ee.device_list import Signed
from aparte.e2ee.entry import KEY_BYTES, ZERO_HASH
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.keys import PUBLIC_KEY_BYTES
from aparte.e2ee.state import Key, State

KEYS_MAX = 100
REQUESTS_MAX = 100
TRIPLES_MAX = 50
"""Entries that are passed on within the payload; more go in an object."""
PINS_MAX = 10_000

_HASH_BYTES = len(ZERO_HASH)
_ID_BYTES = 16

Triples = Annotated[bytes, Meta(min_length=grant.TRIPLE_BYTES, max_length=TRIPLES_MAX * grant.TRIPLE_BYTES)]
M = TypeVar("M", bound=canonical.Map)
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
class Chain:
    """02: the sender's chain of a group, from its next message on."""

    conversation: bytes
    distribution: bytes = field(repr=False)
    """A sender-key distribution message whose distribution id is the conversation."""


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """03: the hashes of entries whose keys are asked for, 1 to 100."""

    hashes: tuple[bytes, ...]


class AccountState(canonical.Map, frozen=True, kw_only=True):
    """05: what is new about one's own account, for one's own devices; the key must fit the list."""

    account_private: Key | None = None
    pins: Annotated[tuple[PinnedAccount, ...], Meta(max_length=PINS_MAX)] = ()


class PassedOn(canonical.Map, frozen=True, kw_only=True):
    """06: entries of a group with their keys, here (`triples`) or in an object that `key` opens."""

    conversation: Id
    triples: Triples | None = None
    object: Id | None = None
    key: Key | None = None
    sha256: Hash | None = None
    """Of the object's bytes."""

    def check(self) -> None:
        """InvalidMessage unless there are sound triples, or all that an object needs."""
        parts = (self.object, self.key, self.sha256)
        if self.triples is not None and parts == (None, None, None):
            grant.unpack(self.triples)
        elif self.triples is not None or None in parts:
            raise InvalidMessage


@dataclass(frozen=True, slots=True)
class SignedLists:
    """07: device lists and membership statements as they were signed, 1 to 100 together."""

    lists: tuple[Signed, ...]
    statements: tuple[statement.Signed, ...] = ()


Payload = Nothing | Keys | Chain | KeyRequest | AccountState | PassedOn | SignedLists


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
            data = b"\x00"
        case Keys(pairs):
            data = b"\x01" + b"".join(key + digest for key, digest in pairs)
        case Chain(conversation, distribution):
            data = b"\x02" + conversation + distribution
        case KeyRequest(hashes):
            data = b"\x03" + b"".join(hashes)
        case AccountState():
            data = b"\x05" + canonical.encode(payload)
        case PassedOn():
            data = b"\x06" + canonical.encode(payload)
        case SignedLists(lists, statements):
            data = b"\x07" + signed_items.write(lists, statements)
    return data


def _read_nothing(data: bytes) -> Nothing:
    if data:
        raise InvalidMessage
    return Nothing()


def _read_keys(data: bytes) -> Keys:
    pairs = _split(data, KEY_BYTES + _HASH_BYTES, KEYS_MAX)
    return Keys(tuple((pair[:KEY_BYTES], pair[KEY_BYTES:]) for pair in pairs))


def _read_chain(data: bytes) -> Chain:
    conversation, distribution = data[:_ID_BYTES], data[_ID_BYTES:]
    if group.Distribution.deserialize(distribution).distribution_id != conversation:
        raise InvalidMessage
    return Chain(conversation, distribution)


def _read_request(data: bytes) -> KeyRequest:
    return KeyRequest(_split(data, _HASH_BYTES, REQUESTS_MAX))


def _read_account_state(data: bytes) -> AccountState | None:
    return _read_map(data, AccountState)


def _read_passed_on(data: bytes) -> PassedOn | None:
    found = _read_map(data, PassedOn)
    if found is not None:
        found.check()
    return found


def _read_map(data: bytes, record: type[M]) -> M | None:
    try:
        return canonical.decode(data, record)
    except canonical.Newer:
        return None
    except canonical.Malformed as error:
        raise InvalidMessage from error


def _read_lists(data: bytes) -> SignedLists:
    return SignedLists(*signed_items.read(data))


def _split(data: bytes, size: int, most: int) -> tuple[bytes, ...]:
    if not data or len(data) % size or len(data) > size * most:
        raise InvalidMessage
    return tuple(data[at : at + size] for at in range(0, len(data), size))


_READERS: dict[int, Callable[[bytes], Payload | None]] = {
    0: _read_nothing,
    1: _read_keys,
    2: _read_chain,
    3: _read_request,
    5: _read_account_state,
    6: _read_passed_on,
    7: _read_lists,
}
