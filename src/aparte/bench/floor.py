"""The floor: the same generator and the same frames with a bare aiohttp relay in place of Aparté.

The relay acknowledges a message and passes it to everybody of its room with aiohttp's own calls: no accounts, no
rules, no database. What it reaches on the machine at the same moment is what a figure is compared with, by ratio.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from aiohttp import WSMsgType, web

from aparte.bench.crowd import Person
from aparte.bench.load import Drive, Load, Outcome, Seat
from aparte.bench.processes import Group, Groups
from aparte.bench.websocket import Place
from aparte.wire.frames import SUBPROTOCOL_JSON
from aparte.wire.ids import AccountId, ConversationId, DeviceId

WELCOME = '{"type":"welcome"}'
_SEND = '{"type":"send"'
_REF_ENDS = len('{"type":"send","ref":1000000000')


class Relay:
    """Rooms of sockets."""

    def __init__(self) -> None:
        """Start empty."""
        self._rooms: dict[str, set[web.WebSocketResponse]] = {}

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One socket: welcome it, then acknowledge and relay what it sends."""
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL_JSON,), compress=False)
        await ws.prepare(request)
        room = self._rooms.setdefault(request.query["room"], set())
        room.add(ws)
        try:
            async for message in ws:
                if message.type != WSMsgType.TEXT:
                    break
                await self._answer(ws, room, message.data)
        finally:
            room.discard(ws)
        return ws

    async def _answer(self, ws: web.WebSocketResponse, room: set[web.WebSocketResponse], frame: str) -> None:
        if frame.startswith(_SEND):
            entry = '{"type":"entry"' + frame[len(_SEND) :]
            for other in list(room):
                with contextlib.suppress(ConnectionError):
                    await other.send_str(entry)
            await ws.send_str('{"type":"sent"' + frame[len(_SEND) : _REF_ENDS] + "}")
        elif frame.startswith('{"type":"hello"'):
            await ws.send_str(WELCOME)


async def measure(rooms: int, members: int, drive: Drive) -> Outcome:
    """Drive a relay in a process of its own, with as many rooms of as many devices."""
    async with _relay() as (url, group):
        seats = []
        for room in range(rooms):
            place = Place.of(url, f"/relay?room={room}")
            seats += [Seat(place, _nobody(), ConversationId(uuid4())) for _ in range(members)]
        async with Load(_dealt(seats, members), members - 1, "json") as load:
            return await load.measure(drive, Groups(server=group))


def _dealt(seats: Sequence[Seat], members: int) -> list[Seat]:
    """First one seat of each room, then the next: so that the first of the devices are in different rooms."""
    return [seat for start in range(members) for seat in seats[start::members]]


def _nobody() -> Person:
    return Person(AccountId(uuid4()), DeviceId(uuid4()), "nobody")


@asynccontextmanager
async def _relay() -> AsyncIterator[tuple[str, Group]]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aparte.bench.floor", str(listening.fileno())),
            pass_fds=[listening.fileno()],
            stdin=asyncio.subprocess.PIPE,
        )
        port: int = listening.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", Group((process.pid,))
    finally:
        process.kill()
        await process.wait()


async def _run(listening: socket.socket) -> None:
    """Relay until the process that started this one goes away."""
    app = web.Application()
    app.router.add_get("/relay", Relay().serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_run(socket.socket(fileno=int(sys.argv[1]))))
