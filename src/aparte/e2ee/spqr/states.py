"""The eleven states of the ML-KEM Braid: who has to send what next, and what a received message changes.

In an epoch one party sends a public key (states 1 to 5) and the other a ciphertext for it (6 to 11), each in
chunks, for as long as it takes; then they change places. The names are those of the specification.
"""

from typing import Annotated

import msgspec
from msgspec.structs import replace

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import (
    MLKEM_SEED_BYTES,
    Random,
    constant_time_equal,
    mlkem768_decapsulate,
    mlkem768_public_key,
)
from aparte.e2ee.spqr import mlkem_split
from aparte.e2ee.spqr.authenticator import MAC_BYTES, Authenticator, epoch_secret
from aparte.e2ee.spqr.erasure import Chunk, Decoder, Encoder
from aparte.e2ee.spqr.message import Kind, Message
from aparte.e2ee.spqr.record import Bytes32, Epoch, Record

_HEADER_AND_MAC_BYTES = mlkem_split.HEADER_BYTES + MAC_BYTES
_CT2_AND_MAC_BYTES = mlkem_split.CT2_BYTES + MAC_BYTES
_M_BYTES = 32

_Seed = Annotated[bytes, msgspec.Meta(min_length=MLKEM_SEED_BYTES, max_length=MLKEM_SEED_BYTES)]
_Header = Annotated[bytes, msgspec.Meta(min_length=mlkem_split.HEADER_BYTES, max_length=mlkem_split.HEADER_BYTES)]
_Vector = Annotated[bytes, msgspec.Meta(min_length=mlkem_split.VECTOR_BYTES, max_length=mlkem_split.VECTOR_BYTES)]
_Ct1 = Annotated[bytes, msgspec.Meta(min_length=mlkem_split.CT1_BYTES, max_length=mlkem_split.CT1_BYTES)]


class Sent(Record, frozen=True):
    """What sending yields: the next state, what the message says, and the epoch's secret if this made it."""

    state: "State"
    kind: Kind
    chunk: Chunk | None = None
    secret: bytes | None = None


class Received(Record, frozen=True):
    """What receiving yields: the next state, and the epoch's secret if this completed it."""

    state: "State"
    secret: bytes | None = None


class _InEpoch(Record, frozen=True):
    epoch: Epoch
    authenticator: Authenticator


class KeysUnsampled(_InEpoch, frozen=True, tag=1):
    """About to generate a key pair."""

    def send(self, random: Random) -> Sent:
        """Generate the keys, send the first piece of the header."""
        seed = random(MLKEM_SEED_BYTES)
        header, _ = mlkem_split.split_public_key(mlkem768_public_key(seed))
        encoder = Encoder(header + self.authenticator.header_mac(self.epoch, header))
        return KeysSampled(self.epoch, self.authenticator, seed, encoder).send(random)

    def receive(self, _message: Message) -> Received:
        """The peer knows nothing yet that it could tell."""
        return Received(self)


class KeysSampled(_InEpoch, frozen=True, tag=2):
    """Sending the header, until a piece of ct1 shows that it arrived."""

    seed: _Seed
    header: Encoder

    def send(self, _random: Random) -> Sent:
        """The next piece of the header."""
        header, chunk = self.header.next_chunk()
        return Sent(replace(self, header=header), Kind.HEADER, chunk)

    def receive(self, message: Message) -> Received:
        """The first piece of ct1: now it is the vector's turn."""
        if message.chunk_of(Kind.CT1) is None:
            return Received(self)
        _, vector = mlkem_split.split_public_key(mlkem768_public_key(self.seed))
        ct1 = Decoder(mlkem_split.CT1_BYTES)
        return HeaderSent(self.epoch, self.authenticator, self.seed, Encoder(vector), ct1).receive(message)


class HeaderSent(_InEpoch, frozen=True, tag=3):
    """Sending the vector, gathering ct1."""

    seed: _Seed
    vector: Encoder
    ct1: Decoder

    def send(self, _random: Random) -> Sent:
        """The next piece of the vector."""
        vector, chunk = self.vector.next_chunk()
        return Sent(replace(self, vector=vector), Kind.EK, chunk)

    def receive(self, message: Message) -> Received:
        """One more piece of ct1."""
        chunk = message.chunk_of(Kind.CT1)
        if chunk is None:
            return Received(self)
        ct1 = self.ct1.add(chunk)
        if ct1.complete:
            return Received(Ct1Received(self.epoch, self.authenticator, self.seed, self.vector, ct1.decode()))
        return Received(replace(self, ct1=ct1))


