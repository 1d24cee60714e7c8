"""The load generator's WebSocket: the least that RFC 6455 asks of a client, so that the server is what is measured.

A client library spends more time on a frame than the server does and would be the limit on a machine that both share.
Frames go out with the masking key zero, which leaves a payload as it is (the server unmasks it all the same), and
come in as a place in the received bytes: nothing is copied or decoded here.
"""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from aparte.wire.codec import Encoding
from aparte.wire.frames import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK

OPEN_SECONDS = 30.0
ANSWER_BYTES = 16_384
"""Longest answer to the upgrade that is read."""

SUBPROTOCOLS: dict[Encoding, str] = {"json": SUBPROTOCOL_JSON, "msgpack": SUBPROTOCOL_MSGPACK}
OnFrame = Callable[[bytes, int, int], None]
"""Gets received bytes, and where the payload of one frame begins and ends in them."""

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


class UnexpectedAnswer(Exception):
    """The server said something that a measurement cannot go on from."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway is. `local` is the address to come from, when one has no more ports to give."""

    host: str
    port: int
    path: str = "/api/v1/gateway"
    local: str | None = None

    @classmethod
    def of(cls, url: str, path: str = "/api/v1/gateway", local: str | None = None) -> "Place":
        """Read off an http:// address."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, path, local)


def masked(payload: bytes, encoding: Encoding) -> bytes:
    """Wrap a payload as one final frame with the masking key zero."""
    first = _TEXT if encoding == "json" else _BINARY
    return _header(first, len(payload)) + payload


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, 0x80 | size, 0, 0, 0, 0))
    if size < 65_536:
        return bytes((first, 0x80 | 126)) + size.to_bytes(2, "big") + bytes(4)
    return bytes((first, 0x80 | 127)) + size.to_bytes(8, "big") + bytes(4)


async def connect(place: Place, encoding: Encoding, on_frame: OnFrame) -> "WebSocket":
    """Open a WebSocket. Raises OSError, TimeoutError, UnexpectedAnswer."""
    loop = asyncio.get_running_loop()
    local = (place.local, 0) if place.local else None
    async with asyncio.timeout(OPEN_SECONDS):
        _, ws = await loop.create_connection(
            lambda: WebSocket(place, encoding, on_frame), place.host, place.port, local_addr=local
        )
        await ws.opened
    return ws


class WebSocket(asyncio.Protocol):
    """One connection. `write` takes whole frames; inside `on_frame`, `reply` does, and they leave together."""

    def __init__(self, place: Place, encoding: Encoding, on_frame: OnFrame) -> None:
        """Prepare; `connect` opens."""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: int | None = None
        """The close code once it is over; 1006 without one."""
        self.on_frame = on_frame
        self._place = place
        self._encoding = encoding
        self._key = base64.b64encode(os.urandom(16))
        self._rest = bytearray()
        self._replies: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base class
        self._transport.write(
            f"GET {self._place.path} HTTP/1.1\r\nHost: {self._place.host}:{self._place.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {self._key.decode()}\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOLS[self._encoding]}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that it is over."""
        self.closed = self.closed or 1006
        if not self.opened.done():
            self.opened.set_exception(exc or UnexpectedAnswer("the connection ended before the upgrade"))

    def data_received(self, data: bytes) -> None:
        """Cut what has come into frames; an incomplete one waits for the rest."""
        if self._rest or not self._is_open:
            self._rest += data
            if not self._is_open and not self._upgrade():
                return
            data = bytes(self._rest)
            self._rest.clear()
        used = self._frames(data)
        if used < len(data):
            self._rest += data[used:]
        if self._replies:
            self.write(b"".join(self._replies))
            self._replies.clear()

    def reply(self, frame: bytes) -> None:
        """Send a frame when everything that has come is read."""
        self._replies.append(frame)

    def write(self, frames: bytes) -> None:
        """Send frames now; once the connection is over they go nowhere."""
        if self._transport is not None and self.closed is None:
            self._transport.write(frames)

    def close(self) -> None:
        """Hang up without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _frames(self, data: bytes) -> int:
        """Hand over every complete frame; tells how many bytes they took."""
        at, size = 0, len(data)
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length == 126:
                start += 2
                length = int.from_bytes(data[at + 2 : start], "big") if size >= start else size
            elif length == 127:
                start += 8
                length = int.from_bytes(data[at + 2 : start], "big") if size >= start else size
            end = start + length
            if end > size:
                break
            if first in (_TEXT, _BINARY):
                self.on_frame(data, start, end)
            else:
                self._control(first, data[start:end])
            at = end
        return at

    def _control(self, first: int, payload: bytes) -> None:
        if first == _PING:
            self.reply(_header(_PONG, len(payload)) + payload)
        elif first == _CLOSE:
            self.closed = int.from_bytes(payload[:2], "big") if payload else 1005
            self.close()
        elif first != _PONG:
            raise UnexpectedAnswer(f"a frame begins with {first:#04x}: fragmented, compressed or not known")

    def _upgrade(self) -> bool:
        """Check the answer to the upgrade once it is complete, and leave what follows it."""
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > ANSWER_BYTES:
                self._refuse("an endless answer to the upgrade")
            return False
        answer = bytes(self._rest[:end])
        del self._rest[: end + 4]
        accept = base64.b64encode(hashlib.sha1(self._key + _ACCEPT_GUID).digest())  # noqa: S324 - RFC 6455 wants it
        lines = answer.split(b"\r\n")
        if lines[0].split(b" ")[1:2] != [b"101"]:
            self._refuse(f"the upgrade was answered with {lines[0].decode(errors='replace')}")
            return False
        if not any(
            line.lower().startswith(b"sec-websocket-accept:") and line.split(b":")[1].strip() == accept
            for line in lines
        ):
            self._refuse("the upgrade was answered with a wrong key")
            return False
        self._is_open = True
        self.opened.set_result(None)
        return True

    def _refuse(self, why: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(UnexpectedAnswer(why))
        self.close()
