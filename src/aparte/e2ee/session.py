"""Sessions with one device: set up from its bundle or its first message, kept when replaced, tried when needed.

Two devices may set up sessions at once, and a device may forget. So a record keeps the session it sends with and up
to 40 older ones; whichever decrypts a message becomes the current one. All functions return a new record: save it
before a message leaves the device, and before a plaintext is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import msgspec
from msgspec.structs import replace

from aparte.e2ee import handshake, ratchet
from aparte.e2ee import prekeys as own_prekeys
from aparte.e2ee.bundle import Bundle
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice, address_pair, check_address_pair
from aparte.e2ee.errors import (
    DuplicateMessage,
    E2eeError,
    InvalidKey,
    InvalidMessage,
    NoSession,
    TooFarAhead,
    UntrustedIdentity,
)
from aparte.e2ee.kdf_chain import JUMP_MAX
from aparte.e2ee.keys import KEM_CIPHERTEXT_BYTES, PublicKey
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.primitives import Random
from aparte.e2ee.ratchet import Ratchet
from aparte.e2ee.spqr.message import decode as decode_spqr
from aparte.e2ee.state import State, UInt32, deserialize, serialize

ARCHIVED_SESSIONS_MAX = 40
EFFORT_MAX = 20_000
"""Keys that may be derived for one message over all sessions: 40 sessions times the two jumps would be seconds."""

_KIND = 1
_KIND_ARCHIVED = 3


class Pending(State, frozen=True):
    """What goes out with every message until the peer has answered once: it may not have seen any of them."""

    one_time_id: UInt32 | None
    signed_id: UInt32
    kem_id: UInt32
    kem_ciphertext: Annotated[bytes, msgspec.Meta(min_length=KEM_CIPHERTEXT_BYTES, max_length=KEM_CIPHERTEXT_BYTES)]


class Session(State, frozen=True):
    """One session: who it is with, the base key that names it, and its ratchet."""

    base_key: PublicKey
    own_identity: PublicKey
    peer_identity: PublicKey
    pending: Pending | None
    ratchet: Ratchet


class SessionRecord(State, frozen=True):
    """All sessions with one device. `archived` is newest first, each as bytes until it is needed."""

    own: Address
    own_registration_id: UInt32
    peer: Address
    current: Session
    archived: tuple[bytes, ...]

    def serialize(self) -> bytes:
        """The bytes to keep; they hold keys."""
        return serialize(_KIND, self)

    @classmethod
    def deserialize(cls, data: bytes) -> "SessionRecord":
        """Read what `serialize` wrote; InvalidState if it is anything else."""
        return deserialize(_KIND, data, cls)


class Encrypted(NamedTuple):
    """A message to be sent: `type` is 2, or 3 while the peer has not answered."""

    record: SessionRecord
    type: int
    body: bytes


class Decrypted(NamedTuple):
    """A message received, and the record without its key."""

    record: SessionRecord
    plaintext: bytes


class Accepted(NamedTuple):
    """A first message received; `prekeys` are those left, to be saved together with the record."""

    record: SessionRecord
    plaintext: bytes
    prekeys: Prekeys


@dataclass(frozen=True, slots=True)
class Parties:
    """Both ends of a session, as its caller knows them."""

    own: OwnDevice = field(repr=False)
    peer: PeerDevice


def initiate(record: SessionRecord | None, parties: Parties, bundle: Bundle, random: Random) -> SessionRecord:
    """Set up a session from a bundle and send with it from now on.

    UntrustedIdentity if the bundle has another identity than the peer, InvalidSignature or InvalidKey if it is unsound.
    """
    own, peer = parties.own, parties.peer
    if bundle.identity != peer.identity or bundle.device != peer.address.device:
        raise UntrustedIdentity
    initiation = handshake.initiate(own.identity, bundle, random)
    session = Session(
        base_key=initiation.base_key,
        own_identity=own.identity.public,
        peer_identity=peer.identity,
        pending=Pending(bundle.one_time_id, bundle.signed_id, bundle.kem_id, initiation.kem_ciphertext),
        ratchet=ratchet.start_initiator(initiation.secrets, bundle.signed, random),
    )
    return _adopt(record, parties, session)


def encrypt(record: SessionRecord, plaintext: bytes, random: Random) -> Encrypted:
    """Encrypt with the current session. Save the record before the message leaves the device."""
    session = record.current
    addresses = address_pair(record.own, record.peer) if session.pending else None
    associated = session.own_identity.serialize() + session.peer_identity.serialize()
    state, message = ratchet.encrypt(session.ratchet, plaintext, associated, addresses, random)
    advanced = replace(record, current=replace(session, ratchet=state))
    if session.pending is None:
        return Encrypted(advanced, MESSAGE_TYPE, message)
    first = FirstMessage(
        registration_id=record.own_registration_id,
        one_time_id=session.pending.one_time_id,
        signed_id=session.pending.signed_id,
        kem_id=session.pending.kem_id,
        kem_ciphertext=session.pending.kem_ciphertext,
        base_key=session.base_key,
        identity=session.own_identity,
        message=message,
    )
    return Encrypted(advanced, FIRST_MESSAGE_TYPE, first.serialize())


def decrypt(record: SessionRecord | None, body: bytes, random: Random) -> Decrypted:
    """Decrypt a message of type 2 with the session it belongs to, which becomes the current one.

    NoSession, InvalidMessage, DuplicateMessage, TooFarAhead; the record that was given still stands then.
    """
    if record is None:
        raise NoSession
    message = SignalMessage.deserialize(body)
    if message.addresses is not None:
        check_address_pair(message.addresses, record.peer, record.own)
    refusals: list[E2eeError] = []
    for position, session in _sessions(record):
        try:
            advanced, plaintext = _open(session, message, random)
        except (InvalidMessage, DuplicateMessage, TooFarAhead) as refusal:
            refusals.append(refusal)
            if len(refusals) * _effort(message) > EFFORT_MAX:
                break
        else:
            return Decrypted(_promote(record, position, advanced), plaintext)
    raise _verdict(refusals)


def accept(
    record: SessionRecord | None, parties: Parties, prekeys: Prekeys, message: FirstMessage, random: Random
) -> Accepted:
    """Decrypt a message of type 3, with the session it belongs to or with a new one.

    Besides the errors of `decrypt`: UntrustedIdentity, UnknownPrekey. Save the record and the prekeys together.
    """
    if message.identity != parties.peer.identity:
        raise UntrustedIdentity
    inner = SignalMessage.deserialize(message.message)
    if inner.addresses is None:
        raise InvalidMessage
    check_address_pair(inner.addresses, parties.peer.address, parties.own.address)
    if record is not None:
        for position, session in _sessions(record):
            if session.base_key == message.base_key and session.peer_identity == message.identity:
                advanced, plaintext = _open(session, inner, random)
                return Accepted(_promote(record, position, advanced), plaintext, prekeys)
    session, plaintext = _open(_respond(parties, prekeys, message), inner, random)
    return Accepted(_adopt(record, parties, session), plaintext, own_prekeys.use(prekeys, message))


def _respond(parties: Parties, prekeys: Prekeys, message: FirstMessage) -> Session:
    """The session a first message proposes; nothing is authenticated yet."""
    keys = own_prekeys.find(prekeys, parties.own.identity, message)
    try:
        secrets = handshake.respond(keys, message.identity, message.base_key, message.kem_ciphertext)
    except InvalidKey as error:
        raise InvalidMessage from error
    return Session(
        base_key=message.base_key,
        own_identity=parties.own.identity.public,
        peer_identity=message.identity,
        pending=None,
        ratchet=ratchet.start_recipient(secrets, keys.signed),
    )


def _open(session: Session, message: SignalMessage, random: Random) -> tuple[Session, bytes]:
    """Decrypt with one session; what the peer sends in it proves that it has it, so nothing is pending any more."""
    associated = session.peer_identity.serialize() + session.own_identity.serialize()
    state, plaintext = ratchet.decrypt(session.ratchet, message, associated, random)
    return replace(session, pending=None, ratchet=state), plaintext


def _effort(message: SignalMessage) -> int:
    """How many keys one session may have derived to find out that the message is not its own."""
    return min(message.header.counter, JUMP_MAX) + min(decode_spqr(message.spqr_message).index, JUMP_MAX)


def _sessions(record: SessionRecord) -> Iterator[tuple[int, Session]]:
    """The current session as -1, then the archived ones by position, newest first."""
    yield -1, record.current
    for position, data in enumerate(record.archived):
        yield position, deserialize(_KIND_ARCHIVED, data, Session)


def _promote(record: SessionRecord, position: int, session: Session) -> SessionRecord:
    """The record with `session`, which came from `position`, as its current one."""
    if position < 0:
        return replace(record, current=session)
    others = record.archived[:position] + record.archived[position + 1 :]
    return replace(record, current=session, archived=(serialize(_KIND_ARCHIVED, record.current), *others))


def _adopt(record: SessionRecord | None, parties: Parties, session: Session) -> SessionRecord:
    """A record with a new current session; the one before is archived, the oldest over 40 goes."""
    own, peer = parties.own, parties.peer
    archived: tuple[bytes, ...] = ()
    if record is not None:
        archived = (serialize(_KIND_ARCHIVED, record.current), *record.archived)[:ARCHIVED_SESSIONS_MAX]
    return SessionRecord(own.address, own.registration_id, peer.address, session, archived)


def _verdict(refusals: list[E2eeError]) -> E2eeError:
    """A session that knows the message says more than those it was not made for."""
    for kind in (DuplicateMessage, TooFarAhead):
        if any(isinstance(refusal, kind) for refusal in refusals):
            return kind()
    return InvalidMessage()
