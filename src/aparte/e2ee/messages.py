"""The two pairwise messages on the wire: SignalMessage (type 2) and PreKeySignalMessage (type 3).

Each begins with the version byte 44 and is then Protocol Buffers; a SignalMessage ends with 8 bytes of MAC.
Versions before 4, and messages without their SPQR part, are refused: there is no way down.
"""

from dataclasses import dataclass, field

from aparte.e2ee import protobuf
from aparte.e2ee.errors import InvalidKey, InvalidMessage
from aparte.e2ee.keys import KEM_CIPHERTEXT_BYTES, PublicKey
from aparte.e2ee.primitives import constant_time_equal, hmac_sha256

MESSAGE_TYPE = 2
FIRST_MESSAGE_TYPE = 3
MESSAGE_BYTES_MAX = 1 << 20
MAC_BYTES = 8

_VERSION = b"\x44"  # message version 4 << 4 | current version 4
_MESSAGE_FIELDS = frozenset(range(1, 7))
_FIRST_MESSAGE_FIELDS = frozenset(range(1, 9))


@dataclass(frozen=True, slots=True)
class Header:
    """What a SignalMessage says in clear about the key it was made with."""

    ratchet_key: PublicKey
    counter: int
    previous_counter: int


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """A received message, not yet authenticated; `authenticated` is all that the MAC covers of it."""

    header: Header
    ciphertext: bytes = field(repr=False)
    spqr_message: bytes = field(repr=False)
    addresses: bytes | None = field(repr=False)
    authenticated: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    @classmethod
    def deserialize(cls, data: bytes) -> "SignalMessage":
        """Read a message; InvalidMessage on anything malformed, of another version, or without SPQR."""
        if len(data) > MESSAGE_BYTES_MAX or data[:1] != _VERSION:
            raise InvalidMessage
        fields = protobuf.decode(data[1:-MAC_BYTES], _MESSAGE_FIELDS)
        spqr_message = fields.blob(5)
        if not spqr_message:
            raise InvalidMessage
        return cls(
            header=Header(read_public_key(fields.blob(1)), fields.uint32(2), fields.optional_uint32(3) or 0),
            ciphertext=fields.blob(4),
            spqr_message=spqr_message,
            addresses=fields.optional_blob(6),
            authenticated=data[:-MAC_BYTES],
            mac=data[-MAC_BYTES:],
        )

    def check_mac(self, mac_key: bytes, associated: bytes) -> None:
        """InvalidMessage unless the message was made with this key; `associated` is sender IK || receiver IK."""
        if not constant_time_equal(self.mac, _mac(mac_key, associated, self.authenticated)):
            raise InvalidMessage


@dataclass(frozen=True, slots=True)
class Sealed:
    """The parts of a message to be sent, encrypted and ready for its MAC."""

    header: Header
    ciphertext: bytes = field(repr=False)
    spqr_message: bytes = field(repr=False)
    addresses: bytes | None = field(repr=False)

    def serialize(self, mac_key: bytes, associated: bytes) -> bytes:
        """The bytes of a SignalMessage; `associated` is sender IK || receiver IK, 66 bytes."""
        body = _VERSION + protobuf.encode(
            (1, self.header.ratchet_key.serialize()),
            (2, self.header.counter),
            (3, self.header.previous_counter),
            (4, self.ciphertext),
            (5, self.spqr_message),
            (6, self.addresses),
        )
        return body + _mac(mac_key, associated, body)


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """A PreKeySignalMessage: what the recipient needs to set up the session, around a SignalMessage.

    Nothing but the inner message is under a MAC; a changed header leads to other keys, and so to InvalidMessage.
    """

    registration_id: int
    one_time_id: int | None
    signed_id: int
    kem_id: int
    kem_ciphertext: bytes = field(repr=False)
    base_key: PublicKey
    identity: PublicKey
    message: bytes = field(repr=False)

    @classmethod
    def deserialize(cls, data: bytes) -> "FirstMessage":
        """Read a first message; InvalidMessage on anything malformed or of another version."""
        if len(data) > MESSAGE_BYTES_MAX or data[:1] != _VERSION:
            raise InvalidMessage
        fields = protobuf.decode(data[1:], _FIRST_MESSAGE_FIELDS)
        kem_ciphertext = fields.blob(8)
        if len(kem_ciphertext) != KEM_CIPHERTEXT_BYTES:
            raise InvalidMessage
        return cls(
            registration_id=fields.optional_uint32(5) or 0,
            one_time_id=fields.optional_uint32(1),
            signed_id=fields.uint32(6),
            kem_id=fields.uint32(7),
            kem_ciphertext=kem_ciphertext,
            base_key=read_public_key(fields.blob(2)),
            identity=read_public_key(fields.blob(3)),
            message=fields.blob(4),
        )

    def serialize(self) -> bytes:
        """The bytes of a PreKeySignalMessage."""
        return _VERSION + protobuf.encode(
            (1, self.one_time_id),
            (2, self.base_key.serialize()),
            (3, self.identity.serialize()),
            (4, self.message),
            (5, self.registration_id),
            (6, self.signed_id),
            (7, self.kem_id),
            (8, self.kem_ciphertext),
        )


def read_public_key(data: bytes) -> PublicKey:
    """A public key inside a message: whatever is wrong with it, the message is invalid."""
    try:
        return PublicKey.deserialize(data)
    except InvalidKey as error:
        raise InvalidMessage from error


def _mac(mac_key: bytes, associated: bytes, body: bytes) -> bytes:
    return hmac_sha256(mac_key, associated + body)[:MAC_BYTES]
