"""Sender keys: one ciphertext for a whole group, under a chain that the sender gave to every device of it.

A chain does not heal: its owner starts a new one when a member or device has left or an account key changed, and
when it is worn out (7 days or 1,000 messages). A newcomer gets the chain from where it is, never from before.
"""

import uuid
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec.structs import replace

from aparte.e2ee import protobuf, xeddsa
from aparte.e2ee.errors import InvalidMessage, InvalidSignature, NoSenderKey
from aparte.e2ee.kdf_chain import KdfChain, ReceivingChain
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.messages import MESSAGE_BYTES_MAX, read_public_key
from aparte.e2ee.primitives import NO_SALT, Random, aes_cbc_decrypt, aes_cbc_encrypt, hkdf
from aparte.e2ee.state import Milliseconds, State, UInt32, deserialize, serialize

CHAINS_MAX = 5
WORN_OUT_MS = 7 * 86_400_000
WORN_OUT_MESSAGES = 1_000

_VERSION = b"\x33"  # message version 3 << 4 | current version 3
_FIELDS = frozenset(range(1, 6))
_KIND_OWN, _KIND_PEER = 4, 5


class OwnChain(State, frozen=True):
    """The chain this device sends to a group with."""

    distribution_id: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    chain_id: Annotated[int, msgspec.Meta(ge=0, le=0x7FFF_FFFF)]
    chain: KdfChain
    signing: KeyPair
    started_at: Milliseconds

    def serialize(self) -> bytes:
        """The bytes to keep; they hold keys."""
        return serialize(_KIND_OWN, self)

    @classmethod
    def deserialize(cls, data: bytes) -> "OwnChain":
        """Read what `serialize` wrote; InvalidState if it is anything else."""
        return deserialize(_KIND_OWN, data, cls)

    def is_worn_out(self, now: int) -> bool:
        """Whether the next message deserves a new chain; `now` in milliseconds."""
        return now - self.started_at >= WORN_OUT_MS or self.chain.index >= WORN_OUT_MESSAGES


class PeerChain(State, frozen=True):
    """A chain that another device sends with, and the key its messages are signed with."""

    chain_id: UInt32
    chain: ReceivingChain
    signing: PublicKey


