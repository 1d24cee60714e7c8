"""Devices that talk: each sends to its room and hears the others, in a closed loop or at a given rate.

Closed: a device has `window` messages under way and sends the next one when one is acknowledged; that finds the most
that the server does. Open: messages are due at fixed moments whatever the server does, and are late from then on; that
finds how long a delivery takes at a load, without forgetting the wait of a message that could not be sent.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import msgspec

from aparte.bench.crowd import Person
from aparte.bench.frames import SENDERS, Scanner, SendTemplate, Template, clock, elapsed, framed
from aparte.bench.processes import Cost, Groups
from aparte.bench.report import Latencies
from aparte.bench.websocket import Place, UnexpectedAnswer, WebSocket, connect
from aparte.wire import frames
from aparte.wire.codec import Encoding
from aparte.wire.ids import ConversationId

ACK_STEPS = 20
"""Into how many parts a second is cut, so that not all devices acknowledge at the same moment."""
PACE_SECONDS = 0.001
SETTLE_SECONDS = 15.0
PAUSE_AFTER_ERROR = 0.05
OPENING_AT_ONCE = 32
ENDLESS = 2**62


@dataclass(slots=True)
class Tally:
    """What all devices of a load did and heard so far."""

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    """Messages of others that came in, over all devices."""
    echoes: int = 0
    """Own messages that came in."""
    receipts: int = 0
    left: int = 0
    """How many messages may still be sent."""
    errors: Counter[str] = field(default_factory=Counter)
    is_recording: bool = False
    latencies: Latencies = field(default_factory=Latencies)

    @property
    def refused(self) -> int:
        """Messages that got an error for an answer."""
        return self.errors.total()


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a device sits: its gateway, and the room it talks to."""

    place: Place
    person: Person
    room: ConversationId

    def template(self, encoding: Encoding, number: int) -> Template:
        """What the device on this seat sends: readable messages."""
        return SendTemplate(encoding, self.room, number)


