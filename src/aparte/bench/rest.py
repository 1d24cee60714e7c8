"""The load generator's HTTP: keep-alive connections, one question after the other, answers of a stated length."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from aparte.bench.websocket import UnexpectedAnswer
from aparte.wire.codec import to_json

T = TypeVar("T")
ASK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    body: bytes

    def read(self, wanted: type[T]) -> T:
        """Decode a good answer. Raises UnexpectedAnswer with the problem's code otherwise."""
        if self.status >= 300:
            raise UnexpectedAnswer(f"the server answered {self.status}: {self.body[:300].decode(errors='replace')}")
        return msgspec.json.decode(self.body, type=wanted)


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        """Prepare; `connections` opens."""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._needed = 0
        """Bytes of the answer under way, once its head is read."""
        self._body_at = 0
        self._status = 0
        self._waiting: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for its answer."""
        if self._transport is None or self._transport.is_closing():
            raise UnexpectedAnswer("the server has closed the connection")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ASK_SECONDS):
            return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base class

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or UnexpectedAnswer("the connection ended before the answer"))

    def data_received(self, data: bytes) -> None:
        """Gather one answer."""
        self._buffer += data
        if not self._needed and not self._head():
            return
        if len(self._buffer) < self._needed:
            return
        answer = Answer(self._status, bytes(self._buffer[self._body_at : self._needed]))
        self._buffer.clear()
        self._needed = 0
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        self._status = int(head[9:12])
        self._body_at = end + 4
        length = head.find(b"\r\ncontent-length:")
        if length < 0 and self._status != 204:
            raise UnexpectedAnswer("an answer without its length")
        size = int(head[length + 17 :].split(b"\r\n", 1)[0]) if length >= 0 else 0
        self._needed = self._body_at + size
        return True


def request(url: str, method: str, path: str, body: Any = None, token: str = "") -> bytes:
    """Write a request; built once, it can be asked many times."""
    lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    payload = b"" if body is None else to_json(body)
    if body is not None:
        lines.append("Content-Type: application/json")
    if method != "GET":
        lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """Open keep-alive connections to an http:// address, as long as the context lasts."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    try:
        for _ in range(count):
            _, connection = await loop.create_connection(Connection, parts.hostname or "127.0.0.1", parts.port or 80)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()
