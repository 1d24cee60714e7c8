"""`aparte bench catchup`: a device that was away comes back and fetches everything it missed.

It asks page by page, as the log must be read in order, and every position from the first to the last must come once.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import msgspec

from aparte.bench.crowd import Person
from aparte.bench.frames import clock, framed
from aparte.bench.history import filled
from aparte.bench.processes import Cost
from aparte.bench.report import Figure, Latencies, Section, cpu_figures
from aparte.bench.server import Server
from aparte.bench.websocket import Place, UnexpectedAnswer, WebSocket, connect
from aparte.wire import frames, limits
from aparte.wire.codec import Encoding
from aparte.wire.ids import FIRST_ID, ConversationId, EntryId

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many messages were missed."""

    messages: int = 100_000
    encoding: Encoding = "json"


class _Place(msgspec.Struct, frozen=True):
    seq: int
    id: UUID


class _Answer(msgspec.Struct, frozen=True):
    """What is read of a frame; whatever else it holds is skipped."""

    type: str
    entries: list[_Place] = []
    more: bool = False
    code: str = ""


class _Returning:
    """The device that comes back."""

    def __init__(self, person: Person, encoding: Encoding) -> None:
        self._person = person
        self._encoding = encoding
        self._decoder = msgspec.json.Decoder(_Answer) if encoding == "json" else msgspec.msgpack.Decoder(_Answer)
        self._answers: asyncio.Queue[_Answer] = asyncio.Queue()
        self._ws: WebSocket | None = None
        self.bytes = 0

    async def open(self, place: Place) -> None:
        """Connect and say hello."""
        self._ws = await connect(place, self._encoding, self._on_frame)
        await self.ask(frames.Hello(self._person.token), "welcome")

    async def ask(self, frame: frames.FromClient, wanted: str) -> _Answer:
        """Send a frame and wait for its answer, whatever the server hints at meanwhile."""
        assert self._ws is not None  # noqa: S101 - opened before
        self._ws.write(framed(frame, self._encoding))
        async with asyncio.timeout(ANSWER_SECONDS):
            while (answer := await self._answers.get()).type != wanted:
                if answer.type == "error":
                    raise UnexpectedAnswer(f"{wanted} was expected, the error {answer.code} came")
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._ws is not None:
            self._ws.close()

    def _on_frame(self, data: bytes, start: int, end: int) -> None:
        self.bytes += end - start
        self._answers.put_nowait(self._decoder.decode(data[start:end]))


async def run(server: Server, options: Options) -> list[Section]:
    """Fill a room while a device is away, then let it fetch."""
    room = await filled(server, options.messages)
    device = _Returning(room.reader, options.encoding)
    await device.open(Place.of(server.url))
    try:
        cost = Cost(server.groups)
        entries, latencies = await _fetch(device, room.id)
        spent = cost.spent()
    finally:
        device.close()
    figures = [
        Figure("messages_per_second", entries / spent["seconds"], "/s"),
        Figure("entries_in_all", entries),
        Figure("seconds", spent["seconds"], "s"),
        *latencies.percentiles("page"),
        Figure("bytes_per_entry", device.bytes / entries, "B"),
        *cpu_figures(spent, entries, "message", is_own=server.is_own),
    ]
    title = f"one device fetches {options.messages:,} missed messages, pages of {limits.PAGE_ENTRIES}"
    return [Section(f"{title}, {options.encoding}", figures)]


async def _fetch(device: _Returning, room: ConversationId) -> tuple[int, Latencies]:
    latencies = Latencies()
    seq, after, more = 0, FIRST_ID, True
    while more:
        start = clock()
        page = await device.ask(frames.Entries(0, room, after, limits.PAGE_ENTRIES), "log")
        latencies.add(clock() - start)
        if [place.seq for place in page.entries] != list(range(seq + 1, seq + 1 + len(page.entries))):
            raise UnexpectedAnswer(f"the log has a hole after {seq}")
        seq, after, more = page.entries[-1].seq, EntryId(page.entries[-1].id), page.more
    return seq, latencies
