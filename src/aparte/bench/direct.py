"""`aparte bench direct`: sealed messages per second between two people, and how long they take.

One of the two has a second device, which is listed and not connected: so every message carries two envelopes, whoever
sends it. The server does all that it does for anybody; the cryptography is the clients' and is measured by
`aparte bench e2ee`.
"""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from aparte.bench import keys, linking, room
from aparte.bench.crowd import PASSWORD, Crowd, Person, crowd, name_of
from aparte.bench.frames import BODY_BYTES, Template
from aparte.bench.load import Drive, Load, Seat
from aparte.bench.report import Section
from aparte.bench.rest import Connection, request
from aparte.bench.sealed import ENVELOPE_BYTES, SEALED_BYTES, Place, SealTemplate
from aparte.bench.server import Server
from aparte.bench.websocket import Place as Gateway
from aparte.bench.websocket import UnexpectedAnswer
from aparte.e2ee import roster
from aparte.e2ee.primitives import sha256
from aparte.wire.accounts import LogIn, NewDevice, Tokens
from aparte.wire.codec import Encoding
from aparte.wire.conversations import Conversation
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import NewDirect, SignedList

ENCODING: Encoding = "msgpack"
FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure."""

    devices: int = 200
    """Devices that are connected, in pairs."""
    drive: Drive


@dataclass(frozen=True, slots=True)
class SealedSeat(Seat):
    """A seat in a direct conversation: what its device seals, and for whom."""

    sealing: Place
    others: tuple[DeviceId, ...]

    def template(self, encoding: Encoding, number: int) -> Template:
        """Sealed entries; only MessagePack carries bytes as they are."""
        if encoding != ENCODING:
            raise ValueError("sealed frames are built in MessagePack")
        return SealTemplate(self.sealing, self.others, number)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people, their lists, and their conversation."""

    one: Person
    other: Person
    lists: tuple[SignedList, SignedList]
    second: DeviceId
    """The one's other device."""
    conversation: ConversationId = field(init=False)

    def __post_init__(self) -> None:
        """Derive the conversation's id."""
        found = roster.direct_id(self.one.account.bytes, self.other.account.bytes)
        object.__setattr__(self, "conversation", ConversationId(UUID(bytes=found)))

    @property
    def roster(self) -> bytes:
        """Who can read the conversation."""
        members = zip((self.one, self.other), self.lists, strict=True)
        lists = {person.account.bytes: sha256(signed.list) for person, signed in members}
        return roster.roster(self.conversation.bytes, roster.NO_STATEMENT, lists)


async def run(server: Server, options: Options) -> list[Section]:
    """Make the people, their devices and conversations, load them, and say what happened."""
    if options.devices < 2:
        raise ValueError("a conversation needs two devices")
    async with crowd(server.url) as here:
        people = await here.people(options.devices // 2 * 2)
        both = zip(people[::2], people[1::2], strict=True)
        pairs = await here.each(both, lambda connection, two: _pair(here, connection, two))
    place = Gateway.of(server.url)
    load = Load([*(_seat(place, pair, 0) for pair in pairs), *(_seat(place, pair, 1) for pair in pairs)], 1, ENCODING)
    return [await room.loaded(server, load, options.drive, _title(options))]


def _seat(place: Gateway, pair: Pair, number: int) -> SealedSeat:
    person, peer = (pair.one, pair.other) if number == 0 else (pair.other, pair.one)
    sealing = Place(pair.conversation, person.account, person.device, FIRST_EPOCH, pair.roster)
    return SealedSeat(place, person, pair.conversation, sealing, (peer.device, pair.second))


async def _pair(here: Crowd, connection: Connection, both: tuple[Person, Person]) -> Pair:
    """Give the one a second device, then open the conversation, so that its first epoch is the one that lasts."""
    one, other = both
    listed, second = await second_device(here, connection, one)
    pair = Pair(one, other, (listed, keys.first_list(other.account, other.device)), second)
    body = NewDirect(pair.conversation, other.account)
    answer = await connection.ask(request(here.url, "POST", "/conversations/direct", body, one.token))
    answer.read(Conversation)
    return pair


async def second_device(here: Crowd, connection: Connection, person: Person) -> tuple[SignedList, DeviceId]:
    """Link another device of somebody, which is never connected; gives their new list and its id."""
    device = DeviceId(uuid4())
    log_in = LogIn(name_of(person.account), PASSWORD, NewDevice(device, "second"))
    tokens = (await connection.ask(request(here.url, "POST", "/sessions", log_in))).read(Tokens)
    before = keys.first_list(person.account, person.device)
    offer, admission = linking.offer(2, device), linking.admission(before, device)
    path = f"/link-offers/{offer.id}"
    for token, where, body in (
        (tokens.access_token, "/link-offers", offer),
        (person.token, f"{path}/answer", linking.answer(person.account, PASSWORD)),
        (person.token, f"{path}/admission", admission),
    ):
        answer = await connection.ask(request(here.url, "POST", where, body, token))
        if answer.status >= 300:
            raise UnexpectedAnswer(f"linking was answered with {answer.status}")
    return admission.devices, device


def _title(options: Options) -> str:
    how = room.driven(options.drive)
    pairs = options.devices // 2
    return (
        f"{pairs} direct conversation{'' if pairs == 1 else 's'}; {BODY_BYTES} bytes sealed in {SEALED_BYTES}, "
        f"2 envelopes of {ENVELOPE_BYTES}; {ENCODING}; {how}"
    )
