"""Links into rooms that the server can read: who may make one, who comes in by it, and when it leads nowhere (G-17)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import groups
from tests.support.people import Device, Problem, World
from tests.support.sealing import caller_of

from aparte.wire import limits


async def private_room(owner: Device) -> str:
    """A room that nobody finds."""
    return await owner.room(is_public=False, encryption_mode="server")


async def link(who: Device, room: str, **terms: Any) -> dict[str, Any]:
    made: dict[str, Any] = await who.post(f"/conversations/{room}/invites", terms)
    return made


async def enter(who: Device, made: dict[str, Any]) -> Any:
    return await who.post(f"/invites/{made['token']}/enter")


async def refusal(who: Device, method: str, path: str, body: Any = None) -> str:
    with pytest.raises(Problem) as told:
        await who.call(method, path, body)
    return told.value.code


async def open_links(who: Device, room: str) -> list[str]:
    return [one["id"] for one in (await who.get(f"/conversations/{room}/invites"))["invites"]]


async def test_whoever_has_a_link_sees_where_it_leads_and_comes_in(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room(f"p {uuid4().hex[:8]}", is_public=False, encryption_mode="server", welcome="hello")
    await alice.send(room, "before")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await link(alice, room, role="moderator", uses=2, expires_at=ends)
    shown = await bob.get(f"/invites/{made['token']}")
    assert (shown["conversation"], shown["kind"], shown["encryption_mode"]) == (room, "room", "server")
    assert (shown["member_count"], shown["uses_left"]) == (1, 2)
    assert shown["profile"]["welcome"] == "hello"
    came = await enter(bob, made)
    assert (came["id"], came["membership"]["role"], came["member_count"]) == (room, "moderator", 2)
    assert await bob.texts(room) == ["before"]
    assert (await enter(bob, made))["member_count"] == 2
    members = (await alice.get(f"/conversations/{room}/members"))["members"]
    invited_by = {member["person"]["id"]: member.get("invited_by") for member in members}
    assert invited_by[bob.account] == alice.account
    [listed] = (await alice.get(f"/conversations/{room}/invites"))["invites"]
    assert (listed["used"], listed["uses"], "token" in listed) == (1, 2, False)


async def test_a_link_is_used_as_often_as_it_says_however_many_come_at_once(world: World) -> None:
    alice, *others = [await world.register(name) for name in ("alice", "bob", "carol", "dave", "eve")]
    room = await private_room(alice)
    made = await link(alice, room, uses=2)
    outcomes = await asyncio.gather(*(enter(one, made) for one in others), return_exceptions=True)
    assert sorted(getattr(one, "code", "in") for one in outcomes) == ["in", "in", "invite_over", "invite_over"]
    assert (await alice.get(f"/conversations/{room}"))["member_count"] == 3
    assert await open_links(alice, room) == []


async def test_a_full_room_takes_nobody_and_the_link_stays(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room(is_public=False, encryption_mode="server", settings={"max_members": 2})
    made = await link(alice, room, uses=2)
    await enter(bob, made)
    with pytest.raises(Problem, match="room_full"):
        await enter(carol, made)
    await bob.post(f"/conversations/{room}/leave")
    await enter(carol, made)


async def test_a_link_that_is_over_looks_like_one_that_never_was(world: World, server_admin: Any) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await private_room(alice)
    past, closed = await link(alice, room), await link(alice, room)
    await server_admin.execute(
        "UPDATE invites SET expires_at = now() - interval '1 second' WHERE invite_id = $1", UUID(past["id"])
    )
    await alice.call("DELETE", f"/conversations/{room}/invites/{closed['id']}")
    await alice.call("DELETE", f"/conversations/{room}/invites/{closed['id']}")
    for token in (past["token"], closed["token"], str(uuid4())):
        assert await refusal(bob, "GET", f"/invites/{token}") == "invite_over"
        assert await refusal(bob, "POST", f"/invites/{token}/enter") == "invite_over"
    assert await open_links(alice, room) == []


async def test_a_banned_person_has_no_use_for_a_link(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await private_room(alice)
    made = await link(alice, room)
    await enter(bob, made)
    await alice.call("PUT", f"/conversations/{room}/bans/{bob.account}", {})
    with pytest.raises(Problem, match="banned"):
        await enter(bob, made)


async def test_who_may_invite_gives_what_stands_below_them(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await private_room(alice)
    at = f"/conversations/{room}"
    await enter(bob, await link(alice, room, role="moderator"))
    await enter(carol, await link(alice, room))
    assert await refusal(alice, "POST", f"{at}/invites", {"role": "owner"}) == "forbidden"
    assert await refusal(bob, "POST", f"{at}/invites", {"role": "moderator"}) == "forbidden"
    assert await refusal(carol, "POST", f"{at}/invites", {}) == "forbidden"
    assert await refusal(carol, "GET", f"{at}/invites") == "forbidden"
    await alice.call("PATCH", f"{at}/members/{carol.account}", {"permissions": {"invite": True}})
    hers = await link(carol, room)
    assert await refusal(carol, "POST", f"{at}/invites", {"role": "moderator"}) == "forbidden"
    his = await link(bob, room)
    assert await refusal(carol, "DELETE", f"{at}/invites/{his['id']}") == "forbidden"
    await bob.call("DELETE", f"{at}/invites/{hers['id']}")
    assert his["id"] in await open_links(alice, room)
    assert hers["id"] not in await open_links(alice, room)


async def test_a_link_ends_with_the_right_and_the_stay_of_who_made_it(world: World) -> None:
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await private_room(alice)
    at = f"/conversations/{room}"
    await enter(bob, await link(alice, room, role="admin"))
    his = await link(bob, room, role="moderator")
    await alice.call("PATCH", f"{at}/members/{bob.account}", {"role": "moderator"})
    assert await refusal(carol, "GET", f"/invites/{his['token']}") == "invite_over"
    lower = await link(bob, room)
    await alice.call("PATCH", f"{at}/members/{bob.account}", {"permissions": {"invite": False}})
    assert await refusal(carol, "GET", f"/invites/{lower['token']}") == "invite_over"
    await alice.call("PATCH", f"{at}/members/{bob.account}", {"permissions": {}})
    assert (await carol.get(f"/invites/{lower['token']}"))["conversation"] == room
    back = await link(alice, room, role="moderator")
    await bob.post(f"{at}/leave")
    assert await refusal(carol, "POST", f"/invites/{lower['token']}/enter") == "invite_over"
    await enter(bob, back)
    assert await refusal(carol, "POST", f"/invites/{lower['token']}/enter") == "invite_over"


async def test_in_an_archived_room_links_are_closed_and_none_is_made(world: World) -> None:
    alice = await world.register("alice")
    room = await private_room(alice)
    made = await link(alice, room)
    await alice.call("PATCH", f"/conversations/{room}", {"is_archived": True})
    assert await refusal(alice, "POST", f"/conversations/{room}/invites", {}) == "archived"
    assert await open_links(alice, room) == [made["id"]]
    await alice.call("DELETE", f"/conversations/{room}/invites/{made['id']}")
    assert await open_links(alice, room) == []


async def test_links_that_lead_nowhere_are_in_nobodys_way(world: World, server_admin: Any) -> None:
    """Who has left takes their links along: they are not counted, and not listed."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await private_room(alice)
    await enter(bob, await link(alice, room, role="moderator", uses=1))
    await server_admin.execute(
        """
        INSERT INTO invites (conversation_id, invite_id, token_hash, account_id, role)
        SELECT $1, gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), $2, 'member'
          FROM generate_series(1, $3)
        """,
        UUID(room),
        UUID(bob.account),
        limits.INVITES,
    )
    assert await refusal(alice, "POST", f"/conversations/{room}/invites", {}) == "too_many"
    await bob.post(f"/conversations/{room}/leave")
    made = await link(alice, room)
    assert await open_links(alice, room) == [made["id"]]


