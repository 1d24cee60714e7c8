"""SPQR messages on the wire: 01 || epoch || index || kind || [chunk number || 32 bytes], numbers as varints.

There is one way to write a message: varints are minimal, and nothing follows. An index of zero, by which old
releases said that a message has no key, is refused with everything else that is malformed.
"""

from enum import IntEnum
from typing import Final

import msgspec

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.spqr.erasure import CHUNK_BYTES, CHUNK_NUMBERS, Chunk

VERSION: Final = 1
EPOCH_MAX: Final = 2**63 - 1
INDEX_MAX: Final = 2**32 - 1
MESSAGE_BYTES_MAX: Final = 1 + 9 + 5 + 1 + 3 + CHUNK_BYTES


class Kind(IntEnum):
    """What the chunk is a part of, and what else the message says."""

    NONE = 0
    HEADER = 1
    EK = 2
    EK_ACK = 3
    ACK = 4
    CT1 = 5
    CT2 = 6


_WITHOUT_CHUNK: Final = frozenset({Kind.NONE, Kind.ACK})


class Message(msgspec.Struct, frozen=True):
    """One message; `chunk` is there exactly if its kind has one."""

    epoch: int
    index: int
    kind: Kind
    chunk: Chunk | None = None

    def chunk_of(self, *kinds: Kind) -> Chunk | None:
        """The chunk, if the message is of one of these kinds."""
        return self.chunk if self.kind in kinds else None


def encode(message: Message) -> bytes:
    """Write a message."""
    output = bytearray([VERSION])
    _write_varint(output, message.epoch)
    _write_varint(output, message.index)
    output.append(message.kind)
    if message.chunk is not None:
        _write_varint(output, message.chunk.number)
        output += message.chunk.data
    return bytes(output)


def decode(data: bytes) -> Message:
    """Read a message; InvalidMessage if it is anything but what `encode` writes."""
    if len(data) > MESSAGE_BYTES_MAX or data[:1] != bytes([VERSION]):
        raise InvalidMessage
    epoch, position = _read_varint(data, 1, EPOCH_MAX)
    index, position = _read_varint(data, position, INDEX_MAX)
    if epoch == 0 or index == 0 or position >= len(data) or data[position] > Kind.CT2:
        raise InvalidMessage
    kind = Kind(data[position])
    return Message(epoch, index, kind, _read_chunk(data, position + 1, kind))


def _read_chunk(data: bytes, position: int, kind: Kind) -> Chunk | None:
    if kind in _WITHOUT_CHUNK:
        if position != len(data):
            raise InvalidMessage
        return None
    number, position = _read_varint(data, position, CHUNK_NUMBERS - 1)
    if len(data) - position != CHUNK_BYTES:
        raise InvalidMessage
    return Chunk(number, data[position:])


def _read_varint(data: bytes, position: int, maximum: int) -> tuple[int, int]:
    """A number in its shortest form, and the position after it."""
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if value > maximum or (byte == 0 and shift):
            raise InvalidMessage
        if byte < 0x80:
            return value, position
        shift += 7
    raise InvalidMessage


def _write_varint(output: bytearray, value: int) -> None:
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)
