"""`aparte bench room`: messages per second and how long they take, in pairs or in a room of many.

Measured from the moment a message is due to its receipt by another device, with every message durable and everything
that was acknowledged accounted for at the end: what did not arrive is a figure of its own, which must be 0.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aparte.bench import floor
from aparte.bench.crowd import Crowd, Person, crowd
from aparte.bench.frames import BODY_BYTES
from aparte.bench.load import Drive, Load, Outcome, Seat
from aparte.bench.report import Figure, Section, cpu_figures
from aparte.bench.server import Server
from aparte.bench.stored import Stored
from aparte.bench.websocket import Place
from aparte.wire.codec import Encoding

OTHER_ROOM_MEMBERS = 10
SATURATED = 85.0
"""Percent of a core from which on the generator may be what limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure."""

    devices: int = 200
    members: int = 2
    """Devices in each room."""
    memberships: int = 0
    """Silent rooms that each device is a member of besides."""
    drive: Drive
    encoding: Encoding = "json"
    floor_seconds: float = 3.0
    """How long a bare relay is measured for comparison; 0: not at all."""

    @property
    def rooms(self) -> int:
        """How many rooms the devices fill."""
        return self.devices // self.members


async def run(server: Server, options: Options) -> list[Section]:
    """Make the people and their rooms, load them, and say what happened."""
    if not options.rooms or options.members < 2:
        raise ValueError("a room needs two devices or more, and there must be devices for one")
    seats = await _seated(server, options)
    load = Load(seats, options.members - 1, options.encoding)
    measured = await loaded(server, load, options.drive, _title(options))
    sections = [measured]
    if options.floor_seconds:
        sections.append(await _floor(options, measured))
    return sections


async def loaded(server: Server, load: Load, drive: Drive, title: str) -> Section:
    """Drive a load against a server: what happened, what it left in the database, and what memory it took."""
    async with Stored(server) as stored, load:
        outcome = await load.measure(drive, server.groups)
        more = await stored.figures(outcome.total)
        if server.is_own:
            more += [
                Figure("server_memory", server.groups.server.memory_bytes() / 2**20, "MiB"),
                Figure("postgres_memory", server.groups.postgres.memory_bytes() / 2**20, "MiB"),
            ]
    measured = _section(title, outcome, is_own=server.is_own)
    return Section(measured.title, [*measured.figures, *more], measured.remarks)


async def _seated(server: Server, options: Options) -> list[Seat]:
    """One seat of each room, then the next: the first few devices, which may be the only senders, share no room."""
    members = options.members
    async with crowd(server.url) as here:
        people = await here.people(options.rooms * members)
        groups = [people[start : start + members] for start in range(0, len(people), members)]
        rooms = await here.rooms(groups)
        for _ in range(options.memberships):
            await _silent_rooms(here, people)
    place = Place.of(server.url)
    return [Seat(place, group[n], room) for n in range(members) for group, room in zip(groups, rooms, strict=True)]


async def _silent_rooms(here: Crowd, people: Sequence[Person]) -> None:
    mixed = random.sample(list(people), len(people))
    await here.rooms([mixed[start : start + OTHER_ROOM_MEMBERS] for start in range(0, len(mixed), OTHER_ROOM_MEMBERS)])


async def _floor(options: Options, measured: Section) -> Section:
    """Drive a bare relay in the same way, without a rate: what it reaches, and what part of that was measured."""
    drive = replace(options.drive, seconds=options.floor_seconds, warm_up=0.5, rate=0.0, acks=False)
    outcome = await floor.measure(options.rooms, options.members, drive)
    section = _section("floor: a bare aiohttp relay, no database, the same generator", outcome, is_own=False)
    relay_cpu = Figure("cpu_relay", 100 * outcome.spent["server"] / outcome.seconds, "% of a core")
    ratio = measured.figure("deliveries_per_second") / max(1.0, section.figure("deliveries_per_second"))
    figures = [*section.figures, relay_cpu, Figure("measured_part_of_floor", 100 * ratio, "%")]
    return Section(section.title, figures, section.remarks)


def _section(title: str, outcome: Outcome, *, is_own: bool) -> Section:
    figures = [
        Figure("messages_per_second", outcome.acknowledged / outcome.seconds, "/s"),
        Figure("deliveries_per_second", outcome.delivered / outcome.seconds, "/s"),
        *outcome.latencies.percentiles("delivery"),
        Figure("messages_in_all", outcome.total),
        Figure("undelivered", outcome.undelivered),
        Figure("refused_or_closed", sum(outcome.errors.values())),
        *cpu_figures(outcome.spent, outcome.acknowledged, "message", is_own=is_own),
    ]
    remarks = [f"errors: {outcome.errors}"] if outcome.errors else []
    if 100 * outcome.spent["generator"] / outcome.seconds > SATURATED:
        remarks.append("the generator used nearly a whole core: it may have been the limit")
    return Section(title, figures, remarks)


def driven(drive: Drive) -> str:
    """How a load is driven, for its title."""
    return f"open loop, {drive.rate:,.0f} messages/s due" if drive.rate else f"closed loop, window {drive.window}"


def _title(options: Options) -> str:
    drive = options.drive
    senders = f"{drive.senders} of them sending" if drive.senders else "all sending"
    others = f", {options.memberships} silent rooms each besides" if options.memberships else ""
    rooms = "1 room" if options.rooms == 1 else f"{options.rooms} rooms"
    what = f"{BODY_BYTES} bytes, {options.encoding}; {driven(drive)}"
    return f"{rooms} of {options.members} devices, {senders}{others}; {what}"
