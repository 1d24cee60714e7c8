"""Every route of a conversation × everybody who may come: the table of who gets what.

The accident it prevents is the commonest hole of chat servers: a right checked on create and forgotten on edit, on a
receipt, on a page, at the second door. A new route without a row here fails.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support import groups, keys
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of, over_the_wire

CONVERSATION = "/conversations/{conversation}"
OBJECT = CONVERSATION + "/objects/0b1ec700-0000-4000-8000-000000000000"
CARD = CONVERSATION + "/invites/0b1ec700-0000-4000-8000-000000000000/card"
MESSAGE = CONVERSATION + "/messages/{message}"
INVITE = CONVERSATION + "/invites/0b1ec700-0000-4000-8000-000000000000"
MEMBER = CONVERSATION + "/members/{account}"
ROLE = CONVERSATION + "/roles/0b1ec700-0000-4000-8000-000000000000"
REACTORS = MESSAGE + "/reactions?emoji=ok"
OWN = "own"
"""The message is the caller's own, where the route changes one."""


@dataclass(frozen=True)
class Case:
    """A request, and the role in the room that it takes: `member`, `moderator`, `admin`; `anyone` for joining; `group`
    for what rooms do not have."""

    method: str
    path: str
    takes: str
    body: Any = None
    writes: bool = True


def content() -> dict[str, Any]:
    """A new message."""
    return {"client_message_id": str(uuid4()), "content": {"text": "words"}}


SEALED = {
    "client_message_id": str(uuid4()),
    "epoch": 1,
    "roster": base64.b64encode(bytes(32)).decode(),
    "counter": 1,
    "prev": base64.b64encode(bytes(32)).decode(),
    "sealed": base64.b64encode(bytes(192)).decode(),
    "envelopes": [],
}
"""A sealed entry for another epoch: who may write hears so, and nobody else hears anything."""

UNSIGNED = {"statement": base64.b64encode(bytes(165)).decode(), "signature": base64.b64encode(bytes(64)).decode()}
"""A statement that says nothing: a group refuses it, and nobody else hears why."""
DISTRIBUTED = {"chain": 1, "epoch": 999, "envelopes": [{"device": str(uuid4()), "type": 2, "body": "AAAA"}]}
"""A part of a distribution in another epoch."""

HELD_ONE = CONVERSATION + "/held/0b1ec700-0000-4000-8000-000000000000"
SCHEDULED = CONVERSATION + "/scheduled"
PLANNED_ONE = SCHEDULED + "/0b1ec700-0000-4000-8000-000000000000"
NEXT = content()
PLANNED = {
    "client_message_id": NEXT["client_message_id"],
    "due": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    "message": NEXT,
}
"""A message for tomorrow."""