@pytest.mark.parametrize(
    "terms",
    [
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"uses": -1},
        {"uses": limits.MEMBERS + 1},
        {"role": "boss"},
    ],
)
async def test_terms_that_make_no_sense_are_refused(world: World, terms: dict[str, Any]) -> None:
    alice = await world.register("alice")
    room = await private_room(alice)
    assert await refusal(alice, "POST", f"/conversations/{room}/invites", terms) == "invalid"


async def test_as_many_links_are_open_as_there_may_be(world: World, server_admin: Any) -> None:
    alice = await world.register("alice")
    room = await private_room(alice)
    await server_admin.execute(
        """
        INSERT INTO invites (conversation_id, invite_id, token_hash, account_id, role)
        SELECT $1, gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), $2, 'member'
          FROM generate_series(1, $3)
        """,
        UUID(room),
        UUID(alice.account),
        limits.INVITES - 1,
    )
    last = await link(alice, room)
    assert await refusal(alice, "POST", f"/conversations/{room}/invites", {}) == "too_many"
    await alice.call("DELETE", f"/conversations/{room}/invites/{last['id']}")
    await link(alice, room)


async def test_the_two_kinds_of_links_lead_by_their_own_doors(world: World) -> None:
    """A joining of an encrypted conversation is signed; of a readable one it is asked for."""
    alice, bob = await world.register("alice"), await world.register("bob")
    made = await groups.over_the_wire(alice)
    sealed = groups.Link()
    await groups.say_over_the_wire(made, alice, made.open(caller_of(alice), sealed), token=str(sealed.token))
    assert await refusal(bob, "POST", f"/invites/{sealed.token}/enter") == "mode_mismatch"
    shown = await bob.get(f"/invites/{sealed.token}")
    assert (shown["conversation"], shown["kind"], shown["number"]) == (str(made.id), "group", 2)
    assert await refusal(alice, "POST", f"/conversations/{made.id}/invites", {}) == "mode_mismatch"
    room = await private_room(alice)
    readable = await link(alice, room)
    assert await refusal(bob, "GET", f"/invites/{readable['token']}/statements") == "invite_over"


