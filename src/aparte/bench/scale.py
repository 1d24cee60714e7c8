"""`aparte bench scale`: does it take longer where there is more? A room of 10,000 members and a million messages, and
somebody in 1,000 rooms, each beside a small one on the same server.

Everything is filled in the database, over two years; the requests are those of anybody. Each answer is as long in both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aparte.bench import filling, search, store
from aparte.bench.asks import Asks
from aparte.bench.compare import Ask, Case, Statements, compare
from aparte.bench.crowd import Person, crowd
from aparte.bench.filling import Filled, Size
from aparte.bench.report import Section
from aparte.bench.rest import connections
from aparte.bench.server import Server
from aparte.wire import limits

SMALL = Size(members=10, messages=1_000)
FEW, WINDOW = 10, 50
"""Rooms of somebody with few, and of somebody with as many as a window shows."""
PAGE, LIST = 50, 10
SEARCH_MS = 50.0
FOLLOWING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How large the large ones are, and how often each question is asked."""

    members: int = limits.MEMBERS
    messages: int = 1_000_000
    rooms: int = 1_000
    times: int = 200


@dataclass(frozen=True, slots=True)
class Scene:
    """What was filled, and who may look at it: the owner of both rooms, and three with lists of rooms."""

    owner: Person
    few: Person
    some: Person
    many: Person
    small: Filled
    large: Filled


async def run(server: Server, options: Options) -> list[Section]:
    """Fill a server, then ask."""
    if not server.is_own:
        raise ValueError("rooms are filled in the database: only a server of our own can be measured")
    if options.members < SMALL.members or options.messages < SMALL.messages or options.rooms < 2 * WINDOW:
        raise ValueError(f"the large ones need {SMALL.members} members, {SMALL.messages} messages, {2 * WINDOW} rooms")
    scene = await filled(server, options)
    read = [await search.read(server, room.id, room.size.messages) for room in (scene.small, scene.large)]
    async with connections(server.url, 2) as [connection, own]:
        statements = Statements(own, urlsplit(server.url).netloc)
        asks = Asks(server.url, connection)
        cases = [*_lists(asks, scene), *_rooms(asks, scene), *_searches(asks, scene), *_sends(asks, scene)]
        return [read[1], *[await compare(case, statements, options.times) for case in cases]]


async def filled(server: Server, options: Options) -> Scene:
    """Make the people and fill their rooms."""
    async with crowd(server.url) as here:
        owner, few, some, many = await here.people(4)
        small, large = await here.rooms([[owner], [owner]])
    database: Any = await store.connect(server.admin_dsn)
    try:
        await filling.make_months(database)
        others = await filling.make_accounts(database, options.members - 1)
        size = Size(options.members, options.messages)
        rooms = [
            await filling.fill_room(database, owner, small, others, SMALL),
            await filling.fill_room(database, owner, large, others, size),
        ]
        for person, count in ((few, FEW), (some, WINDOW), (many, options.rooms)):
            await filling.fill_list(database, person, count)
        await filling.settle(database)
    finally:
        await database.close()
    return Scene(owner, few, some, many, *rooms)


def _lists(asks: Asks, scene: Scene) -> list[Case]:
    """What is asked of somebody's list of rooms, and of everybody's."""
    few, some, many = scene.few, scene.some, scene.many

    def both(name: str, path: str, listed: str, count: int, small: Person) -> Case:
        return Case(name, asks.get(small, path, listed, count), asks.get(many, path, listed, count))

    def page(room: Filled) -> Ask:
        return asks.get(scene.owner, f"/conversations/{room.id}/messages?limit={PAGE}", "messages", PAGE)

    named = f"/directory?limit={LIST}&query="
    return [
        both("unread list, the newest 10", f"/conversations?limit={LIST}", "conversations", LIST, few),
        both("unread list, a window of 50", f"/conversations?limit={WINDOW}", "conversations", WINDOW, some),
        Case(
            "cold open",
            asks.opening(few, LIST, page(scene.small)),
            asks.opening(many, LIST, page(scene.large)),
            spare=FOLLOWING,
        ),
        Case(
            "directory, part of a name",
            asks.get(few, named + filling.named(few), "rooms", LIST),
            asks.get(few, named + filling.named(many), "rooms", LIST),
        ),
    ]


def _rooms(asks: Asks, scene: Scene) -> list[Case]:
    """What is asked of one room."""
    owner = scene.owner

    def both(name: str, path: Callable[[Filled], str], listed: str = "", count: int = 0) -> Case:
        small, large = (
            asks.get(owner, f"/conversations/{room.id}{path(room)}", listed, count)
            for room in (scene.small, scene.large)
        )
        return Case(name, small, large)

    def page(name: str, where: Callable[[Filled], str]) -> Case:
        return both(name, lambda room: f"/messages?limit={PAGE}{where(room)}", "messages", PAGE)

    emoji = quote(filling.EMOJI)
    return [
        both("one conversation", lambda _: ""),
        page("page, the newest", lambda _: ""),
        page("page, deep", lambda room: f"&before={room.old}"),
        page("page, around", lambda room: f"&around={room.middle}"),
        page("thread, the newest", lambda room: f"&thread={room.first}"),
        both("members, first", lambda _: f"/members?limit={LIST}", "members", LIST),
        both("members, last", lambda room: f"/members?limit={LIST}&after={room.before_last}", "members", LIST - 1),
        both(
            "reactions, last",
            lambda room: f"/messages/{room.first}/reactions?emoji={emoji}&after={room.before_last_reaction}",
            "reactors",
            LIST - 1,
        ),
    ]


def _searches(asks: Asks, scene: Scene) -> list[Case]:
    """Searches may take longer, so that all is found, but not long; both find as much."""
    cases = []
    for word, count in (("souvent", search.PAGE), ("rarissime", search.RARE), ("introuvable", 0)):
        small, large = (
            asks.get(scene.owner, f"/search/messages?q={word}%20&in={room.id}&limit={search.PAGE}", "found", count)
            for room in (scene.small, scene.large)
        )
        cases.append(Case(f"search, {word}", small, large, is_bounded=False, most_ms=SEARCH_MS))
    return cases


def _sends(asks: Asks, scene: Scene) -> list[Case]:
    """Sending, the last of all: the newest page is another one afterwards."""
    return [Case("send", asks.send(scene.owner, scene.small), asks.send(scene.owner, scene.large), spare=FOLLOWING)]
