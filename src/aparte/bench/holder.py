"""`python -m aparte.bench.holder URL ADDRESS`: holds open gateways in a process of its own.

Reads one access token a line; at an empty line it opens a gateway for each, and says how many are open now.
It comes from ADDRESS, because one address has no more than some 28,000 ports to reach one server from.
"""

import asyncio
import sys

import msgspec
import uvloop

from aparte.bench.frames import framed
from aparte.bench.websocket import Place, WebSocket, connect
from aparte.wire import frames

AT_ONCE = 32
WELCOME_SECONDS = 30.0


class Holder:
    """Open gateways of one process."""

    def __init__(self, place: Place) -> None:
        """Hold gateways of this place."""
        self._place = place
        self._held: list[WebSocket] = []
        self._places = asyncio.Semaphore(AT_ONCE)

    @property
    def open(self) -> int:
        """How many are open."""
        return sum(ws.closed is None for ws in self._held)

    async def add(self, tokens: list[str]) -> None:
        """Open a gateway for each token."""
        await asyncio.gather(*(self._add(token) for token in tokens))

    async def _add(self, token: str) -> None:
        welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_frame(data: bytes, start: int, end: int) -> None:
            if not welcomed.done() and msgspec.json.decode(data[start:end], type=_Type).type == "welcome":
                welcomed.set_result(None)

        async with self._places, asyncio.timeout(WELCOME_SECONDS):
            ws = await connect(self._place, "json", on_frame)
            ws.write(framed(frames.Hello(token), "json"))
            await welcomed
        self._held.append(ws)


class _Type(msgspec.Struct, frozen=True):
    type: str


async def _run(url: str, address: str) -> None:
    holder = Holder(Place.of(url, local=address))
    waiting: list[str] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip():
            waiting.append(line.strip())
            continue
        await holder.add(waiting)
        waiting = []
        sys.stdout.write(f"{holder.open}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_run(*sys.argv[1:3]))
