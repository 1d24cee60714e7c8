"""Every door where people meet × a block between two of them: what the one who blocks gets, and the one who is blocked.

A block that one door forgets is none. A new door that names people, or shows them, fails here until it has its row.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints
from uuid import uuid4

import msgspec
import pytest

from aparte.server import routes
from aparte.wire import accounts, conversations, frames
from aparte.wire.ids import AccountId
from tests.support import groups, keys
from tests.support.people import Device, Gateway, Problem, World
from tests.support.sealing import Sealer, caller_of, direct, over_the_wire
from tests.support.valkey import until

Door = tuple[str, str]
CONVERSATION = "/conversations/{conversation}"
NAME = {"id", "kind", "username", "display_name", "presence"}
"""What is shown of somebody across a block."""


@dataclass
class Scene:
    """Two who knew each other, before one blocked the other: in each other's books, with a direct conversation, and
    together in a room; carol is in the room too. `one` asks, about `other`; `blocker` is one of them."""

    one: Device
    other: Device
    blocker: Device
    carol: Device
    room: str
    said: str
    """What `one` has said in the room."""
    sealer: Sealer
    """Seals what `one` says in the direct conversation."""

    @property
    def direct(self) -> str:
        """The direct conversation."""
        return str(self.sealer.conversation)

    @property
    def blocks(self) -> bool:
        """Whether `one` is the one who blocks."""
        return self.one is self.blocker


async def scene_of(world: World, admin: Any, *, blocks: bool) -> Scene:
    """The story so far."""
    one, other, carol = [await world.register(name) for name in ("one", "other", "carol")]
    for person in (one, other):
        await person.call("PATCH", "/accounts/me", {"bio": "about me", "status_text": "busy"})
        await person.call("PATCH", "/accounts/me", {"privacy": {"find_by_email": "everyone"}})
    await admin.execute(
        "UPDATE accounts SET avatar_url = 'https://example.org/a.png' WHERE account_id = ANY ($1::uuid[])",
        [one.account, other.account],
    )
    sealer, _ = await over_the_wire(one, other)
    room = await one.room()
    for person in (other, carol):
        await person.join(room)
    said = await one.send(room, "before")
    for person in (other, carol):
        await person.post(f"/conversations/{room}/read", {"up_to": {"seq": said["seq"], "id": said["id"]}})
    await one.post(f"/contact-requests/{other.account}", {"note": "me"})
    await other.post(f"/contact-requests/{one.account}/accept")
    blocker, blocked = (one, other) if blocks else (other, one)
    await blocker.call("PUT", f"/blocks/{blocked.account}", {})
    return Scene(one, other, blocker, carol, room, said["id"], sealer)


@pytest.fixture(params=["who blocks", "who is blocked"])
async def scene(world: World, server_admin: Any, request: pytest.FixtureRequest) -> Scene:
    return await scene_of(world, server_admin, blocks=request.param == "who blocks")


async def code_of(asked: Awaitable[Any]) -> str:
    """`done`, or the code of the refusal."""
    try:
        await asked
    except Problem as problem:
        return problem.code
    return "done"


def only_the_name(person: dict[str, Any]) -> None:
    """Nothing of the profile is shown, nor when they were here."""
    shown = {key for key, value in person.items() if value is not None}
    assert shown <= NAME, shown - NAME
    assert person.get("presence", "unknown") == "unknown"


# What each door gives -------------------------------------------------------------------------------------------------


async def people(s: Scene) -> None:
    for query in ({"ids": s.other.account}, {"username": s.other.username}):
        (shown,) = (await s.one.get("/accounts", **query))["people"]
        only_the_name(shown)


async def person(s: Scene) -> None:
    only_the_name(await s.one.get(f"/accounts/{s.other.account}"))
    assert (await s.carol.get(f"/accounts/{s.other.account}"))["bio"] == "about me"


async def find(s: Scene) -> None:
    wanted = {"email": f"{s.other.username}@example.org"}
    assert await code_of(s.one.post("/accounts/find", wanted)) == "not_found"
    assert await code_of(s.carol.post("/accounts/find", wanted)) == "done"


async def presence(s: Scene) -> None:
    (shown,) = (await s.one.get("/presence", accounts=s.other.account))["people"]
    assert (shown["status"], shown.get("last_seen_at")) == ("unknown", None)


async def book(s: Scene) -> None:
    (shown,) = (await s.one.get("/contacts"))["contacts"]
    only_the_name(shown["person"])
    assert shown["is_blocked"] is s.blocks, "who is blocked is not told"


async def entry_of_book(s: Scene) -> None:
    shown = await s.one.call("PUT", f"/contacts/{s.other.account}", {"nickname": "X"})
    only_the_name(shown["person"])
    assert shown["is_blocked"] is s.blocks


async def requests(s: Scene) -> None:
    (shown,) = (await s.one.get("/contact-requests"))["requests"]
    only_the_name(shown["person"])
    assert shown["status"] == ("blocked" if s.blocks else "accepted")


async def ask(s: Scene) -> None:
    at = f"/contact-requests/{s.other.account}"
    assert await code_of(s.one.post(at, {})) == "blocked"


async def answer(s: Scene) -> None:
    """A request that waited when the block came waits no more."""
    for verb in ("accept", "decline"):
        assert await code_of(s.one.post(f"/contact-requests/{s.other.account}/{verb}")) == "not_found"
    eve = s.carol
    asker, asked = (eve, s.one) if s.blocks else (s.one, eve)
    await asker.post(f"/contact-requests/{asked.account}", {})
    await asked.call("PUT", f"/blocks/{asker.account}", {})
    assert await code_of(asked.post(f"/contact-requests/{asker.account}/accept")) == "over"


async def blocks(s: Scene) -> None:
    shown = (await s.one.get("/blocks"))["blocks"]
    assert [row["person"]["id"] for row in shown] == ([s.other.account] if s.blocks else [])
    for row in shown:
        only_the_name(row["person"])


async def payload(s: Scene) -> None:
    one = {"payload_id": str(uuid4()), "device": s.other.id, "type": 2, "body": "AA=="}
    body = {"account": s.other.account, "payloads": [one]}
    assert await code_of(s.one.post("/payloads", body)) == "blocked"


async def listed(s: Scene) -> None:
    """Only who blocks is told who does."""
    (shown,) = [row for row in (await s.one.get("/conversations"))["conversations"] if row["id"] == s.direct]
    assert shown.get("blocked_by", []) == ([s.one.account] if s.blocks else [])
    assert (await s.one.get(f"/conversations/{s.direct}")).get("blocked_by", []) == shown.get("blocked_by", [])


async def open_direct(s: Scene) -> None:
    """What is open stays, and nobody opens another one."""
    body = {"id": s.direct, "account": s.other.account}
    assert (await s.one.post("/conversations/direct", body))["id"] == s.direct
    one, other = (s.one, s.carol) if s.blocks else (s.carol, s.one)
    await one.call("PUT", f"/blocks/{other.account}", {})
    for asker, asked in ((one, other), (other, one)):
        new = {"id": str(direct(caller_of(asker), caller_of(asked))), "account": asked.account}
        assert await code_of(asker.post("/conversations/direct", new)) == "blocked"


async def seal(s: Scene) -> None:
    """Neither words nor reactions pass, by either door (R-108)."""
    at = f"/conversations/{s.direct}/entries"
    assert await code_of(s.one.post(at, keys.in_json(s.sealer.seal()))) == "blocked"
    async with s.one.gateway() as gateway:
        frame = await gateway.ask("seal", conversation=s.direct, entry=keys.in_json(s.sealer.seal()))
        assert frame["code"] == "blocked"


async def begin_group(s: Scene) -> None:
    with pytest.raises(Problem, match="blocked"):
        await groups.over_the_wire(s.one, s.other)


async def add_to_group(s: Scene) -> None:
    made = await groups.over_the_wire(s.one, s.carol)
    with pytest.raises(Problem, match="blocked"):
        await groups.say_over_the_wire(made, s.one, made.add(caller_of(s.one), caller_of(s.other)))


async def members(s: Scene) -> None:
    shown = {m["person"]["id"]: m["person"] for m in (await s.one.get(f"/conversations/{s.room}/members"))["members"]}
    only_the_name(shown[s.other.account])
    theirs = (await s.carol.get(f"/conversations/{s.room}/members"))["members"]
    assert all(m["person"]["avatar_url"] for m in theirs if m["person"]["id"] != s.carol.account)


async def mention(s: Scene) -> None:
    """In a room everybody reads everybody, but nobody is called by those whom they block."""
    await s.one.send(s.room, f"@{s.other.username} and @{s.carol.username}, look")
    assert [row["account"] for row in (await s.carol.get("/mentions"))["messages"]] == [s.one.account]
    assert bool((await s.other.get("/mentions"))["messages"]) is s.blocks


async def receipts(s: Scene) -> None:
    shown = await s.one.get(f"/conversations/{s.room}/messages/{s.said}/receipts")
    told = {row["account"] for row in shown["receipts"]} | set(shown["readers"])
    assert s.other.account not in told
    assert s.carol.account in told


async def search(s: Scene) -> None:
    async def is_found_by(asker: Device) -> bool:
        found = await asker.get("/search/people", q=s.other.username)
        return s.other.account in {row["id"] for row in found["people"]}

    await until(lambda: is_found_by(s.carol))  # names are indexed a moment after they are given
    assert not await is_found_by(s.one)


ROWS: dict[Door, Callable[[Scene], Awaitable[None]]] = {
    ("GET", "/accounts"): people,
    ("POST", "/accounts/find"): find,
    ("GET", "/accounts/{account}"): person,
    ("GET", "/presence"): presence,
    ("GET", "/contacts"): book,
    ("PUT", "/contacts/{account}"): entry_of_book,
    ("GET", "/contact-requests"): requests,
    ("POST", "/contact-requests/{account}"): ask,
    ("POST", "/contact-requests/{account}/accept"): answer,
    ("POST", "/contact-requests/{account}/decline"): answer,
    ("GET", "/blocks"): blocks,
    ("POST", "/payloads"): payload,
    ("GET", "/conversations"): listed,
    ("POST", "/conversations/direct"): open_direct,
    ("POST", CONVERSATION + "/entries"): seal,
    ("POST", "/conversations/group"): begin_group,
    ("POST", CONVERSATION + "/statements"): add_to_group,
    ("GET", CONVERSATION + "/members"): members,
    ("POST", CONVERSATION + "/messages"): mention,
    ("GET", CONVERSATION + "/messages/{message}/receipts"): receipts,
    ("GET", "/search/people"): search,
}
OWN = "what one keeps for oneself, and the other never sees"
SHARED = "who shares an encrypted conversation with somebody needs their keys, whoever blocks whom"
OF_THE_ROOM = "what is done to members of a room is the room's business: moderators block nobody by moderating"
NOT_YET = "nobody is there before they register"
IN_ROOMS = "in a room everybody reads what everybody says"
AS_SENT = "goes through the door of sending when it is due"
LEFT_ALONE: dict[Door, str] = {
    ("POST", "/accounts"): NOT_YET,
    ("POST", "/setup"): NOT_YET,
    ("DELETE", "/contacts/{account}"): OWN,
    ("DELETE", "/contact-requests/{account}"): OWN,
    ("PUT", "/blocks/{account}"): OWN,
    ("DELETE", "/blocks/{account}"): OWN,
    ("POST", "/keys/lists"): SHARED,
    ("POST", "/keys/bundles"): SHARED,
    ("POST", "/keys/bundles/many"): SHARED,
    ("PATCH", CONVERSATION + "/members/{account}"): OF_THE_ROOM,
    ("DELETE", CONVERSATION + "/members/{account}"): OF_THE_ROOM,
    ("PUT", CONVERSATION + "/members/{account}/nickname"): OF_THE_ROOM,
    ("PUT", CONVERSATION + "/members/{account}/silence"): OF_THE_ROOM,
    ("DELETE", CONVERSATION + "/members/{account}/silence"): OF_THE_ROOM,
    ("PUT", CONVERSATION + "/bans/{account}"): OF_THE_ROOM,
    ("DELETE", CONVERSATION + "/bans/{account}"): OF_THE_ROOM,
    ("PATCH", CONVERSATION + "/messages/{message}"): "an edit calls nobody anew",
    ("GET", "/search/messages"): IN_ROOMS,
    ("POST", CONVERSATION + "/scheduled"): AS_SENT,
    ("PATCH", CONVERSATION + "/scheduled/{scheduled}"): AS_SENT,
}


@pytest.mark.parametrize("door", ROWS, ids=" ".join)
async def test_a_block_holds_at_every_door(scene: Scene, door: Door) -> None:
    await ROWS[door](scene)


async def test_when_both_block_each_sees_their_own_and_one_who_unblocks_frees_nobody(scene: Scene) -> None:
    """B-113: one field for both could say neither."""
    blocked = scene.one if scene.other is scene.blocker else scene.other
    await blocked.call("PUT", f"/blocks/{scene.blocker.account}", {})
    for who in (scene.one, scene.other):
        assert (await who.get(f"/conversations/{scene.direct}"))["blocked_by"] == [who.account]
    await scene.one.call("DELETE", f"/blocks/{scene.other.account}")
    assert "blocked_by" not in await scene.one.get(f"/conversations/{scene.direct}")
    at, entry = f"/conversations/{scene.direct}/entries", keys.in_json(scene.sealer.seal())
    assert await code_of(scene.one.post(at, entry)) == "blocked"
    await scene.other.call("DELETE", f"/blocks/{scene.one.account}")
    assert await code_of(scene.one.post(at, entry)) == "done"


# The gateway ----------------------------------------------------------------------------------------------------------


async def watching(gateway: Gateway, s: Scene) -> None:
    await gateway.send({"type": "watch", "accounts": [s.other.account], "conversations": [s.room]})


async def test_no_whisper_passes(scene: Scene) -> None:
    """Carol hears that somebody came, types and has read; whom a block parts from them is told nothing of it."""
    other = {str(scene.other.account)}
    async with scene.one.gateway() as here, scene.carol.gateway() as there:
        for gateway in (here, there):
            await watching(gateway, scene)
            await gateway.ask("state", after=0)
        said = await scene.carol.send(scene.room, "look")
        async with scene.other.gateway() as theirs:
            await there.wait(lambda f: f["type"] == "presence" and f["status"] == "online")
            await theirs.send({"type": "typing", "conversation": scene.room, "on": True})
            await there.wait(lambda f: f["type"] == "writing")
            up_to = {"seq": said["seq"], "id": said["id"]}
            await theirs.send({"type": "read", "conversation": scene.room, "up_to": up_to})
            await there.wait(lambda f: f["type"] == "receipt" and str(f["account"]) in other)
        await here.ask("state", after=0)
        told = [f for f in here.frames if str(f.get("account")) in other]
        assert all(f["type"] == "presence" and f["status"] == "unknown" for f in told), told


# No door without its row ----------------------------------------------------------------------------------------------

PEOPLE = {accounts.Person, accounts.PresenceOf, conversations.Receipt}
"""What shows somebody to somebody."""
ALSO: set[Door] = {("POST", "/conversations/group"), ("POST", CONVERSATION + "/statements")}
"""They name people inside of what is signed."""


def parts_of(wanted: Any, found: set[Any] | None = None) -> set[Any]:
    """Every type that a type is made of."""
    found = set() if found is None else found
    if wanted in found:
        return found
    found.add(wanted)
    inside = get_type_hints(wanted).values() if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct) else ()
    for part in (*inside, *(arg for arg in get_args(wanted) if not isinstance(arg, str | int))):
        parts_of(part, found)
    return found


def doors() -> routes.Slices:
    """Every door, with nothing behind it."""
    return routes.Slices(**{name: kind.__new__(kind) for name, kind in get_type_hints(routes.Slices).items()})


def test_every_door_that_names_or_shows_people_has_its_row() -> None:
    meeting = {
        (route.method, route.path)
        for route in routes.rest(doors())
        if "{account}" in route.path
        or AccountId in parts_of(route.body) | parts_of(route.query)
        or PEOPLE & parts_of(route.answer)
    }
    assert meeting | ALSO == set(ROWS) | set(LEFT_ALONE)
    assert not set(ROWS) & set(LEFT_ALONE)


def test_every_frame_that_names_people_is_looked_at() -> None:
    naming = {frame for frame in routes.gateway(doors()) if AccountId in parts_of(frame)}
    assert naming == {frames.Watch, frames.Send, frames.Seal, frames.Edit}


def test_what_a_type_is_made_of_is_found() -> None:
    assert AccountId in parts_of(conversations.MemberPage)
    assert accounts.Person in parts_of(conversations.MemberPage)
    assert AccountId not in parts_of(accounts.NewPassword)


async def test_without_the_block_each_row_sees_something_else(world: World, server_admin: Any) -> None:
    """But those that make a block of their own."""
    scenes = [await scene_of(world, server_admin, blocks=blocks) for blocks in (True, False)]
    passed = set(ROWS.values()) - {answer, open_direct}
    for scene in scenes:
        await scene.blocker.call("DELETE", f"/blocks/{(scene.other if scene.blocks else scene.one).account}")
        for row in list(passed):
            try:
                await row(scene)
            except (AssertionError, pytest.fail.Exception):
                passed.remove(row)
    assert passed == set()