async def test_links_that_are_over_fill_no_table(world: World, server_admin: Any) -> None:
    """A new link takes the row of one that is closed, past or used up, and of nothing else."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await private_room(alice)
    kept = await link(alice, room)
    closed = await link(alice, room)
    await alice.call("DELETE", f"/conversations/{room}/invites/{closed['id']}")
    past = await link(alice, room, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    await server_admin.execute(
        "UPDATE invites SET expires_at = now() - interval '1 s' WHERE invite_id = $1", UUID(past["id"])
    )
    used = await link(alice, room, uses=1)
    await enter(bob, used)
    new = await link(alice, room, role="moderator", uses=3)
    assert await server_admin.fetchval("SELECT count(*) FROM invites WHERE conversation_id = $1", UUID(room)) == 2
    assert await open_links(alice, room) == [kept["id"], new["id"]]
    for one in (closed, past, used):
        assert await refusal(bob, "GET", f"/invites/{one['token']}") == "invite_over"
    carol = await world.register("carol")
    assert (await enter(carol, new))["membership"]["role"] == "moderator"
    assert (await enter(await world.register("dave"), kept))["membership"]["role"] == "member"


async def test_the_server_keeps_the_hash_of_a_token_alone(world: World, server_admin: Any) -> None:
    alice = await world.register("alice")
    room = await private_room(alice)
    made = await link(alice, room)
    row = await server_admin.fetchrow("SELECT * FROM invites WHERE invite_id = $1", UUID(made["id"]))
    token = UUID(made["token"])
    assert token not in row.values()
    assert token.bytes not in row.values()
    told = await server_admin.fetch(
        "SELECT event, details::text, resource_id FROM audit_entries WHERE conversation_id = $1", UUID(room)
    )
    assert "invite_created" in {entry["event"] for entry in told}
    assert str(token) not in str([tuple(entry) for entry in told])


async def test_guests_come_by_no_link(world: World, server_admin: Any) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    made = await link(alice, await private_room(alice))
    await server_admin.execute("UPDATE accounts SET role = 'guest' WHERE account_id = $1", UUID(bob.account))
    with pytest.raises(Problem, match="forbidden"):
        await enter(bob, made)