class Ct1Received(_InEpoch, frozen=True, tag=4):
    """Sending the vector and the acknowledgement of ct1, until a piece of ct2 shows that both arrived."""

    seed: _Seed
    vector: Encoder
    ct1: _Ct1

    def send(self, _random: Random) -> Sent:
        """The next piece of the vector, with the acknowledgement."""
        vector, chunk = self.vector.next_chunk()
        return Sent(replace(self, vector=vector), Kind.EK_ACK, chunk)

    def receive(self, message: Message) -> Received:
        """The first piece of ct2."""
        if message.chunk_of(Kind.CT2) is None:
            return Received(self)
        ct2 = Decoder(_CT2_AND_MAC_BYTES)
        state = EkSentCt1Received(self.epoch, self.authenticator, self.seed, self.ct1, ct2)
        return state.receive(message)


class EkSentCt1Received(_InEpoch, frozen=True, tag=5):
    """Gathering ct2."""

    seed: _Seed
    ct1: _Ct1
    ct2: Decoder

    def send(self, _random: Random) -> Sent:
        """The acknowledgement of ct1 alone."""
        return Sent(self, Kind.ACK)

    def receive(self, message: Message) -> Received:
        """One more piece of ct2; the last one yields the epoch's secret, if the MAC of the ciphertext holds."""
        chunk = message.chunk_of(Kind.CT2)
        if chunk is None:
            return Received(self)
        ct2 = self.ct2.add(chunk)
        if ct2.complete:
            return self._decapsulate(ct2.decode())
        return Received(replace(self, ct2=ct2))

    def _decapsulate(self, ct2_and_mac: bytes) -> Received:
        ciphertext = self.ct1 + ct2_and_mac[: mlkem_split.CT2_BYTES]
        secret = epoch_secret(self.epoch, mlkem768_decapsulate(self.seed, ciphertext))
        authenticator = self.authenticator.update(self.epoch, secret)
        expected = authenticator.ciphertext_mac(self.epoch, ciphertext)
        if not constant_time_equal(expected, ct2_and_mac[mlkem_split.CT2_BYTES :]):
            raise InvalidMessage
        return Received(no_header_received(self.epoch + 1, authenticator), secret)


class NoHeaderReceived(_InEpoch, frozen=True, tag=6):
    """Gathering the header of the peer's public key."""

    header: Decoder

    def send(self, _random: Random) -> Sent:
        """There is nothing to say."""
        return Sent(self, Kind.NONE)

    def receive(self, message: Message) -> Received:
        """One more piece of the header; InvalidMessage if the MAC of the whole is wrong."""
        chunk = message.chunk_of(Kind.HEADER)
        if chunk is None:
            return Received(self)
        decoder = self.header.add(chunk)
        if not decoder.complete:
            return Received(replace(self, header=decoder))
        whole = decoder.decode()
        header, mac = whole[: mlkem_split.HEADER_BYTES], whole[mlkem_split.HEADER_BYTES :]
        if not constant_time_equal(self.authenticator.header_mac(self.epoch, header), mac):
            raise InvalidMessage
        return Received(HeaderReceived(self.epoch, self.authenticator, header))


class HeaderReceived(_InEpoch, frozen=True, tag=7):
    """About to encapsulate."""

    header: _Header

    def send(self, random: Random) -> Sent:
        """The first half of the encapsulation, which makes the epoch's secret; send the first piece of ct1."""
        m = random(_M_BYTES)
        ct1, shared_secret = mlkem_split.encapsulate_first(self.header, m)
        secret = epoch_secret(self.epoch, shared_secret)
        vector = Decoder(mlkem_split.VECTOR_BYTES)
        authenticator = self.authenticator.update(self.epoch, secret)
        state = Ct1Sampled(self.epoch, authenticator, self.header, m, Encoder(ct1), vector)
        return replace(state.send(random), secret=secret)

    def receive(self, _message: Message) -> Received:
        """The peer goes on sending its header until it sees an answer."""
        return Received(self)


