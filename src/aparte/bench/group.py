"""`aparte bench group`: sealed messages per second in one group, and how long they take to reach everybody.

Everybody has one device, which is connected, and everybody says something: each message goes to all others. Before the
measurement each device gives its chain to the others and says something first, which they ask for; what is measured is
what comes after. The cryptography is the clients' and is measured by `aparte bench e2ee`; what it takes the SDK to
speak to many devices is measured after the server, with one speaker.
"""

import os
from dataclasses import dataclass, field

from aparte.bench import members, room, speaker
from aparte.bench.crowd import Crowd, Person, crowd
from aparte.bench.frames import BODY_BYTES, Template
from aparte.bench.load import Drive, Load, Seat
from aparte.bench.report import Section
from aparte.bench.rest import Connection, request
from aparte.bench.sealed import KEY_BYTES, SEALED_BYTES, Place, SealTemplate
from aparte.bench.server import Server
from aparte.bench.websocket import Place as Gateway
from aparte.bench.websocket import UnexpectedAnswer
from aparte.wire import limits
from aparte.wire.codec import Encoding
from aparte.wire.conversations import Conversation
from aparte.wire.groups import Distributions, EpochMembers
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.messages import Sent
from aparte.wire.sealed import Envelope

ENCODING: Encoding = "msgpack"
CHAIN = 1
DISTRIBUTION_BYTES = 2_048
"""Of the first pairwise message of a session with a chain in it, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure."""

    members: int = 100
    others: int = 0
    """People with two devices each whom somebody speaks to with the SDK; 0: not at all."""
    drive: Drive


@dataclass(frozen=True, slots=True)
class GroupSeat(Seat):
    """A seat in a group: the entries of its device, of which the first has been sent."""

    sealing: SealTemplate = field(repr=False)

    def template(self, encoding: Encoding, _number: int) -> Template:
        """Sealed entries; only MessagePack carries bytes as they are."""
        if encoding != ENCODING:
            raise ValueError("sealed frames are built in MessagePack")
        return self.sealing


async def run(server: Server, options: Options) -> list[Section]:
    """Make the people and their group, let everybody have everybody's chain, load them, and say what happened."""
    async with crowd(server.url) as here:
        people = await here.people(options.members)
        conversation, present = await _begin(here, people)
        devices = [person.device for person in people]
        seats = await here.each(
            enumerate(people), lambda connection, one: _seat(here, connection, (conversation, present), devices, one)
        )
    sections = [await room.loaded(server, Load(seats, len(seats) - 1, ENCODING), options.drive, _title(options))]
    if options.others:
        sections.append(await speaker.run(server, options.others))
    return sections


async def _begin(here: Crowd, people: list[Person]) -> tuple[ConversationId, EpochMembers]:
    new, _ = members.founding(people[0].account, [person.account for person in people[1:]])

    async def made(connection: Connection, owner: Person) -> tuple[ConversationId, EpochMembers]:
        answer = await connection.ask(request(here.url, "POST", "/conversations/group", new, owner.token))
        conversation = answer.read(Conversation).id
        path = f"/conversations/{conversation}/epoch"
        answer = await connection.ask(request(here.url, "GET", path, token=owner.token))
        return conversation, answer.read(EpochMembers)

    [begun] = await here.each(people[:1], made)
    return begun


async def _seat(
    here: Crowd,
    connection: Connection,
    place: tuple[ConversationId, EpochMembers],
    devices: list[DeviceId],
    one: tuple[int, Person],
) -> GroupSeat:
    """Give a device's chain to all others and commit it."""
    (conversation, present), (number, person) = place, one
    others = [device for device in devices if device != person.device]
    for at in range(0, len(others), limits.DISTRIBUTIONS):
        body = os.urandom(DISTRIBUTION_BYTES)
        part = [Envelope(device, 3, body) for device in others[at : at + limits.DISTRIBUTIONS]]
        given = Distributions(CHAIN, present.epoch, part)
        path = f"/conversations/{conversation}/distributions"
        answer = await connection.ask(request(here.url, "POST", path, given, person.token))
        if answer.status >= 300:
            raise UnexpectedAnswer(f"a chain was answered with {answer.status}")
    sealing = Place(conversation, person.account, person.device, present.epoch, present.roster)
    template = SealTemplate(sealing, (), number, CHAIN)
    path = f"/conversations/{conversation}/entries"
    (await connection.ask(request(here.url, "POST", path, template.entry(0), person.token))).read(Sent)
    return GroupSeat(Gateway.of(here.url), person, conversation, template)


def _title(options: Options) -> str:
    what = f"{BODY_BYTES} bytes sealed in {SEALED_BYTES}, 1 key of {KEY_BYTES}"
    return f"1 group of {options.members} devices, all sending; {what}; {ENCODING}; {room.driven(options.drive)}"
