"""Pins: who may, how many, in which order, and what becomes of them when their message goes."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import rooms
from tests.support.marking import delete, expire, pin, restore, shown
from tests.support.people import Device, Problem, World

from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, EntryId
from aparte.wire.messages import PinMessage


async def scene(world: World, count: int = 3) -> tuple[Device, Device, str, list[str]]:
    """A room of two, the first of whom owns it and has said so much."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    return alice, bob, room, [str((await alice.send(room, str(n)))["id"]) for n in range(count)]


async def pinned(who: Device, room: str) -> list[str]:
    """What is pinned, the newest pin first."""
    return [m["id"] for m in (await who.get(f"/conversations/{room}/pins"))["messages"]]


async def test_pins_are_listed_newest_first_and_shown_on_their_messages(world: World) -> None:
    """B-127: in every conversation, by one list."""
    alice, bob, room, ids = await scene(world)
    assert await pinned(bob, room) == []
    for message in (ids[1], ids[0]):
        await pin(alice, room, message)
    assert await pinned(bob, room) == [ids[0], ids[1]]
    page = await bob.get(f"/conversations/{room}/messages")
    marked = {m["id"]: m.get("pinned_by") for m in page["messages"]}
    assert marked == {ids[0]: alice.account, ids[1]: alice.account, ids[2]: None}
    entry = (await bob.get(f"/conversations/{room}/entries", limit=100))["entries"][-1]
    assert (entry["kind"], entry["body"], entry["target"]["id"]) == (5, {"on": True, "content": None}, ids[0])
    assert (await shown(bob, room, ids[0]))["pinned_at"] == entry["at"]


async def test_only_who_may_pins_and_unpins(world: World) -> None:
    alice, bob, room, ids = await scene(world)
    with pytest.raises(Problem, match="forbidden"):
        await pin(bob, room, ids[0])
    await pin(alice, room, ids[0])
    with pytest.raises(Problem, match="forbidden"):
        await pin(bob, room, ids[0], on=False)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": "moderator"})
    await pin(bob, room, ids[0], on=False)
    assert await pinned(alice, room) == []


async def test_what_is_pinned_stays_as_it_was_pinned_first(world: World) -> None:
    alice, bob, room, ids = await scene(world)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": "moderator"})
    first = await pin(alice, room, ids[0])
    assert await pin(bob, room, ids[0]) == first
    assert await pin(alice, room, ids[1], on=False) is None
    assert (await shown(bob, room, ids[0]))["pinned_by"] == alice.account
    key = uuid4()
    away = await pin(bob, room, ids[0], on=False, key=key)
    assert await pin(bob, room, ids[0], on=False, key=key) == away
    async with bob.gateway() as here:
        wanted = {"client_message_id": str(uuid4()), "on": False}
        assert (await here.ask("pin", conversation=room, message=ids[0], pin=wanted))["type"] == "done"
        wanted = {"client_message_id": str(uuid4()), "on": True}
        assert (await here.ask("pin", conversation=room, message=ids[0], pin=wanted))["type"] == "sent"
    assert await pinned(alice, room) == [ids[0]]


async def test_a_message_of_another_conversation_is_not_pinned(world: World) -> None:
    """B-074."""
    alice, _, room, ids = await scene(world)
    elsewhere = await alice.room()
    with pytest.raises(Problem, match="not_found"):
        await pin(alice, elsewhere, ids[0])
    assert await pinned(alice, elsewhere) == await pinned(alice, room) == []


async def test_a_pin_goes_with_its_message_and_comes_back_with_it(world: World) -> None:
    alice, bob, room, ids = await scene(world)
    for message in ids:
        await pin(alice, room, message)
    await delete(alice, room, ids[1])
    assert await pinned(bob, room) == [ids[2], ids[0]]
    with pytest.raises(Problem, match="gone"):
        await pin(alice, room, ids[1])
    await restore(alice, room, ids[1])
    assert await pinned(bob, room) == [ids[2], ids[1], ids[0]]
    await delete(alice, room, ids[1])
    await pin(alice, room, ids[1], on=False)
    await restore(alice, room, ids[1])
    assert await pinned(bob, room) == [ids[2], ids[0]]


async def test_what_has_expired_or_is_hidden_is_in_no_list(world: World, server_admin: Any) -> None:
    alice, bob, room, ids = await scene(world)
    for message in ids:
        await pin(alice, room, message)
    await expire(server_admin, ids[0])
    await bob.call("DELETE", f"/conversations/{room}/messages/{ids[1]}", scope="me")
    assert await pinned(bob, room) == [ids[2]]
    assert await pinned(alice, room) == [ids[2], ids[1]]


async def test_a_hundred_are_pinned_and_no_more_whatever_comes_back(db: Database, admin: Any) -> None:
    owner, other = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, owner, other)
    laid = """
        INSERT INTO messages (conversation_id, id, seq, account_id, ordinal, content, xid)
        SELECT $1, id_after(id_now(clock_timestamp() - interval '1 hour'), n), n, $2, n, '{"text": "words"}', 3
          FROM generate_series(1, $3::bigint) AS n RETURNING id
    """
    ids = [EntryId(row["id"]) for row in await admin.fetch(laid, room, owner.account, limits.PINS + 1)]
    await admin.execute("UPDATE heads SET last_seq = $2 WHERE conversation_id = $1", room, len(ids))

    async def put(message: EntryId, *, on: bool = True) -> None:
        await messages.pin(db, owner, room, message, PinMessage(ClientMessageId(uuid4()), on))

    for message in ids[:-1]:
        await put(message)
    with pytest.raises(Refusal, match="too_many"):
        await put(ids[-1])
    await messages.delete(db, owner, room, ids[0], ClientMessageId(uuid4()))
    await put(ids[-1])
    await messages.restore(db, owner, room, ids[0], ClientMessageId(uuid4()))
    listed = [message.id for message in (await messages.pinned(db, other, room)).messages]
    assert (len(listed), ids[0] in listed) == (limits.PINS, False)
    log = (await messages.entries(db, other, room, EntryId(UUID(int=0)), 500)).entries
    assert [(entry.kind, entry.target and entry.target.id) for entry in log[-2:]] == [(3, ids[0]), (5, ids[0])]
    await put(ids[1], on=False)
    await put(ids[0])


async def test_two_moderators_at_once_agree_afterwards(world: World) -> None:
    """Whatever order they come in, everybody's log ends in what the list shows."""
    alice, bob, room, ids = await scene(world, 1)
    await alice.call("PATCH", f"/conversations/{room}/members/{bob.account}", {"role": "moderator"})
    wishes = [(who, on) for on in (True, False, True, False) for who in (alice, bob)]
    await asyncio.gather(*(pin(who, room, ids[0], on=on) for who, on in wishes))
    log = (await bob.get(f"/conversations/{room}/entries", limit=100))["entries"]
    said = [entry["body"]["on"] for entry in log if entry["kind"] == 5]
    assert said == [n % 2 == 0 for n in range(len(said))], "each entry changes something"
    assert await pinned(alice, room) == await pinned(bob, room) == (ids if said[-1] else [])