class SenderKeyRecord(State, frozen=True):
    """The newest chains of one device under one distribution id, newest first, 5 at most."""

    distribution_id: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    chains: tuple[PeerChain, ...]

    def serialize(self) -> bytes:
        """The bytes to keep; they hold keys."""
        return serialize(_KIND_PEER, self)

    @classmethod
    def deserialize(cls, data: bytes) -> "SenderKeyRecord":
        """Read what `serialize` wrote; InvalidState if it is anything else."""
        return deserialize(_KIND_PEER, data, cls)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A SenderKeyDistributionMessage: a chain as its owner gives it away, inside a pairwise session."""

    distribution_id: bytes
    chain_id: int
    iteration: int
    key: bytes = field(repr=False)
    signing: PublicKey

    @classmethod
    def deserialize(cls, data: bytes) -> "Distribution":
        """Read 33 || protobuf; InvalidMessage on anything malformed."""
        if len(data) > MESSAGE_BYTES_MAX or data[:1] != _VERSION:
            raise InvalidMessage
        fields = protobuf.decode(data[1:], _FIELDS)
        key, distribution_id = fields.blob(4), fields.blob(1)
        if len(key) != 32 or len(distribution_id) != 16:
            raise InvalidMessage
        signing = read_public_key(fields.blob(5))
        return cls(distribution_id, fields.uint32(2), fields.uint32(3), key, signing)

    def serialize(self) -> bytes:
        """33 || protobuf."""
        return _VERSION + protobuf.encode(
            (1, self.distribution_id),
            (2, self.chain_id),
            (3, self.iteration),
            (4, self.key),
            (5, self.signing.serialize()),
        )


@dataclass(frozen=True, slots=True)
class SenderKeyMessage:
    """A received group message, its signature not yet checked; `signed` is all before the signature."""

    distribution_id: bytes
    chain_id: int
    iteration: int
    ciphertext: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def deserialize(cls, data: bytes) -> "SenderKeyMessage":
        """Read 33 || protobuf || signature; InvalidMessage on anything malformed."""
        signed, signature = data[: -xeddsa.SIGNATURE_BYTES], data[-xeddsa.SIGNATURE_BYTES :]
        if len(data) > MESSAGE_BYTES_MAX or signed[:1] != _VERSION:
            raise InvalidMessage
        fields = protobuf.decode(signed[1:], _FIELDS)
        distribution_id = fields.blob(1)
        if len(distribution_id) != 16:
            raise InvalidMessage
        return cls(distribution_id, fields.uint32(2), fields.uint32(3), fields.blob(4), signed, signature)


def start(distribution_id: uuid.UUID, now: int, random: Random) -> OwnChain:
    """A new chain to send with; `now` in milliseconds."""
    chain_id = int.from_bytes(random(4), "big") >> 1
    return OwnChain(distribution_id.bytes, chain_id, KdfChain(random(32), 0), KeyPair.generate(random), now)


def distribute(chain: OwnChain) -> bytes:
    """The chain from its next message on, for a device that shall read them: send it in a pairwise session."""
    position = chain.chain
    return Distribution(
        chain.distribution_id, chain.chain_id, position.index, position.key, chain.signing.public
    ).serialize()


def encrypt(chain: OwnChain, plaintext: bytes, random: Random) -> tuple[OwnChain, bytes]:
    """The next message of the chain. Save the new state before the message leaves the device."""
    iv, key = _message_keys(chain.chain.seed)
    signed = _VERSION + protobuf.encode(
        (1, chain.distribution_id),
        (2, chain.chain_id),
        (3, chain.chain.index),
        (4, aes_cbc_encrypt(key, iv, plaintext)),
    )
    advanced = replace(chain, chain=chain.chain.advance())
    return advanced, signed + chain.signing.sign(signed, random)


def process(record: SenderKeyRecord | None, distribution: Distribution) -> SenderKeyRecord:
    """Keep a chain that its owner gave us; one that is known already goes on from where it is."""
    if record is None:
        record = SenderKeyRecord(distribution.distribution_id, ())
    if record.distribution_id != distribution.distribution_id:
        raise InvalidMessage
    chain = ReceivingChain(distribution.key, distribution.iteration, {})
    new = PeerChain(distribution.chain_id, chain, distribution.signing)
    others = []
    for known in record.chains:
        if known.chain_id != new.chain_id:
            others.append(known)
        elif known.signing == new.signing:
            new = known
    return replace(record, chains=(new, *others)[:CHAINS_MAX])


def decrypt(record: SenderKeyRecord | None, message: SenderKeyMessage) -> tuple[SenderKeyRecord, bytes]:
    """The new record and the plaintext.

    NoSenderKey, InvalidMessage, DuplicateMessage or TooFarAhead; the record that was given still stands then.
    """
    if record is None or record.distribution_id != message.distribution_id:
        raise NoSenderKey
    position = next((i for i, chain in enumerate(record.chains) if chain.chain_id == message.chain_id), None)
    if position is None:
        raise NoSenderKey
    sender = record.chains[position]
    try:
        sender.signing.verify(message.signed, message.signature)
    except InvalidSignature as error:
        raise InvalidMessage from error
    chain, seed = sender.chain.take(message.iteration)
    iv, key = _message_keys(seed)
    plaintext = aes_cbc_decrypt(key, iv, message.ciphertext)
    chains = list(record.chains)
    chains[position] = replace(sender, chain=chain)
    return replace(record, chains=tuple(chains)), plaintext


def _message_keys(seed: bytes) -> tuple[bytes, bytes]:
    """The IV, 16 bytes, and the AES key, 32 bytes: in this order, unlike in the ratchet."""
    derived = hkdf(NO_SALT, seed, b"WhisperGroup", 48)
    return derived[:16], derived[16:]
