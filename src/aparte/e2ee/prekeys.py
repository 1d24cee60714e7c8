"""Our own prekeys: made, published, renewed, used once, and remembered where they may be used more than once.

Every 7 days a device makes a new signed prekey and a new last-resort Kyber prekey. It keeps the old ones for 30 days
from then, for first messages on their way: a device that comes back after months has lost nothing. It has 100 one-time
prekeys of either kind on the server and refills below 20.
"""

from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from aparte.e2ee.bundle import Bundle
from aparte.e2ee.devices import OwnDevice
from aparte.e2ee.errors import DuplicateMessage, UnknownPrekey
from aparte.e2ee.handshake import RecipientKeys
from aparte.e2ee.keys import KemKeyPair, KeyPair
from aparte.e2ee.messages import FirstMessage
from aparte.e2ee.primitives import Random
from aparte.e2ee.state import Key, Milliseconds, State, UInt32, deserialize, serialize

RENEWAL_MS = 7 * 86_400_000
RETENTION_MS = 30 * 86_400_000
ONE_TIME_TARGET = 100
ONE_TIME_REFILL_BELOW = 20
ONE_TIME_KEPT_MAX = 1_000
USES_MAX = 10_000

_KIND = 2


class Use(State, frozen=True):
    """A first message that came through a last-resort Kyber prekey."""

    signed_id: UInt32
    base_key: Key


class SignedPrekey(State, frozen=True):
    """An X25519 prekey for many first messages."""

    id: UInt32
    pair: KeyPair
    signature: bytes
    made_at: Milliseconds


class LastResortPrekey(State, frozen=True):
    """A Kyber prekey for many first messages, handed out when no one-time one is left, and their memory."""

    id: UInt32
    pair: KemKeyPair
    signature: bytes
    made_at: Milliseconds
    uses: tuple[Use, ...] = ()


class OneTimePrekey(State, frozen=True):
    """An X25519 prekey for one first message."""

    id: UInt32
    pair: KeyPair


class OneTimeKemPrekey(State, frozen=True):
    """A Kyber prekey for one first message."""

    id: UInt32
    pair: KemKeyPair
    signature: bytes


Renewed = TypeVar("Renewed", SignedPrekey, LastResortPrekey)


@dataclass(frozen=True, slots=True)
class Stock:
    """How many one-time prekeys the server still has."""

    one_time: int
    one_time_kem: int


@dataclass(frozen=True, slots=True)
class OneTimeIds:
    """One one-time prekey of either kind, as a server takes them from its stock together."""

    one_time: int
    one_time_kem: int


class Prekeys(State, frozen=True):
    """All prekeys of this device; each tuple oldest first. Ids are never given twice, whatever the kind."""

    next_id: UInt32
    signed: tuple[SignedPrekey, ...]
    last_resort: tuple[LastResortPrekey, ...]
    one_time: tuple[OneTimePrekey, ...]
    one_time_kem: tuple[OneTimeKemPrekey, ...]

    def serialize(self) -> bytes:
        """The bytes to keep; they hold private keys."""
        return serialize(_KIND, self)

    @classmethod
    def deserialize(cls, data: bytes) -> "Prekeys":
        """Read what `serialize` wrote; InvalidState if it is anything else."""
        return deserialize(_KIND, data, cls)


def create(identity: KeyPair, now: int, random: Random) -> Prekeys:
    """The first signed and last-resort prekeys of a new device; `now` in milliseconds."""
    return renew(Prekeys(1, (), (), (), ()), identity, now, random)


def renew(prekeys: Prekeys, identity: KeyPair, now: int, random: Random) -> Prekeys:
    """Make new signed and last-resort prekeys if they are 7 days old (or well used); drop those replaced long ago."""
    signed, last_resort = _kept(prekeys.signed, now), _kept(prekeys.last_resort, now)
    if not _is_due(prekeys, now):
        return replace(prekeys, signed=signed, last_resort=last_resort)
    number = prekeys.next_id
    pair, kem = KeyPair.generate(random), KemKeyPair.generate(random)
    new = SignedPrekey(number, pair, identity.sign(pair.public.serialize(), random), now)
    new_kem = LastResortPrekey(number + 1, kem, identity.sign(kem.public.serialize(), random), now)
    return replace(prekeys, next_id=number + 2, signed=(*signed, new), last_resort=(*last_resort, new_kem))


