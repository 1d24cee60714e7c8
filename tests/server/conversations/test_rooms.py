"""Rooms over the wire: create, find, join, leave, roles, succession, profile."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.people import Device, Problem, World


async def kinds(who: Device, room: str) -> list[int]:
    """The kinds of a room's entries in order."""
    page = await who.get(f"/conversations/{room}/entries", limit=500)
    assert [entry["seq"] for entry in page["entries"]] == list(range(1, len(page["entries"]) + 1))
    return [entry["kind"] for entry in page["entries"]]


async def roles(who: Device, room: str) -> dict[str, str]:
    """Who has which role."""
    page = await who.get(f"/conversations/{room}/members")
    return {member["person"]["id"]: member["role"] for member in page["members"]}


async def test_a_new_server_has_a_lounge_that_everybody_may_join(world: World) -> None:
    alice = await world.register("alice")
    found = await alice.get("/directory", name="LOUNGE")
    assert [room["name"] for room in found["rooms"]] == ["lounge"]
    joined = await alice.join(found["rooms"][0]["id"])
    assert joined["membership"]["role"] == "member"
    assert joined["encryption_mode"] == "server"


async def test_a_room_is_found_by_name_and_by_a_part_of_it(world: World) -> None:
    alice = await world.register("alice")
    word = uuid4().hex[:12]
    made = [await alice.room(f"{word} {n} 100%_\\") for n in range(3)]
    page = await alice.get("/directory", query=f"{word.upper()} 1 100%_\\")
    assert [room["id"] for room in page["rooms"]] == [made[1]]
    first = await alice.get("/directory", query=word, limit=2)
    rest = await alice.get("/directory", query=word, limit=2, after=first["next"])
    assert [room["id"] for room in first["rooms"] + rest["rooms"]] == made
    assert rest["next"] is None


async def test_two_rooms_of_one_name_cannot_be(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    name = f"Straße {uuid4().hex[:8]}"
    outcomes = await asyncio.gather(alice.room(name), bob.room(name.upper()), return_exceptions=True)
    assert sorted(getattr(o, "code", "made") for o in outcomes) == ["made", "name_taken"]


async def test_joining_twice_is_joining_once(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await asyncio.gather(*(bob.join(room) for _ in range(5)))
    assert await kinds(alice, room) == [16, 17]
    assert (await alice.get(f"/conversations/{room}"))["member_count"] == 2


async def test_who_comes_back_starts_where_they_come_back(world: World) -> None:
    """B-027, B-049: one row per member; unread counts from the new place."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    await bob.post(f"/conversations/{room}/leave")
    for n in range(3):
        await alice.send(room, f"unheard {n}")
    with pytest.raises(Problem, match="not_member"):
        await bob.get(f"/conversations/{room}/messages")
    again = await bob.join(room)
    assert again["membership"]["unread"] == 0
    await alice.send(room, "welcome back")
    assert (await bob.get(f"/conversations/{room}"))["membership"]["unread"] == 1
    assert await kinds(alice, room) == [16, 17, 18, 1, 1, 1, 17, 1]


async def test_unread_counts_what_others_said_and_is_still_there(world: World) -> None:
    """B-001, B-058: who has read nothing has everything unread; B-061: a mark moves to its message, not to now."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    sent = [await alice.send(room, f"{n}") for n in range(5)]

    async def unread() -> int:
        mine = await bob.get(f"/conversations/{room}")
        count: int = mine["membership"]["unread"]
        return count

    assert await unread() == 5
    await alice.call("DELETE", f"/conversations/{room}/messages/{sent[4]['id']}", client_message_id=uuid4())
    assert await unread() == 4
    await bob.call("DELETE", f"/conversations/{room}/messages/{sent[3]['id']}", scope="me")
    assert await unread() == 3
    await bob.post(f"/conversations/{room}/read", {"up_to": {"seq": 0, "id": sent[1]["id"]}})
    assert await unread() == 1
    await bob.post(f"/conversations/{room}/read", {"up_to": {"seq": 0, "id": sent[0]["id"]}})
    assert await unread() == 1
    await bob.send(room, "I say so too")
    assert await unread() == 0


async def test_an_owner_who_leaves_hands_the_room_to_the_next_in_rank(world: World) -> None:
    """B-104: the room and everybody's messages stay."""
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room()
    await bob.join(room)
    await carol.join(room)
    await alice.send(room, "goodbye")
    await alice.call("PATCH", f"/conversations/{room}/members/{carol.account}", {"role": "moderator"})
    await alice.post(f"/conversations/{room}/leave")
    assert await roles(bob, room) == {bob.account: "member", carol.account: "owner"}
    assert await bob.texts(room) == ["goodbye"]
    await carol.post(f"/conversations/{room}/leave")
    assert await roles(bob, room) == {bob.account: "owner"}
    await bob.post(f"/conversations/{room}/leave")
    back = await alice.join(room)
    assert (back["member_count"], back["membership"]["role"]) == (1, "owner")
    await bob.join(room)
    assert await roles(bob, room) == {alice.account: "owner", bob.account: "member"}


async def test_an_owner_gives_the_room_away(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": "owner"})
    assert await roles(bob, room) == {alice.account: "admin", bob.account: "owner"}
    assert (await alice.get(f"/conversations/{room}"))["owner"] == bob.account


async def test_a_profile_changes_for_everyone_and_is_an_entry(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    with pytest.raises(Problem, match="forbidden"):
        await bob.call("PATCH", f"/conversations/{room}", {"topic": "mine now"})
    changed = await alice.call("PATCH", f"/conversations/{room}", {"topic": "tea", "description": "all about it"})
    assert (changed["topic"], changed["description"]) == ("tea", "all about it")
    assert changed["updated_at"] > changed["created_at"]
    await alice.call("PATCH", f"/conversations/{room}", {"topic": "tea"})
    assert await kinds(bob, room) == [16, 17, 6]


async def test_a_message_does_not_look_like_a_change_of_the_room(world: World) -> None:
    """B-014: a send moved the room's own time of change; B-013: an empty room looked freshly used."""
    alice = await world.register("alice")
    room = await alice.room()
    before = await alice.get(f"/conversations/{room}")
    assert before["last_message_at"] is None
    await alice.send(room, "hello")
    after = await alice.get(f"/conversations/{room}")
    assert after["updated_at"] == before["updated_at"]
    assert after["last_message_at"] is not None


async def test_conversations_are_listed_newest_activity_first(world: World) -> None:
    alice = await world.register("alice")
    rooms = [await alice.room() for _ in range(5)]
    await alice.send(rooms[1], "up again")
    listed: list[str] = []
    page: dict[str, Any] = {"next": None}
    while True:
        more = {"before": page["next"]} if page["next"] else {}
        page = await alice.get("/conversations", limit=2, **more)
        listed += [c["id"] for c in page["conversations"]]
        if page["next"] is None:
            break
    assert listed == [rooms[1], rooms[4], rooms[3], rooms[2], rooms[0]]


async def test_a_full_room_takes_nobody(world: World, server_admin: Any) -> None:
    """B-118."""
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room()
    await server_admin.execute("UPDATE conversations SET max_members = 2 WHERE conversation_id = $1", room)
    outcomes = await asyncio.gather(bob.join(room), carol.join(room), return_exceptions=True)
    assert sorted(getattr(o, "code", "in") for o in outcomes) == ["in", "room_full"]
    assert (await alice.get(f"/conversations/{room}"))["member_count"] == 2