class Device:
    """One device under load."""

    def __init__(self, number: int, seat: Seat, encoding: Encoding, tally: Tally) -> None:
        """Prepare; `open` connects. `number` tells its messages from those of others."""
        if number >= SENDERS:
            raise ValueError(f"messages of at most {SENDERS} devices can be told apart")
        self.is_closed_loop = False
        self._number = number
        self._seat = seat
        self._encoding = encoding
        self._scanner = Scanner(encoding)
        self._template = seat.template(encoding, number)
        self._tally = tally
        self._welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._newest: tuple[bytes, int, int] | None = None
        self._ws: WebSocket | None = None

    async def open(self) -> None:
        """Connect and say hello."""
        self._ws = await connect(self._seat.place, self._encoding, self._on_frame)
        self._ws.write(framed(frames.Hello(self._seat.person.token), self._encoding))
        async with asyncio.timeout(SETTLE_SECONDS):
            await self._welcomed

    @property
    def close_code(self) -> int | None:
        """Why the server hung up, if it did."""
        return self._ws.closed if self._ws else None

    def send(self, at: int) -> None:
        """Send a message that is due at this moment."""
        if self._ws is not None and self._tally.left > 0:
            self._ws.write(self._next(at))

    def acknowledge(self) -> None:
        """Say up to where messages are stored."""
        if self._ws is None or self._newest is None:
            return
        data, start, end = self._newest
        self._newest = None
        conversation, position = self._scanner.position(data[start:end])
        self._ws.write(framed(frames.Ack(conversation, position), self._encoding))

    def close(self) -> None:
        """Hang up."""
        if self._ws is not None:
            self._ws.close()

    def _next(self, at: int) -> bytes:
        self._tally.left -= 1
        self._tally.sent += 1
        return self._template.frame(at)

    def _on_frame(self, data: bytes, start: int, end: int) -> None:
        kind = self._scanner.kind(data, start)
        if kind == b"entr":
            self._on_entry(data, start, end)
        elif kind == b"sent":
            self._tally.acknowledged += 1
            if self.is_closed_loop and self._tally.left > 0 and self._ws is not None:
                self._ws.reply(self._next(clock()))
        elif kind == b"rece":
            self._tally.receipts += 1
        elif kind == b"welc":
            self._welcomed.set_result(None)
        elif kind == b"erro":
            self._on_error(data[start:end])

    def _on_entry(self, data: bytes, start: int, end: int) -> None:
        stamp = self._scanner.stamp(data, start, end)
        if stamp is None:
            return
        self._newest = (data, start, end)
        tally = self._tally
        if stamp.sender == self._number:
            tally.echoes += 1
            return
        tally.delivered += 1
        if tally.is_recording:
            tally.latencies.add(elapsed(stamp, clock()))

    def _on_error(self, frame: bytes) -> None:
        decode = msgspec.json.decode if self._encoding == "json" else msgspec.msgpack.decode
        code = decode(frame, type=frames.Error).code
        self._tally.errors[code] += 1
        if not self._welcomed.done():
            self._welcomed.set_exception(UnexpectedAnswer(f"hello was answered with {code}"))
        if self.is_closed_loop:
            asyncio.get_running_loop().call_later(PAUSE_AFTER_ERROR, lambda: self.send(clock()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened while it was measured, and what was left over in the end."""

    seconds: float
    acknowledged: int
    delivered: int
    latencies: Latencies
    spent: dict[str, float]
    undelivered: int
    """Deliveries that were due for everything acknowledged and never came, over the whole load."""
    total: int
    """Messages acknowledged over the whole load, before and after the measurement too."""
    receipts: int
    errors: dict[str, int]


class Load:
    """Devices that are connected; each hears `others` devices in its room."""

    def __init__(self, seats: Sequence[Seat], others: int, encoding: Encoding) -> None:
        """Prepare one device for each seat."""
        self.tally = Tally()
        self._others = others
        self._devices = [Device(number, seat, encoding, self.tally) for number, seat in enumerate(seats)]

    async def __aenter__(self) -> Self:
        """Connect all."""
        places = asyncio.Semaphore(OPENING_AT_ONCE)

        async def opened(device: Device) -> None:
            async with places:
                await device.open()

        await asyncio.gather(*(opened(device) for device in self._devices))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        for device in self._devices:
            device.close()

    async def fill(self, count: int, window: int) -> float:
        """Send exactly this many messages; tells the seconds it took until the last was acknowledged."""
        self.tally.left = count
        start = clock()
        self._begin(self._devices, window)
        while self.tally.acknowledged < count:
            if self.tally.refused or any(device.close_code for device in self._devices):
                raise UnexpectedAnswer(f"a message was refused while a room was filled: {dict(self.tally.errors)}")
            await asyncio.sleep(0.01)
        return (clock() - start) / 1e6

    async def measure(self, drive: "Drive", groups: Groups) -> Outcome:
        """Warm up, measure, stop, and wait for what is under way."""
        tally = self.tally
        tally.left = ENDLESS
        async with self._driven(drive):
            await asyncio.sleep(drive.warm_up)
            cost = Cost(groups)
            acknowledged, delivered = tally.acknowledged, tally.delivered
            tally.is_recording = True
            await asyncio.sleep(drive.seconds)
            tally.is_recording = False
            spent = cost.spent()
            acknowledged, delivered = tally.acknowledged - acknowledged, tally.delivered - delivered
        closed = Counter(f"closed {device.close_code}" for device in self._devices if device.close_code)
        return Outcome(
            seconds=spent["seconds"],
            acknowledged=acknowledged,
            delivered=delivered,
            latencies=tally.latencies,
            spent=spent,
            undelivered=tally.acknowledged * self._others - tally.delivered,
            total=tally.acknowledged,
            receipts=tally.receipts,
            errors={**tally.errors, **closed},
        )

    @asynccontextmanager
    async def _driven(self, drive: "Drive") -> AsyncIterator[None]:
        """Devices send as long as the context lasts; it ends when what they sent is settled."""
        senders = self._devices[: drive.senders or None]
        tasks = [asyncio.create_task(self._acknowledge())] if drive.acks else []
        if drive.rate:
            tasks.append(asyncio.create_task(_pace(senders, drive.rate)))
        else:
            self._begin(senders, drive.window)
        try:
            yield
            self.tally.left = 0
            await self._settle()
        finally:
            self.tally.left = 0
            for task in tasks:
                task.cancel()

    def _begin(self, senders: Sequence[Device], window: int) -> None:
        for device in senders:
            device.is_closed_loop = True
            for _ in range(window):
                device.send(clock())

    async def _acknowledge(self) -> None:
        step = 0
        while True:
            for device in self._devices[step::ACK_STEPS]:
                device.acknowledge()
            step = (step + 1) % ACK_STEPS
            await asyncio.sleep(1 / ACK_STEPS)

    async def _settle(self) -> None:
        """Wait until everything sent is answered and everything acknowledged is delivered, but not for ever."""
        tally = self.tally
        ends = clock() + SETTLE_SECONDS * 1e6
        while clock() < ends:
            answered = tally.acknowledged + tally.refused >= tally.sent
            if answered and tally.delivered >= tally.acknowledged * self._others:
                return
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """How a load is driven: closed with `window` messages under way a device, or open at `rate` messages a second."""

    seconds: float
    warm_up: float
    window: int = 1
    rate: float = 0.0
    senders: int = 0
    """How many of the devices send; 0: all."""
    acks: bool = True
    """Whether every device acknowledges once a second what it has stored."""


async def _pace(senders: Sequence[Device], rate: float) -> None:
    start, count = clock(), 0
    while True:
        due = int((clock() - start) * rate / 1e6)
        while count < due:
            senders[count % len(senders)].send(start + int(count * 1e6 / rate))
            count += 1
        await asyncio.sleep(PACE_SECONDS)
