"""One device's socket: frames out, fast and bounded.

Frames are encoded once for all sockets of an encoding and written straight to the transport: a WebSocket frame from
the server is a short header and the payload (RFC 6455, 5.2), and aiohttp's own writer costs more than all the rest of
a delivery. Its flow control is passed by, so the buffer is checked here: a reader that has stopped reading is closed.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from aparte.server.kit.caller import Caller
from aparte.wire.codec import ENCODERS, Encoding
from aparte.wire.frames import FromServer
from aparte.wire.ids import ConversationId

BUFFER_BYTES = 1_048_576
"""What may wait for a slow reader; with more waiting at the next frame it is closed, and catches up later (R11)."""
TEXT, BINARY = 0x81, 0x82


class Transport(Protocol):
    """What a socket needs of asyncio's transport."""

    def write(self, data: bytes) -> None:
        """Send."""

    def get_write_buffer_size(self) -> int:
        """Bytes that wait."""

    def is_closing(self) -> bool:
        """No more writing."""

    def abort(self) -> None:
        """Close without waiting."""


def framed(payload: bytes, encoding: Encoding) -> bytes:
    """Wrap a payload as one final, unmasked WebSocket frame: text for JSON, binary for MessagePack."""
    size = len(payload)
    first = TEXT if encoding == "json" else BINARY
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


class Packet:
    """A frame for many sockets, encoded at most once in each encoding."""

    __slots__ = ("_framed", "frame")

    def __init__(self, frame: FromServer | None, encoded: dict[Encoding, bytes] | None = None) -> None:
        """Hold a frame, or one that another process has encoded."""
        self.frame = frame
        self._framed: dict[Encoding, bytes] = {e: framed(p, e) for e, p in (encoded or {}).items()}

    def payload(self, encoding: Encoding) -> bytes:
        """The frame without its WebSocket header."""
        return ENCODERS[encoding](self.frame)

    def bytes(self, encoding: Encoding) -> bytes:
        """The frame as it goes over the wire."""
        data = self._framed.get(encoding)
        if data is None:
            data = self._framed[encoding] = framed(ENCODERS[encoding](self.frame), encoding)
        return data


class Turn:
    """Gathers the frames of one turn of the event loop, so that each socket is written to once (a write is a system
    call, and several frames for one reader in one turn are the rule, not the exception)."""

    def __init__(self) -> None:
        """Start with nothing to write."""
        self._sockets: list[Socket] = []

    def add(self, socket: "Socket") -> None:
        """Write this socket's frames at the end of the turn."""
        if not self._sockets:
            asyncio.get_running_loop().call_soon(self.flush)
        self._sockets.append(socket)

    def flush(self) -> None:
        """Write what was gathered."""
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.flush()


_turn = Turn()


@dataclass(eq=False, slots=True)
class Socket:
    """A device that is here."""

    caller: Caller
    encoding: Encoding
    transport: Transport
    closed: "asyncio.Future[tuple[int, str]]"
    """Why the server wants it closed: code and reason."""
    conversations: set[ConversationId] = field(default_factory=set)
    left: set[ConversationId] = field(default_factory=set)
    """What it left while its conversations were being loaded."""
    is_open: bool = False
    """Welcomed: pushed frames before that are not needed, `changes` will tell."""
    _frames: list[bytes] = field(default_factory=list)

    def push(self, packet: Packet) -> bool:
        """Send a frame in this turn; False if the reader has been too slow for too long and is put out."""
        if not self.is_open or self.transport.is_closing():
            return True
        if self.transport.get_write_buffer_size() > BUFFER_BYTES:
            self.end(1013, "too slow")
            self.transport.abort()
            return False
        if not self._frames:
            _turn.add(self)
        self._frames.append(packet.bytes(self.encoding))
        return True

    def flush(self) -> None:
        """Write the frames of this turn."""
        frames, self._frames = self._frames, []
        if frames and not self.transport.is_closing():
            self.transport.write(b"".join(frames) if len(frames) > 1 else frames[0])

    def end(self, code: int, reason: str) -> None:
        """Ask the reading side to close; what was pushed before goes out first."""
        self.flush()
        if not self.closed.done():
            self.closed.set_result((code, reason))
