"""Threads: counts that hold through deletions, restores and expiry, who follows, which come first; and quotations."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support.marking import delete, expire, follow, react, reply, restore, shown
from tests.support.people import Device, Problem, World

from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages


async def scene(world: World) -> tuple[Device, Device, Device, str, str]:
    """A room of three, and a message of the first one."""
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room()
    await bob.join(room)
    await carol.join(room)
    return alice, bob, carol, room, str((await alice.send(room, "root"))["id"])


async def thread(who: Device, room: str, root: str) -> dict[str, Any]:
    """What hangs under a message, as somebody is shown it."""
    found: dict[str, Any] = (await shown(who, room, root)).get("thread", {})
    return found


async def threads(who: Device, room: str, **params: Any) -> list[str]:
    """Roots of threads, in their order."""
    return [root["id"] for root in (await who.get(f"/conversations/{room}/threads", **params))["roots"]]


async def test_a_root_counts_its_replies_and_names_the_newest(world: World) -> None:
    """B-108: whatever has had a reply is a root."""
    alice, bob, _, room, root = await scene(world)
    assert await thread(bob, room, root) == {}
    replies = [await reply(bob, room, root, str(n)) for n in range(3)]
    assert await thread(alice, room, root) == {"count": 3, "last": replies[2], "is_followed": True}
    assert (await shown(alice, room, replies[0]))["root"] == root
    page = await alice.get(f"/conversations/{room}/messages")
    assert [m.get("root") for m in page["messages"]] == [None, root, root, root], "they stand among all others too"


async def test_a_thread_is_paged_as_the_room_is(world: World) -> None:
    alice, bob, _, room, root = await scene(world)
    ids = []
    for n in range(9):
        ids.append(await reply(bob, room, root, str(n)))
        await alice.send(room, f"beside {n}")
    path = f"/conversations/{room}/messages"
    newest = await alice.get(path, thread=root, limit=4)
    assert [m["id"] for m in newest["messages"]] == ids[5:]
    older = await alice.get(path, thread=root, limit=4, before=newest["older"])
    assert [m["id"] for m in older["messages"]] == ids[1:5]
    around = await alice.get(path, thread=root, limit=3, around=ids[4])
    assert [m["id"] for m in around["messages"]] == ids[3:6]
    forward = await alice.get(path, thread=root, limit=20, after=ids[6])
    assert ([m["id"] for m in forward["messages"]], forward["newer"]) == (ids[7:], None)
    assert (await alice.get(path, thread=ids[0]))["messages"] == []
    with pytest.raises(Problem, match="not_found"):
        await alice.get(path, thread=uuid4())
    elsewhere = await alice.room()
    with pytest.raises(Problem, match="not_found"):
        await alice.get(f"/conversations/{elsewhere}/messages", thread=root)


async def test_counts_hold_through_deletion_restore_and_expiry(world: World, server_admin: Any) -> None:
    """B-101, C-58: a reply is counted off once, whatever befalls it twice."""
    alice, bob, _, room, root = await scene(world)
    first, second, third = [await reply(bob, room, root, str(n)) for n in range(3)]
    await delete(bob, room, third)
    assert (await thread(alice, room, root))["last"] == second
    with pytest.raises(Problem, match="gone"):
        await delete(alice, room, third)
    assert (await thread(alice, room, root))["count"] == 2
    await restore(bob, room, third)
    assert await thread(alice, room, root) == {"count": 3, "last": third, "is_followed": True}
    await expire(server_admin, third)
    assert (await thread(alice, room, root))["last"] == second
    for message in (first, second):
        await delete(bob, room, message)
    assert "last" not in await thread(alice, room, root)
    page = await alice.get(f"/conversations/{room}/messages", thread=root, tombstones=True)
    assert [m["id"] for m in page["messages"]] == [first, second]


async def test_a_thread_outlives_its_root_and_is_not_answered_then(world: World) -> None:
    alice, bob, _, room, root = await scene(world)
    said = await reply(bob, room, root, "still here")
    await delete(alice, room, root)
    page = await bob.get(f"/conversations/{room}/messages", thread=root)
    assert [m["id"] for m in page["messages"]] == [said]
    assert await threads(bob, room) == [root]
    assert "content" not in (await bob.get(f"/conversations/{room}/threads"))["roots"][0]
    with pytest.raises(Problem, match="gone"):
        await reply(bob, room, root, "too late")


async def test_threads_come_in_the_order_of_their_newest_replies(world: World) -> None:
    alice, bob, carol, room, root = await scene(world)
    others = [str((await alice.send(room, str(n)))["id"]) for n in range(4)]
    assert await threads(bob, room) == []
    for one in (root, *others[:3]):
        await reply(bob, room, one, "first")
    again = await reply(carol, room, root, "newest")
    assert await threads(bob, room) == [root, others[2], others[1], others[0]]
    assert await threads(carol, room, followed=True) == [root]
    assert await threads(alice, room, followed=True) == [root, others[2], others[1], others[0]]
    page = await bob.get(f"/conversations/{room}/threads", limit=3)
    assert page["next"] is not None
    assert await threads(bob, room, limit=3, before=page["next"]) == [others[0]]
    await delete(carol, room, again)
    assert await threads(bob, room) == [others[2], others[1], others[0], root]
    await bob.call("DELETE", f"/conversations/{room}/messages/{others[2]}", scope="me")
    assert await threads(bob, room) == [others[1], others[0], root]


async def test_who_begins_a_thread_or_answers_in_it_follows_it_until_they_say_otherwise(world: World) -> None:
    alice, bob, carol, room, root = await scene(world)
    await reply(bob, room, root, "hello")
    followers = [bool((await thread(who, room, root)).get("is_followed")) for who in (alice, bob, carol)]
    assert followers == [True, True, False]
    await follow(carol, room, root)
    await follow(alice, room, root, on=False)
    await follow(alice, room, root, on=False)
    await reply(alice, room, root, "an answer changes nothing of what was said")
    followers = [bool((await thread(who, room, root)).get("is_followed")) for who in (alice, bob, carol)]
    assert followers == [False, True, True]
    state = {item["key"]: item["value"] for item in (await alice.get("/account/state"))["items"]}
    assert state[f"thread:{room}:{root}"] == {"is_followed": False}
    assert f"thread:{room}:{root}" not in {item["key"] for item in (await bob.get("/account/state"))["items"]}


async def test_only_a_message_of_this_conversation_that_is_no_reply_is_followed(world: World) -> None:
    alice, bob, _, room, root = await scene(world)
    said = await reply(bob, room, root, "hello")
    with pytest.raises(Problem, match="invalid"):
        await follow(bob, room, said)
    with pytest.raises(Problem, match="not_found"):
        await follow(bob, room, str(uuid4()))
    elsewhere = await alice.room()
    with pytest.raises(Problem, match="not_found"):
        await follow(alice, elsewhere, root)
    plain = str((await bob.send(room, "nothing under it yet"))["id"])
    await follow(alice, room, plain)
    assert await thread(alice, room, plain) == {}
    await reply(bob, room, plain, "first")
    assert (await thread(alice, room, plain))["is_followed"] is True


async def test_replies_at_once_are_counted_once_each(world: World) -> None:
    alice, bob, carol, room, root = await scene(world)
    ids = await asyncio.gather(*(reply(who, room, root, f"{n}") for n in range(5) for who in (bob, carol)))
    await asyncio.gather(*(delete(alice, room, message) for message in ids[:4]))
    page = await alice.get(f"/conversations/{room}/messages", thread=root)
    assert (await thread(alice, room, root))["count"] == len(page["messages"]) == 6
    assert (await thread(alice, room, root))["last"] == page["messages"][-1]["id"] == max(ids[4:])


async def test_quotations_of_a_message_are_found(world: World) -> None:
    """R-208: by key, in order, without what is gone."""
    alice, bob, _, room, root = await scene(world)
    answers = [str((await bob.send(room, str(n), reply=root))["id"]) for n in range(4)]
    await reply(bob, room, root, "in the thread, which is another thing")
    await delete(bob, room, answers[1])
    path = f"/conversations/{room}/messages/{root}/replies"
    page = await alice.get(path, limit=2)
    assert [m["id"] for m in page["messages"]] == [answers[0], answers[2]]
    assert [m["id"] for m in (await alice.get(path, after=page["next"]))["messages"]] == [answers[3]]
    await delete(alice, room, root)
    assert len((await alice.get(path))["messages"]) == 3
    with pytest.raises(Problem, match="not_found"):
        await alice.get(f"/conversations/{room}/messages/{uuid4()}/replies")


async def test_wrong_counts_are_mended(world: World, server_admin: Any, server: Any) -> None:
    """C-58: a job compares and repairs."""
    alice, bob, _, room, root = await scene(world)
    await reply(bob, room, root, "one")
    await react(bob, room, root, "+1")
    await server_admin.execute("UPDATE threads SET reply_count = 9 WHERE root_id = $1", UUID(root))
    await server_admin.execute("UPDATE reaction_counts SET reaction_count = 9 WHERE message_id = $1", UUID(root))
    assert (await thread(alice, room, root))["count"] == 9
    db = Database(server.admin_dsn)
    await db.open()
    try:
        assert await messages.repair_counts(db) >= 2
    finally:
        await db.close()
    assert (await thread(alice, room, root))["count"] == 1
    assert (await shown(alice, room, root))["reactions"]["+1"]["count"] == 1
