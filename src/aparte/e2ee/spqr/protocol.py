"""The sparse post-quantum ratchet as pure steps: the braid makes epoch secrets, the key chain makes message keys.

A step takes a state and gives a new one; the given state is never changed, so whoever calls decides what lasts.
"""

from typing import Final

import msgspec

from aparte.e2ee.errors import InvalidState
from aparte.e2ee.primitives import Random
from aparte.e2ee.spqr import chain as chains
from aparte.e2ee.spqr import message as wire
from aparte.e2ee.spqr import states
from aparte.e2ee.spqr.authenticator import first_authenticator
from aparte.e2ee.spqr.chain import KeyChain
from aparte.e2ee.spqr.record import Record

STATE_VERSION: Final = 1
AUTH_KEY_BYTES: Final = 32


class _Saved(Record, frozen=True):
    chain: KeyChain
    braid: states.State


class SpqrState:
    """One party's side of the ratchet, immutable. `serialize` gives secrets, `repr` and `str` give none."""

    __slots__ = ("_saved",)

    def __init__(self, saved: _Saved) -> None:
        self._saved: Final = saved

    @property
    def epoch(self) -> int:
        """The epoch that the two parties are agreeing on, from 1."""
        return self._saved.braid.epoch

    def serialize(self) -> bytes:
        """Version byte || MessagePack; to be kept where secrets may be."""
        return bytes([STATE_VERSION]) + _encoder.encode(self._saved)

    @classmethod
    def deserialize(cls, data: bytes) -> "SpqrState":
        """Read what `serialize` wrote; InvalidState if it is anything else."""
        if data[:1] != bytes([STATE_VERSION]):
            raise InvalidState
        try:
            saved = _decoder.decode(memoryview(data)[1:])
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise InvalidState from error
        newest = saved.braid.epoch - (0 if states.has_secret(saved.braid) else 1)
        if saved.chain.epoch != newest or saved.chain.oldest >= saved.braid.epoch:
            raise InvalidState
        return cls(saved)

    def __repr__(self) -> str:
        return f"<SpqrState epoch={self.epoch}>"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Saved)


def start(auth_key: bytes, *, initiator: bool) -> SpqrState:
    """The state after the handshake, which agreed on `auth_key`, 32 bytes; the initiator makes the first keys."""
    if len(auth_key) != AUTH_KEY_BYTES:
        raise ValueError("the authentication key has 32 bytes")
    authenticator = first_authenticator(auth_key)
    braid = states.KeysUnsampled(1, authenticator) if initiator else states.no_header_received(1, authenticator)
    return SpqrState(_Saved(chains.first_chain(auth_key, initiator=initiator), braid))


def send(state: SpqrState, random: Random) -> tuple[SpqrState, bytes, bytes]:
    """The state after it, the next message to the peer, and its key, 32 bytes."""
    saved = state._saved  # noqa: SLF001 - a step of the same module
    sent = saved.braid.send(random)
    chain = saved.chain if sent.secret is None else saved.chain.add_epoch(sent.secret)
    epoch = saved.braid.epoch
    chain, index, key = chain.send(epoch - 1)
    message = wire.encode(wire.Message(epoch, index, sent.kind, sent.chunk))
    return SpqrState(_Saved(chain, sent.state)), message, key


def receive(state: SpqrState, message: bytes) -> tuple[SpqrState, bytes]:
    """The state after a message of the peer, and the message's key, 32 bytes.

    Nothing proves yet that the peer sent it: keep the new state only once the key has authenticated the rest.
    Raises InvalidMessage, DuplicateMessage (received before, or too old) or TooFarAhead.
    """
    saved = state._saved  # noqa: SLF001 - a step of the same module
    decoded = wire.decode(message)
    received = states.receive(saved.braid, decoded)
    chain = saved.chain if received.secret is None else saved.chain.add_epoch(received.secret)
    chain, key = chain.receive(decoded.epoch - 1, decoded.index)
    return SpqrState(_Saved(chain, received.state)), key
