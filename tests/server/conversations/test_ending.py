"""The end of a conversation: everybody is out at once, nothing is read, the name is free, the rows stay."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import groups, keys
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of

from aparte.e2ee.roster import direct_id


async def refusal(who: Device, method: str, path: str, body: Any = None, **params: Any) -> str:
    with pytest.raises(Problem) as told:
        await who.call(method, path, body, **params)
    return told.value.code


async def membership(who: Device, conversation: str) -> Any:
    """What the account's own devices know of its place."""
    page = await who.get("/account/state")
    return next(item.get("value") for item in page["items"] if item["key"] == f"membership:{conversation}")


async def test_a_deleted_room_is_there_for_nobody_and_its_name_is_free(world: World, server_admin: Any) -> None:
    """R-133, C-41: soft; B-104: nobody's messages are removed."""
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room(name := f"r {uuid4().hex[:8]}")
    at = f"/conversations/{room}"
    await bob.join(room)
    said = await bob.send(room, "words")
    made = await alice.post(f"{at}/invites", {})
    await alice.call("DELETE", at)
    for who in (alice, bob, carol):
        for path in (at, f"{at}/messages", f"{at}/entries", f"{at}/members", f"{at}/messages/{said['id']}"):
            assert await refusal(who, "GET", path) == "not_member"
    assert await refusal(alice, "DELETE", at) == "not_member"
    assert await refusal(carol, "POST", f"{at}/join") == "not_found"
    assert await refusal(carol, "POST", f"/invites/{made['token']}/enter") == "invite_over"
    with pytest.raises(Problem, match="not_member"):
        await bob.send(room, "anybody here?")
    assert (await bob.get("/conversations"))["conversations"] == []
    assert (await carol.get("/directory", name=name))["rooms"] == []
    assert await membership(bob, room) is None
    assert await carol.room(name) != room
    assert await server_admin.fetchval("SELECT count(*) FROM messages WHERE conversation_id = $1", UUID(room)) == 1
    row = await server_admin.fetchrow(
        "SELECT event, account_id FROM audit_entries WHERE conversation_id = $1 ORDER BY id DESC LIMIT 1", UUID(room)
    )
    assert tuple(row) == ("conversation_deleted", UUID(alice.account))


async def test_whoever_looks_on_hears_the_end_and_nothing_after_it(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    async with bob.gateway() as here:
        await alice.call("DELETE", f"/conversations/{room}")
        await here.wait(lambda frame: frame["type"] == "states")
        assert (await here.ask("entries", conversation=room))["code"] == "not_member"
        heads = await here.ask("changes")
        assert room not in {head["conversation"] for head in heads["heads"]}


@pytest.mark.parametrize("role", ["member", "moderator", "admin"])
async def test_its_owner_deletes_a_room_and_nobody_else(world: World, role: str) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": role})
    assert await refusal(bob, "DELETE", f"/conversations/{room}") == "forbidden"


async def test_a_deleted_group_takes_no_statement_and_is_not_begun_again(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made, new = groups.founding(caller_of(alice), caller_of(bob))
    await alice.post("/conversations/group", keys.in_json(new))
    at = f"/conversations/{made.id}"
    assert await refusal(bob, "DELETE", at) == "forbidden"
    await alice.call("DELETE", at)
    added = {"statements": [keys.in_json(made.add(caller_of(alice), caller_of(carol)))]}
    assert await refusal(alice, "POST", f"{at}/statements", added) == "not_member"
    assert await refusal(alice, "POST", "/conversations/group", keys.in_json(new)) == "not_member"
    assert await refusal(bob, "GET", f"{at}/statements") == "not_member"


async def test_whoever_comes_in_while_it_ends_is_out_as_well(world: World, server_admin: Any) -> None:
    alice, *others = [await world.register(name) for name in ("alice", "bob", "carol", "dave", "eve")]
    room = await alice.room()
    made = await alice.post(f"/conversations/{room}/invites", {})
    coming = [one.join(room) for one in others[:2]]
    coming += [one.post(f"/invites/{made['token']}/enter") for one in others[2:]]
    ending = alice.call("DELETE", f"/conversations/{room}")
    *outcomes, _ = await asyncio.gather(*coming, ending, return_exceptions=True)
    assert {getattr(one, "code", "in") for one in outcomes} <= {"in", "not_found", "not_member", "invite_over"}
    left = "SELECT count(*) FROM members WHERE conversation_id = $1 AND left_at IS NULL"
    assert await server_admin.fetchval(left, UUID(room)) == 0
    for one in others:
        assert (await one.get("/conversations"))["conversations"] == []


async def test_a_statement_that_meets_the_end_lets_nobody_in(world: World, server_admin: Any) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    made = await groups.over_the_wire(alice, bob)
    added = {"statements": [keys.in_json(made.add(caller_of(alice), caller_of(carol)))]}
    await asyncio.gather(
        alice.post(f"/conversations/{made.id}/statements", added),
        alice.call("DELETE", f"/conversations/{made.id}"),
        return_exceptions=True,
    )
    left = "SELECT count(*) FROM members WHERE conversation_id = $1 AND left_at IS NULL"
    assert await server_admin.fetchval(left, made.id) == 0
    assert (await carol.get("/conversations"))["conversations"] == []


async def test_a_direct_conversation_has_no_end(world: World) -> None:
    alice = await world.register("alice")
    notes = UUID(bytes=direct_id(UUID(alice.account).bytes, UUID(alice.account).bytes))
    await alice.post("/conversations/direct", {"id": str(notes), "account": alice.account})
    assert await refusal(alice, "DELETE", f"/conversations/{notes}") == "forbidden"