CASES = [
    Case("GET", CONVERSATION, "member", writes=False),
    Case("PATCH", CONVERSATION, "admin", {"topic": "new"}),
    Case("POST", CONVERSATION + "/join", "anyone"),
    Case("POST", CONVERSATION + "/leave", "member", writes=False),
    Case("GET", CONVERSATION + "/members", "member", writes=False),
    Case("PATCH", CONVERSATION + "/members/{account}", "admin", {"role": "moderator"}),
    Case("DELETE", CONVERSATION + "/members/{account}", "moderator"),
    Case("POST", CONVERSATION + "/messages", "member", content()),
    Case("GET", CONVERSATION + "/messages", "member", writes=False),
    Case("GET", CONVERSATION + "/entries", "member", writes=False),
    Case("POST", CONVERSATION + "/entries", "sealing", SEALED),
    Case("POST", CONVERSATION + "/read", "member", {"up_to": {"seq": 1, "id": "{message}"}}, writes=False),
    Case("POST", CONVERSATION + "/delivered", "member", {"up_to": {"seq": 1, "id": "{message}"}}, writes=False),
    Case("GET", MESSAGE, "member", writes=False),
    Case("PATCH", MESSAGE, "author", content()),
    Case("DELETE", MESSAGE, "moderator"),
    Case("POST", MESSAGE + "/restore", "moderator", {"client_message_id": str(uuid4())}),
    Case("GET", MESSAGE + "/history", "member", writes=False),
    Case("GET", MESSAGE + "/receipts", "member", writes=False),
    Case("PUT", OBJECT, "sealing", {"data": "AA=="}),
    Case("GET", OBJECT, "fetching", writes=False),
]
CASES += [
    Case("POST", CONVERSATION + "/statements", "group", {"statements": [UNSIGNED]}),
    Case("GET", CONVERSATION + "/statements", "group", writes=False),
    Case("GET", CONVERSATION + "/epoch", "group", writes=False),
    Case("PUT", CARD, "group", {"card": "AA=="}),
    Case("POST", CONVERSATION + "/distributions", "sealing", DISTRIBUTED),
]
CASES += [
    Case("PUT", MEMBER + "/nickname", "moderator", {"nickname": "Bobby"}),
    Case("PUT", MEMBER + "/silence", "moderator", {"until": "2035-01-01T00:00:00Z", "reason": "shouting"}),
    Case("GET", CONVERSATION + "/silences", "moderator"),
    Case("DELETE", MEMBER + "/silence", "moderator"),
    Case("GET", CONVERSATION + "/roles", "member", writes=False),
    Case("POST", CONVERSATION + "/roles", "admin", {"name": "Helpers", "permissions": {"invite": True}}),
    Case("PATCH", ROLE, "admin", {"name": "Others"}),
    Case("DELETE", ROLE, "admin"),
    Case("GET", CONVERSATION + "/bans", "moderator"),
    Case("PUT", CONVERSATION + "/bans/{account}", "moderator", {"reason": "spam"}),
    Case("DELETE", CONVERSATION + "/bans/{account}", "moderator"),
]
CASES += [
    Case("POST", CONVERSATION + "/invites", "moderator", {}),
    Case("GET", CONVERSATION + "/invites", "moderator"),
    Case("DELETE", INVITE, "moderator"),
]
CASES += [
    Case("GET", CONVERSATION + "/preferences", "member", writes=False),
    Case("PATCH", CONVERSATION + "/preferences", "member", {"is_pinned": True}, writes=False),
]
CASES += [
    Case("POST", SCHEDULED, "member", PLANNED),
    Case("GET", SCHEDULED, "member", writes=False),
    Case("PATCH", PLANNED_ONE, "fetching", {"due": "2035-01-01T00:00:00Z"}),
    Case("DELETE", PLANNED_ONE, "fetching"),
    Case("PUT", CONVERSATION + "/draft", "member", {"sealed": "AAAA"}),
    Case("DELETE", CONVERSATION + "/draft", "member", writes=False),
]
CASES += [
    Case("POST", MESSAGE + "/reactions", "member", {"client_message_id": str(uuid4()), "emoji": "+1"}),
    Case("GET", REACTORS, "member", writes=False),
    Case("POST", MESSAGE + "/pin", "moderator", {"client_message_id": str(uuid4())}),
    Case("GET", CONVERSATION + "/pins", "member", writes=False),
    Case("GET", MESSAGE + "/replies", "member", writes=False),
    Case("GET", CONVERSATION + "/threads", "member", writes=False),
    Case("PUT", MESSAGE + "/follow", "member", {"on": True}, writes=False),
]
CASES += [
    Case("GET", CONVERSATION + "/words", "moderator"),
    Case("PUT", CONVERSATION + "/words", "moderator", {"words": [{"text": "spam"}]}),
    Case("GET", CONVERSATION + "/held", "member", writes=False),
    Case("DELETE", HELD_ONE, "fetching"),
    Case("POST", HELD_ONE + "/decision", "moderator", {"approve": True}),
    Case("PUT", MESSAGE + "/flag", "member", {"reason": "spam"}),
    Case("DELETE", MESSAGE + "/flag", "member"),
    Case("GET", CONVERSATION + "/flags", "moderator"),
]
ENDING = Case("DELETE", CONVERSATION, "owner")
"""Asked last: nothing is left to ask."""
RANK = {"member": 0, "moderator": 1, "admin": 2, "owner": 3}
PEOPLE = ["outsider", "ex-member", "removed", "guest", "member", "moderator", "admin", "platform admin"]


