"""`aparte bench history`: pages of 50 messages over REST from a room of many, the newest page and pages far down.

Connections are kept alive and ask one page after the other. Every answer must be a whole page; one in a hundred is
decoded and compared with what must be in it.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import msgspec

from aparte.bench.crowd import Person, crowd
from aparte.bench.frames import clock
from aparte.bench.load import Load, Seat
from aparte.bench.processes import Cost
from aparte.bench.report import Figure, Latencies, Section, cpu_figures
from aparte.bench.rest import Connection, connections, request
from aparte.bench.server import Server
from aparte.bench.websocket import Place, UnexpectedAnswer
from aparte.wire import limits
from aparte.wire.ids import FIRST_ID, ConversationId, EntryId
from aparte.wire.messages import EntryPage, MessagePage

PAGE = 50
WRITERS = 8
WRITERS_WINDOW = 32
CHECK_EVERY = 100
DEEP_PLACES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many messages the room holds, how many connections ask at once, and for how long."""

    messages: int = 20_000
    connections: int = 8
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Room:
    """A room full of messages, and somebody who may read it."""

    reader: Person
    id: ConversationId
    messages: list[EntryId]
    """Oldest first."""


async def run(server: Server, options: Options) -> list[Section]:
    """Fill a room, then ask for pages."""
    if options.messages < 4 * PAGE:
        raise ValueError(f"a deep page needs {4 * PAGE} messages or more")
    room = await filled(server, options.messages)
    path = f"/conversations/{room.id}/messages?limit={PAGE}"
    newest = _Question(request(server.url, "GET", path, token=room.reader.token), room.messages[-PAGE:])
    deep = []
    for _ in range(DEEP_PLACES):
        place = random.randrange(PAGE, len(room.messages) // 2)
        ask = request(server.url, "GET", f"{path}&before={room.messages[place]}", token=room.reader.token)
        deep.append(_Question(ask, room.messages[place - PAGE : place]))
    return [
        await _measure(server, options, f"newest page of {PAGE} of {options.messages:,}", [newest]),
        await _measure(server, options, f"pages of {PAGE} anywhere in the older half", deep),
    ]


async def filled(server: Server, messages: int) -> Room:
    """Make a room with this many messages."""
    async with crowd(server.url) as here:
        people = await here.people(WRITERS + 1)
        [room] = await here.rooms([people])
    seats = [Seat(Place.of(server.url), person, room) for person in people[1:]]
    async with Load(seats, len(seats) - 1, "json") as load:
        await load.fill(messages, WRITERS_WINDOW)
    return Room(people[0], room, await _ids(server, people[0], room))


async def _ids(server: Server, reader: Person, room: ConversationId) -> list[EntryId]:
    found: list[EntryId] = []
    after, more = FIRST_ID, True
    async with connections(server.url, 1) as [connection]:
        while more:
            path = f"/conversations/{room}/entries?limit={limits.PAGE_ENTRIES}&after={after}"
            page = (await connection.ask(request(server.url, "GET", path, token=reader.token))).read(EntryPage)
            found += [entry.id for entry in page.entries if entry.ordinal is not None]
            after, more = page.entries[-1].id, page.more
    return found


@dataclass(frozen=True, slots=True)
class _Question:
    request: bytes
    expected: list[EntryId]

    def check(self, body: bytes) -> None:
        """Raises UnexpectedAnswer if the page is not the one that was asked for."""
        page = msgspec.json.decode(body, type=MessagePage)
        if [UUID(str(message.id)) for message in page.messages] != self.expected:
            raise UnexpectedAnswer("a page holds other messages than were asked for")


async def _measure(server: Server, options: Options, title: str, questions: Sequence[_Question]) -> Section:
    latencies, numbers = Latencies(), count()
    size = 0

    async def ask(connection: Connection) -> None:
        nonlocal size
        while clock() < ends:
            number = next(numbers)
            question = questions[number % len(questions)]
            start = clock()
            answer = await connection.ask(question.request)
            latencies.add(clock() - start)
            size += len(answer.body)
            if answer.status != 200:
                raise UnexpectedAnswer(f"a page was answered with {answer.status}")
            if number % CHECK_EVERY == 0:
                question.check(answer.body)

    async with connections(server.url, options.connections) as opened:
        cost, ends = Cost(server.groups), clock() + int(options.seconds * 1e6)
        await asyncio.gather(*(ask(connection) for connection in opened))
        spent = cost.spent()
    pages = len(latencies)
    figures = [
        Figure("pages_per_second", pages / spent["seconds"], "/s"),
        *latencies.percentiles("page"),
        Figure("pages_in_all", pages),
        Figure("bytes_per_page", size / max(1, pages), "B"),
        *cpu_figures(spent, pages, "page", is_own=server.is_own),
    ]
    return Section(f"{title}, {options.connections} connections kept alive", figures)
