"""Prebuilt frames, and what is read of frames that come in.

A send frame differs from the one before in two places of fixed width, its `ref` and its client message id; the id says
who sent it and when, so that whoever receives the message knows how long it took without remembering anything.
"""

import time
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from aparte.bench.websocket import masked
from aparte.wire import frames
from aparte.wire.codec import ENCODERS, Encoding
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId, ConversationId, Position
from aparte.wire.messages import SendMessage

BODY_BYTES = 400
FIRST_REF = 1_000_000_000
"""Refs begin here: ten digits of JSON, four bytes of MessagePack, whichever follow."""
SENDERS = 4096
"""Senders are told apart by 12 bits of the id."""

_KEYS: dict[Encoding, bytes] = {"json": b'"client_message_id":"', "msgpack": b"\xb1client_message_id\xc4\x10"}
_SAMPLE = UUID("01234567-89ab-4cde-8f01-23456789abcd")
_CLOCK_MASK = 2**48 - 1


def clock() -> int:
    """Microseconds of the machine's monotonic clock, the same in every process."""
    return time.monotonic_ns() // 1000


def text(size: int = BODY_BYTES) -> str:
    """Words of the wanted size, in ASCII."""
    words = "le théâtre est un aparté que tout le monde entend ".replace("é", "e").replace("â", "a")
    return (words * (size // len(words) + 1))[:size]


class Stamp(NamedTuple):
    """What a client message id says: when it was due (48 bits of `clock`), and which sender's it is."""

    at: int
    sender: int


def stamped_id(at: int, sender: int, count: int) -> bytes:
    """A client message id that holds a stamp, as 16 bytes; with another count it is another id."""
    tail = (0x8000 << 48 | count).to_bytes(8, "big")
    return (at & _CLOCK_MASK).to_bytes(6, "big") + (0x4000 | sender).to_bytes(2, "big") + tail


class Template(Protocol):
    """Frames that one device sends, one after the other."""

    def frame(self, at: int) -> bytes:
        """The next frame, of a message that is due at this moment."""


class SendTemplate:
    """Send frames of one device to one conversation."""

    def __init__(self, encoding: Encoding, conversation: ConversationId, sender: int) -> None:
        """Build the frame once."""
        message = SendMessage(ClientMessageId(_SAMPLE), MessageContent(text()))
        frame = masked(ENCODERS[encoding](frames.Send(FIRST_REF, conversation, message)), encoding)
        ref = str(FIRST_REF).encode() if encoding == "json" else FIRST_REF.to_bytes(4, "big")
        sample = str(_SAMPLE).encode() if encoding == "json" else _SAMPLE.bytes
        before_ref, _, after_ref = frame.partition(ref)
        between, _, end = after_ref.partition(sample)
        if not between or not end:
            raise ValueError("the frame does not hold its ref and its id where they are looked for")
        self._parts = (before_ref, between, end)
        self._is_json = encoding == "json"
        self._sender = sender
        self._count = 0

    def frame(self, at: int) -> bytes:
        """The next frame, of a message that is due at this moment."""
        count = self._count
        self._count += 1
        start, between, end = self._parts
        ref = FIRST_REF + count
        if self._is_json:
            when = at & _CLOCK_MASK
            name = b"%08x-%04x-4%03x-8000-%012x" % (when >> 16, when & 0xFFFF, self._sender, count)
            return b"%b%d%b%b%b" % (start, ref, between, name, end)
        return start + ref.to_bytes(4, "big") + between + stamped_id(at, self._sender, count) + end


class Scanner:
    """Reads the little that is needed of a frame from the server, by position."""

    def __init__(self, encoding: Encoding) -> None:
        """Prepare for an encoding."""
        self._key = _KEYS[encoding]
        self._is_json = encoding == "json"
        # {"type":"entry" in JSON, 82 a4 "type" a5 "entry" in MessagePack: where the name of the type begins
        self._type_at = 9 if self._is_json else 7
        self._position = msgspec.json.Decoder(_LiveHead) if self._is_json else msgspec.msgpack.Decoder(_LiveHead)

    def kind(self, data: bytes, start: int) -> bytes:
        """The first four letters of the frame's type: `entr`, `sent`, `rece`, `erro` …"""
        at = start + self._type_at
        return data[at : at + 4]

    def stamp(self, data: bytes, start: int, end: int) -> Stamp | None:
        """Who sent the message in an entry, and when; None for an entry without a client message id."""
        at = data.find(self._key, start, end)
        if at < 0:
            return None
        at += len(self._key)
        if self._is_json:
            when = int(data[at : at + 8], 16) << 16 | int(data[at + 9 : at + 13], 16)
            return Stamp(when, int(data[at + 15 : at + 18], 16))
        return Stamp(
            int.from_bytes(data[at : at + 6], "big"), int.from_bytes(data[at + 6 : at + 8], "big") & (SENDERS - 1)
        )

    def position(self, frame: bytes) -> tuple[ConversationId, Position]:
        """Which conversation an entry is of, and where in it."""
        head = self._position.decode(frame)
        return ConversationId(head.conversation), head.entry


def elapsed(stamp: Stamp, now: int) -> int:
    """Microseconds from a stamp until now."""
    return ((now & _CLOCK_MASK) - stamp.at) & _CLOCK_MASK


class _LiveHead(msgspec.Struct, frozen=True):
    conversation: UUID
    entry: Position


def framed(frame: frames.FromClient, encoding: Encoding) -> bytes:
    """Encode a frame that is no message."""
    return masked(ENCODERS[encoding](frame), encoding)