@dataclass
class Scene:
    """A room, an ordinary member's message in it, and the person who asks."""

    room: str
    message: str
    victim: Device
    asker: Device


@pytest.fixture
async def scenes(world: World, server_admin: Any) -> Any:
    """Sets a scene for one kind of asker."""

    async def scene(who: str) -> Scene:
        owner, victim, asker = [await world.register(name) for name in ("owner", "victim", "asker")]
        room = await owner.room()
        await victim.join(room)
        said = await victim.send(room, "said before")
        if who not in {"outsider", "platform admin"}:
            await asker.join(room)
        if who == "ex-member":
            await asker.post(f"/conversations/{room}/leave")
        if who == "removed":
            await owner.call("DELETE", f"/conversations/{room}/members/{asker.account}")
        if who in {"moderator", "admin"}:
            await owner.call("PATCH", f"/conversations/{room}/members/{asker.account}", {"role": who})
        if who == "guest":
            await server_admin.execute("UPDATE accounts SET role = 'guest' WHERE account_id = $1", asker.account)
        if who == "platform admin":
            await server_admin.execute("UPDATE accounts SET role = 'admin' WHERE account_id = $1", asker.account)
        return Scene(room, said["id"], victim, asker)

    return scene


def expected(case: Case, who: str) -> str:
    """What this asker must get: `done`, or an error code."""
    is_member = who in {"member", "moderator", "admin", "guest"}
    if case.takes == "anyone":
        return "forbidden" if who == "guest" else "done"
    if not is_member:
        return "not_member"
    if case.takes in {"group", "sealing"}:
        return "forbidden" if (who, case.takes) == ("guest", "sealing") else "mode_mismatch"
    if case.takes == "fetching":
        return "not_found"
    if case.takes == "author" or (who == "guest" and case.writes):
        return "forbidden"
    rank = RANK["member" if who == "guest" else who]
    allowed = "not_found" if case.path in {ROLE, HELD_ONE + "/decision"} else "done"
    return allowed if rank >= RANK[case.takes] else "forbidden"


