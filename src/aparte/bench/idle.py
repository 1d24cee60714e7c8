"""`aparte bench idle`: what a connection costs that is authenticated, subscribed and silent.

The connections are held by processes of their own. Memory is read before the first one and after each step; what is
told per connection is the slope between the first step and the last, so that what the server needs without anybody is
not counted. Buffers of the kernel are not counted either: idle sockets have none.
"""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import ceil

from aparte.bench.crowd import Person, crowd
from aparte.bench.processes import Cost, Group
from aparte.bench.report import Figure, Section, cpu_figures
from aparte.bench.server import Server
from aparte.bench.websocket import UnexpectedAnswer

ROOM_MEMBERS = 50
SPARE_FILES = 200
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many connections, in how many steps, and how long they are then left alone."""

    connections: int = 10_000
    first: int = 1_000
    steps: int = 4
    seconds: float = 25.0


async def run(server: Server, options: Options) -> list[Section]:
    """Connect step by step, then leave everybody alone for a while."""
    wanted = _steps(options)
    async with crowd(server.url) as here:
        people = await here.people(options.connections)
        await here.rooms([people[start : start + ROOM_MEMBERS] for start in range(0, len(people), ROOM_MEMBERS)])
    async with _holders(server.url, options.connections) as holders:
        await asyncio.sleep(SETTLE_SECONDS)
        memory = {0: server.groups.server.memory_bytes()}
        connected = 0
        for step in wanted:
            await _connect(holders, people[connected:step])
            connected = step
            await asyncio.sleep(SETTLE_SECONDS)
            memory[step] = server.groups.server.memory_bytes()
        cost = Cost(server.groups, Group(tuple(holder.pid for holder in holders)))
        await asyncio.sleep(options.seconds)
        spent = cost.spent()
        still_open = sum([await holder.open([]) for holder in holders])
    figures = [Figure("connections", connected), Figure("still_open_in_the_end", still_open)]
    if server.is_own:
        figures += _memory_figures(memory)
    figures += cpu_figures(spent, 0, "", is_own=server.is_own)
    title = f"idle connections, left alone for {options.seconds:g} s, each in a room of {ROOM_MEMBERS}"
    return [Section(title, figures, [f"held by {len(holders)} process(es)"])]


def _memory_figures(memory: dict[int, int]) -> list[Figure]:
    steps = [count for count in memory if count]
    figures = [Figure(f"server_memory_at_{count}", size / 2**20, "MiB") for count, size in memory.items()]
    if len(steps) > 1:
        slope = (memory[steps[-1]] - memory[steps[0]]) / (steps[-1] - steps[0])
        figures.append(Figure("server_memory_per_connection", slope / 1024, "KiB"))
    return figures


def _steps(options: Options) -> list[int]:
    first = min(options.first, options.connections)
    span = options.connections - first
    return sorted({first + round(span * step / (options.steps - 1)) for step in range(options.steps)})


class _HolderProcess:
    """One process that holds connections."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def open(self, people: Sequence[Person]) -> int:
        """Open a gateway for each of them; tells how many are open now."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write("".join(f"{person.token}\n" for person in people).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise UnexpectedAnswer("a process that holds connections has ended; its last words are above")
        return int(line)


async def _connect(holders: Sequence[_HolderProcess], people: Sequence[Person]) -> None:
    share = ceil(len(people) / len(holders))
    await asyncio.gather(*(holder.open(people[n * share : (n + 1) * share]) for n, holder in enumerate(holders)))


@asynccontextmanager
async def _holders(url: str, connections: int) -> AsyncIterator[list[_HolderProcess]]:
    """As many processes as open files make necessary, each with an address of its own."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = ceil(connections / (most - SPARE_FILES))
    async with AsyncExitStack() as stack:
        yield [_HolderProcess(await _started(stack, url, f"127.0.0.{number + 1}")) for number in range(count)]


async def _started(stack: AsyncExitStack, url: str, address: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aparte.bench.holder", url, address),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def end() -> None:
        process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return process
