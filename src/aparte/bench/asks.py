"""Questions that can be asked over and over: each checks its answer and tells how long it took."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec

from aparte.bench.compare import Ask
from aparte.bench.crowd import Person
from aparte.bench.filling import Filled
from aparte.bench.frames import clock, framed
from aparte.bench.rest import ASK_SECONDS, Answer, Connection, request
from aparte.bench.websocket import Place, UnexpectedAnswer, connect
from aparte.wire import frames
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId
from aparte.wire.messages import PostMessage, Sent

FRAMES = 1_000
"""Read at once while a gateway opens; more is not to be expected, and ends the measurement."""


class _Came(msgspec.Struct, frozen=True):
    """What is read of a frame."""

    type: str
    heads: list[Any] = []


class Asks:
    """Questions over one connection."""

    def __init__(self, url: str, connection: Connection) -> None:
        """Ask over this connection."""
        self._url = url
        self._connection = connection

    def get(self, person: Person, path: str, listed: str = "", count: int = 0) -> Ask:
        """Ask for something in which a list holds so many."""
        sent = request(self._url, "GET", path, token=person.token)

        async def ask() -> int:
            answer, took = await self._timed(sent)
            body = answer.read(dict[str, Any])
            if listed and len(body[listed]) != count:
                raise UnexpectedAnswer(f"GET {path}: {len(body[listed])} {listed} instead of {count}")
            return took

        return ask

    def send(self, person: Person, room: Filled) -> Ask:
        """Send a message, another one each time."""

        async def ask() -> int:
            body = PostMessage(MessageContent("one more"), ClientMessageId(uuid4()))
            path = f"/conversations/{room.id}/messages"
            answer, took = await self._timed(request(self._url, "POST", path, body, person.token))
            answer.read(Sent)
            return took

        return ask

    def opening(self, person: Person, count: int, page: Ask) -> Ask:
        """Come back with an empty folder: the gateway, where so many of one's conversations stand, a page of one."""
        hello, changes = framed(frames.Hello(person.token), "json"), framed(frames.Changes(1, limit=count), "json")

        async def ask() -> int:
            came: asyncio.Queue[_Came] = asyncio.Queue(FRAMES)
            start = clock()
            ws = await connect(Place.of(self._url), "json", lambda data, at, end: came.put_nowait(_read(data[at:end])))
            try:
                ws.write(hello)
                await _next(came, "welcome")
                ws.write(changes)
                found = await _next(came, "heads")
                took = clock() - start + await page()
            finally:
                ws.close()
            # What the server does after the end is no part of the next question.
            await page()
            if len(found.heads) != count:
                raise UnexpectedAnswer(f"{len(found.heads)} conversations instead of {count}")
            return took

        return ask

    async def _timed(self, sent: bytes) -> tuple[Answer, int]:
        start = clock()
        answer = await self._connection.ask(sent)
        return answer, clock() - start


def _read(frame: bytes) -> _Came:
    return msgspec.json.decode(frame, type=_Came)


async def _next(came: "asyncio.Queue[_Came]", wanted: str) -> _Came:
    """The next frame of a type; an error instead of it ends the measurement."""
    async with asyncio.timeout(ASK_SECONDS):
        while (frame := await came.get()).type != wanted:
            if frame.type == "error":
                raise UnexpectedAnswer(f"an error instead of {wanted}")
        return frame