def filled(value: Any, scene: Scene) -> Any:
    """Put ids into a path or body."""
    if isinstance(value, str):
        places = {"conversation": scene.room, "message": scene.message, "account": scene.victim.account}
        for name, place in places.items():
            value = value.replace("{" + name + "}", place)
        return value
    return {k: filled(v, scene) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("case", [*CASES, ENDING], ids=lambda c: f"{c.method} {c.path}")
async def test_everybody_gets_what_is_theirs_and_nothing_else(scenes: Any, case: Case, who: str) -> None:
    scene = await scenes(who)
    path = filled(case.path, scene)
    params = {"client_message_id": uuid4()} if case.method == "DELETE" and "messages" in path else {}
    try:
        await scene.asker.call(case.method, path, filled(case.body, scene), **params)
        outcome = "done"
    except Problem as problem:
        outcome = problem.code
        told = str(problem.body)
    else:
        told = ""
    assert "said before" not in told
    if case.path.endswith("/restore") and expected(case, who) == "done":
        assert outcome == "invalid"  # allowed to ask; the message is not deleted
    else:
        assert outcome == expected(case, who)


IN_DIRECT = {
    ("GET", CONVERSATION): "done",
    ("PATCH", CONVERSATION): "forbidden",
    ("POST", CONVERSATION + "/join"): "done",
    ("POST", CONVERSATION + "/leave"): "forbidden",
    ("GET", CONVERSATION + "/members"): "done",
    ("PATCH", CONVERSATION + "/members/{account}"): "forbidden",
    ("DELETE", CONVERSATION + "/members/{account}"): "forbidden",
    ("POST", CONVERSATION + "/messages"): "mode_mismatch",
    ("GET", CONVERSATION + "/messages"): "mode_mismatch",
    ("GET", CONVERSATION + "/entries"): "done",
    ("POST", CONVERSATION + "/entries"): "stale_epoch",
    ("POST", CONVERSATION + "/read"): "done",
    ("POST", CONVERSATION + "/delivered"): "done",
    ("GET", MESSAGE): "mode_mismatch",
    ("PATCH", MESSAGE): "mode_mismatch",
    ("DELETE", MESSAGE): "mode_mismatch",
    ("POST", MESSAGE + "/restore"): "mode_mismatch",
    ("GET", MESSAGE + "/history"): "mode_mismatch",
    ("GET", MESSAGE + "/receipts"): "done",
    ("PUT", OBJECT): "done",
    ("GET", OBJECT): "done",
    ("POST", CONVERSATION + "/statements"): "mode_mismatch",
    ("GET", CONVERSATION + "/statements"): "mode_mismatch",
    ("GET", CONVERSATION + "/epoch"): "mode_mismatch",
    ("PUT", CARD): "mode_mismatch",
    ("POST", CONVERSATION + "/distributions"): "mode_mismatch",
    ("PUT", MEMBER + "/nickname"): "mode_mismatch",
    ("PUT", MEMBER + "/silence"): "forbidden",
    ("GET", CONVERSATION + "/preferences"): "done",
    ("PATCH", CONVERSATION + "/preferences"): "done",
    ("GET", CONVERSATION + "/silences"): "forbidden",
    ("DELETE", MEMBER + "/silence"): "forbidden",
    ("GET", CONVERSATION + "/roles"): "done",
    ("POST", CONVERSATION + "/roles"): "forbidden",
    ("PATCH", ROLE): "forbidden",
    ("DELETE", ROLE): "forbidden",
    ("POST", CONVERSATION + "/invites"): "forbidden",
    ("GET", CONVERSATION + "/invites"): "forbidden",
    ("DELETE", INVITE): "forbidden",
    ("DELETE", CONVERSATION): "forbidden",
    ("GET", CONVERSATION + "/bans"): "forbidden",
    ("PUT", CONVERSATION + "/bans/{account}"): "forbidden",
    ("DELETE", CONVERSATION + "/bans/{account}"): "forbidden",
    ("POST", MESSAGE + "/reactions"): "mode_mismatch",
    ("GET", REACTORS): "mode_mismatch",
    ("POST", MESSAGE + "/pin"): "mode_mismatch",
    ("GET", CONVERSATION + "/pins"): "mode_mismatch",
    ("GET", MESSAGE + "/replies"): "mode_mismatch",
    ("GET", CONVERSATION + "/threads"): "mode_mismatch",
    ("PUT", MESSAGE + "/follow"): "done",
    ("POST", SCHEDULED): "mode_mismatch",
    ("GET", SCHEDULED): "done",
    ("PATCH", PLANNED_ONE): "not_found",
    ("DELETE", PLANNED_ONE): "not_found",
    ("PUT", CONVERSATION + "/draft"): "done",
    ("DELETE", CONVERSATION + "/draft"): "done",
    ("GET", CONVERSATION + "/words"): "forbidden",
    ("PUT", CONVERSATION + "/words"): "forbidden",
    ("GET", CONVERSATION + "/held"): "mode_mismatch",
    ("DELETE", HELD_ONE): "not_found",
    ("POST", HELD_ONE + "/decision"): "forbidden",
    ("PUT", MESSAGE + "/flag"): "mode_mismatch",
    ("DELETE", MESSAGE + "/flag"): "mode_mismatch",
    ("GET", CONVERSATION + "/flags"): "forbidden",
}
"""What either of the two gets in a direct conversation: nobody manages it, nobody leaves, nothing readable is done."""


@pytest.mark.parametrize("who", ["one of the two", "outsider", "platform admin"])
async def test_a_direct_conversation_is_for_its_two(world: World, server_admin: Any, who: str) -> None:
    alice, bob, eve = [await world.register(name) for name in ("alice", "bob", "eve")]
    hers, _ = await over_the_wire(alice, bob)
    here = str(hers.conversation)
    said = await alice.post(f"/conversations/{here}/entries", keys.in_json(hers.seal()))
    if who == "platform admin":
        await server_admin.execute("UPDATE accounts SET role = 'admin' WHERE account_id = $1", eve.account)
    scene = Scene(here, said["id"], alice, bob if who == "one of the two" else eve)
    outcomes = {(case.method, case.path): await outcome_of(case, scene) for case in [*CASES, ENDING]}
    if who == "one of the two":
        assert outcomes == IN_DIRECT
        return
    assert outcomes.pop(("POST", CONVERSATION + "/join")) == "not_found"
    assert set(outcomes.values()) == {"not_member"}
    with pytest.raises(Problem, match="bad_conversation_id"):
        await eve.post("/conversations/direct", {"id": here, "account": bob.account})


IN_GROUP = {
    **IN_DIRECT,
    ("PATCH", CONVERSATION): "mode_mismatch",
    ("POST", CONVERSATION + "/join"): "mode_mismatch",
    ("POST", CONVERSATION + "/leave"): "mode_mismatch",
    ("PATCH", CONVERSATION + "/members/{account}"): "mode_mismatch",
    ("DELETE", CONVERSATION + "/members/{account}"): "mode_mismatch",
    ("POST", CONVERSATION + "/statements"): "bad_statement",
    ("GET", CONVERSATION + "/statements"): "done",
    ("GET", CONVERSATION + "/epoch"): "done",
    ("PUT", CARD): "forbidden",
    ("POST", CONVERSATION + "/distributions"): "stale_epoch",
    ("POST", CONVERSATION + "/invites"): "mode_mismatch",
    ("GET", CONVERSATION + "/invites"): "mode_mismatch",
    ("DELETE", INVITE): "mode_mismatch",
    ("PUT", MESSAGE + "/follow"): "not_found",
}
"""What an ordinary member of a group gets: whatever changes it is a statement or a sealed entry."""
BY_MODERATORS = {
    ("GET", CONVERSATION + "/bans"): "done",
    ("DELETE", CONVERSATION + "/bans/{account}"): "done",
    ("GET", CONVERSATION + "/silences"): "done",
    ("GET", CONVERSATION + "/words"): "mode_mismatch",
    ("PUT", CONVERSATION + "/words"): "mode_mismatch",
    ("POST", HELD_ONE + "/decision"): "mode_mismatch",
    ("GET", CONVERSATION + "/flags"): "mode_mismatch",
}
BY_OWNERS = BY_MODERATORS | {
    ("PUT", CARD): "not_found",
    ("DELETE", CONVERSATION): "done",
    ("PUT", MEMBER + "/silence"): "done",
    ("DELETE", MEMBER + "/silence"): "done",
    ("POST", CONVERSATION + "/roles"): "done",
    ("PATCH", ROLE): "not_found",
    ("DELETE", ROLE): "not_found",
    ("PUT", CONVERSATION + "/bans/{account}"): "mode_mismatch",
}
GIVEN = {"member": IN_GROUP, "moderator": IN_GROUP | BY_MODERATORS, "owner": IN_GROUP | BY_OWNERS}


@pytest.mark.parametrize("who", ["outsider", "platform admin", "ex-member", "removed", "member", "moderator", "owner"])
async def test_a_group_is_for_those_whom_its_statements_name(world: World, server_admin: Any, who: str) -> None:
    alice, bob, eve = [await world.register(name) for name in ("alice", "bob", "eve")]
    made = await groups.over_the_wire(alice, bob)
    owner, other = caller_of(alice), caller_of(bob)
    entries = await alice.get(f"/conversations/{made.id}/entries")
    scene = Scene(str(made.id), entries["entries"][0]["id"], alice, bob)
    if who in {"outsider", "platform admin"}:
        scene.asker = eve
    if who == "platform admin":
        await server_admin.execute("UPDATE accounts SET role = 'admin' WHERE account_id = $1", eve.account)
    if who == "ex-member":
        await groups.say_over_the_wire(made, bob, made.leave(other))
    if who == "removed":
        await groups.say_over_the_wire(made, alice, made.remove(owner, other))
    if who == "moderator":
        await groups.say_over_the_wire(made, alice, made.give_role(owner, other, 2))
    if who == "owner":
        await groups.say_over_the_wire(made, alice, made.give_role(owner, other, 4))
    outcomes = {(case.method, case.path): await outcome_of(case, scene) for case in [*CASES, ENDING]}
    if who in GIVEN:
        assert outcomes == GIVEN[who]
        return
    assert outcomes.pop(("POST", CONVERSATION + "/join")) == "not_found"
    assert set(outcomes.values()) == {"not_member"}


async def outcome_of(case: Case, scene: Scene) -> str:
    """What the asker of a scene gets: `done`, or an error code."""
    path = filled(case.path, scene)
    params = {"client_message_id": uuid4()} if case.method == "DELETE" and "messages" in path else {}
    try:
        await scene.asker.call(case.method, path, filled(case.body, scene), **params)
    except Problem as problem:
        return problem.code
    return "done"


async def test_every_route_of_a_conversation_has_its_row(world: World) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    routes = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if "{conversation}" in path
    }
    named = {
        OBJECT: CONVERSATION + "/objects/{object}",
        CARD: CONVERSATION + "/invites/{link}/card",
        INVITE: CONVERSATION + "/invites/{invite}",
        ROLE: CONVERSATION + "/roles/{role}",
        PLANNED_ONE: SCHEDULED + "/{scheduled}",
        HELD_ONE: CONVERSATION + "/held/{held}",
        HELD_ONE + "/decision": CONVERSATION + "/held/{held}/decision",
        REACTORS: MESSAGE + "/reactions",
    }
    assert routes == {(case.method, named.get(case.path, case.path)) for case in [*CASES, ENDING]}


@pytest.mark.parametrize("who", ["outsider", "ex-member", "removed"])
async def test_the_gateway_is_no_second_door_with_a_weaker_lock(scenes: Any, who: str) -> None:
    scene = await scenes(who)
    room, message = scene.room, scene.message
    key = str(uuid4())
    async with scene.asker.gateway() as here:
        for frame in (
            {"kind": "entries"},
            {"kind": "send", "message": content()},
            {"kind": "seal", "entry": SEALED},
            {"kind": "edit", "message": message, "change": content()},
            {"kind": "delete", "message": message, "client_message_id": key},
            {"kind": "delete", "message": message, "client_message_id": key, "scope": "me"},
            {"kind": "restore", "message": message, "client_message_id": key},
            {"kind": "react", "message": message, "reaction": {"client_message_id": key, "emoji": "+1"}},
            {"kind": "pin", "message": message, "pin": {"client_message_id": key}},
        ):
            answer = await here.ask(conversation=room, **frame)
            assert answer.get("code") == "not_member", frame
        await scene.victim.send(room, "not for you")
        heads = await here.ask("changes")
        assert room not in {head["conversation"] for head in heads["heads"]}
        assert not [f for f in here.frames if f["type"] == "entry"]
