"""Saved state: frozen records that never print what they hold, and their versioned bytes.

Layout: version byte || kind byte || MessagePack arrays. A later version reads every earlier one: it adds its own
decoder under the next number and turns old records into new ones here, once, before anything else sees them.
"""

from functools import cache
from typing import Annotated, Any, Protocol, Self, TypeVar

import msgspec

from aparte.e2ee.errors import InvalidState

VERSION = 1

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class State(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A record of the protocol's state. It may hold secrets, so its representation is its name alone."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Serializable(Protocol):
    """A part of a state that has bytes of its own, with its own version."""

    def serialize(self) -> bytes:
        """The bytes of this part."""

    @classmethod
    def deserialize(cls, data: bytes) -> Self:
        """Read what `serialize` wrote; InvalidState if it is anything else."""


S = TypeVar("S", bound=State)


def serialize(kind: int, state: State) -> bytes:
    """The bytes to keep, and only in a place where secrets may be."""
    return bytes([VERSION, kind]) + _encoder.encode(state)


def deserialize(kind: int, data: bytes, record: type[S]) -> S:
    """Read what `serialize` wrote; InvalidState if it is anything else."""
    if data[:2] != bytes([VERSION, kind]):
        raise InvalidState
    try:
        state: S = _decoder(record).decode(memoryview(data)[2:])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidState from error
    return state


def _enc_hook(part: Serializable) -> bytes:
    return part.serialize()


def _dec_hook(kind: type[Serializable], data: object) -> Serializable:
    if not isinstance(data, bytes):
        raise InvalidState
    return kind.deserialize(data)


@cache
def _decoder(record: type[S]) -> msgspec.msgpack.Decoder[S]:
    return msgspec.msgpack.Decoder(record, dec_hook=_dec_hook)


_encoder = msgspec.msgpack.Encoder(enc_hook=_enc_hook)