def refill(prekeys: Prekeys, identity: KeyPair, stock: Stock, random: Random) -> Prekeys:
    """Make one-time prekeys up to 100 of a kind, if the server has fewer than 20; the oldest over 1,000 go."""
    number = prekeys.next_id
    ec_count, kem_count = _missing(stock.one_time), _missing(stock.one_time_kem)
    one_time = [OneTimePrekey(number + i, KeyPair.generate(random)) for i in range(ec_count)]
    number += ec_count
    one_time_kem = []
    for i in range(kem_count):
        pair = KemKeyPair.generate(random)
        signature = identity.sign(pair.public.serialize(), random)
        one_time_kem.append(OneTimeKemPrekey(number + i, pair, signature))
    return replace(
        prekeys,
        next_id=number + kem_count,
        one_time=(*prekeys.one_time, *one_time)[-ONE_TIME_KEPT_MAX:],
        one_time_kem=(*prekeys.one_time_kem, *one_time_kem)[-ONE_TIME_KEPT_MAX:],
    )


def bundle(prekeys: Prekeys, own: OwnDevice, handed_out: OneTimeIds | None) -> Bundle:
    """What a server hands out: the newest prekeys, and the named one-time ones while it has any."""
    signed = prekeys.signed[-1]
    kem: LastResortPrekey | OneTimeKemPrekey = prekeys.last_resort[-1]
    ec = None
    if handed_out is not None:
        ec = next(key for key in prekeys.one_time if key.id == handed_out.one_time)
        kem = next(key for key in prekeys.one_time_kem if key.id == handed_out.one_time_kem)
    return Bundle(
        registration_id=own.registration_id,
        device=own.address.device,
        identity=own.identity.public,
        signed_id=signed.id,
        signed=signed.pair.public,
        signed_signature=signed.signature,
        kem_id=kem.id,
        kem=kem.pair.public,
        kem_signature=kem.signature,
        one_time_id=ec.id if ec else None,
        one_time=ec.pair.public if ec else None,
    )


def find(prekeys: Prekeys, identity: KeyPair, message: FirstMessage) -> RecipientKeys:
    """The private keys a first message was made for; UnknownPrekey if one is gone, DuplicateMessage on a repeat."""
    signed = next((key for key in prekeys.signed if key.id == message.signed_id), None)
    kem = _find_kem(prekeys, message)
    one_time = next((key for key in prekeys.one_time if key.id == message.one_time_id), None)
    if signed is None or kem is None or (message.one_time_id is not None and one_time is None):
        raise UnknownPrekey
    return RecipientKeys(identity, signed.pair, kem, one_time.pair if one_time else None)


def use(prekeys: Prekeys, message: FirstMessage) -> Prekeys:
    """What is left after a first message was authenticated: one-time keys go, a last-resort key remembers."""
    trace = Use(message.signed_id, message.base_key.u)
    return replace(
        prekeys,
        one_time=tuple(key for key in prekeys.one_time if key.id != message.one_time_id),
        one_time_kem=tuple(key for key in prekeys.one_time_kem if key.id != message.kem_id),
        last_resort=tuple(
            replace(key, uses=(*key.uses, trace)) if key.id == message.kem_id else key for key in prekeys.last_resort
        ),
    )


def _find_kem(prekeys: Prekeys, message: FirstMessage) -> KemKeyPair | None:
    """A full memory refuses: better no session through this key than one that may be a replay."""
    for one_time in prekeys.one_time_kem:
        if one_time.id == message.kem_id:
            return one_time.pair
    for last_resort in prekeys.last_resort:
        if last_resort.id == message.kem_id:
            if Use(message.signed_id, message.base_key.u) in last_resort.uses:
                raise DuplicateMessage
            return last_resort.pair if len(last_resort.uses) < USES_MAX else None
    return None


def _kept(keys: tuple[Renewed, ...], now: int) -> tuple[Renewed, ...]:
    """Without those whose successor has been there for 30 days."""
    expired = sum(now - successor.made_at >= RETENTION_MS for successor in keys[1:])
    return keys[expired:]


def _is_due(prekeys: Prekeys, now: int) -> bool:
    if not prekeys.last_resort:
        return True
    last_resort = prekeys.last_resort[-1]
    return now - last_resort.made_at >= RENEWAL_MS or len(last_resort.uses) >= USES_MAX // 2


def _missing(count: int) -> int:
    return ONE_TIME_TARGET - count if count < ONE_TIME_REFILL_BELOW else 0