class _HalfEncapsulated(_InEpoch, frozen=True):
    header: _Header
    m: Bytes32
    ct1: Encoder

    def _encapsulate_rest(self, vector: bytes) -> Received:
        """The second half, once the vector is known to be the announced one and ct1 to have arrived."""
        ct2 = mlkem_split.encapsulate_second(self.header, self.m, vector)
        mac = self.authenticator.ciphertext_mac(self.epoch, self.ct1.data + ct2)
        return Received(Ct2Sampled(self.epoch, self.authenticator, Encoder(ct2 + mac)))

    def _decode(self, vector: Decoder) -> bytes:
        """The whole vector; InvalidMessage if it is not the one that the header announced."""
        whole = vector.decode()
        mlkem_split.check_vector(self.header, whole)
        return whole


class Ct1Sampled(_HalfEncapsulated, frozen=True, tag=8):
    """Sending ct1, gathering the vector."""

    vector: Decoder

    def send(self, _random: Random) -> Sent:
        """The next piece of ct1."""
        ct1, chunk = self.ct1.next_chunk()
        return Sent(replace(self, ct1=ct1), Kind.CT1, chunk)

    def receive(self, message: Message) -> Received:
        """One more piece of the vector, perhaps with the acknowledgement of ct1."""
        chunk = message.chunk_of(Kind.EK, Kind.EK_ACK)
        if chunk is None:
            return Received(self)
        known = (self.epoch, self.authenticator, self.header, self.m, self.ct1)
        if message.kind is Kind.EK_ACK:
            return Ct1Acknowledged(*known, self.vector).receive(message)
        vector = self.vector.add(chunk)
        if vector.complete:
            return Received(EkReceivedCt1Sampled(*known, self._decode(vector)))
        return Received(replace(self, vector=vector))


class EkReceivedCt1Sampled(_HalfEncapsulated, frozen=True, tag=9):
    """Sending ct1 until it is acknowledged; the vector is here."""

    vector: _Vector

    def send(self, _random: Random) -> Sent:
        """The next piece of ct1."""
        ct1, chunk = self.ct1.next_chunk()
        return Sent(replace(self, ct1=ct1), Kind.CT1, chunk)

    def receive(self, message: Message) -> Received:
        """The acknowledgement."""
        if message.kind in {Kind.ACK, Kind.EK_ACK}:
            return self._encapsulate_rest(self.vector)
        return Received(self)


class Ct1Acknowledged(_HalfEncapsulated, frozen=True, tag=10):
    """Gathering the rest of the vector; ct1 has arrived."""

    vector: Decoder

    def send(self, _random: Random) -> Sent:
        """There is nothing to say."""
        return Sent(self, Kind.NONE)

    def receive(self, message: Message) -> Received:
        """One more piece of the vector, be it from before the acknowledgement."""
        chunk = message.chunk_of(Kind.EK, Kind.EK_ACK)
        if chunk is None:
            return Received(self)
        vector = self.vector.add(chunk)
        if vector.complete:
            return self._encapsulate_rest(self._decode(vector))
        return Received(replace(self, vector=vector))


class Ct2Sampled(_InEpoch, frozen=True, tag=11):
    """Sending ct2, until a message of the next epoch shows that it arrived."""

    ct2: Encoder

    def send(self, _random: Random) -> Sent:
        """The next piece of ct2."""
        ct2, chunk = self.ct2.next_chunk()
        return Sent(replace(self, ct2=ct2), Kind.CT2, chunk)

    def receive(self, _message: Message) -> Received:
        """Whatever is still of this epoch tells nothing new."""
        return Received(self)


State = (
    KeysUnsampled
    | KeysSampled
    | HeaderSent
    | Ct1Received
    | EkSentCt1Received
    | NoHeaderReceived
    | HeaderReceived
    | Ct1Sampled
    | EkReceivedCt1Sampled
    | Ct1Acknowledged
    | Ct2Sampled
)


def no_header_received(epoch: int, authenticator: Authenticator) -> NoHeaderReceived:
    """The state in which the party that is to encapsulate begins an epoch."""
    return NoHeaderReceived(epoch, authenticator, Decoder(_HEADER_AND_MAC_BYTES))


def has_secret(state: State) -> bool:
    """Does the party have the secret of the present epoch already?"""
    return isinstance(state, _HalfEncapsulated | Ct2Sampled)


def receive(state: State, message: Message) -> Received:
    """What a message of any epoch changes: nothing if it is old; InvalidMessage if it cannot have been sent yet."""
    if message.epoch == state.epoch:
        return state.receive(message)
    if message.epoch < state.epoch:
        return Received(state)
    if isinstance(state, Ct2Sampled) and message.epoch == state.epoch + 1:
        return Received(KeysUnsampled(message.epoch, state.authenticator))
    raise InvalidMessage
