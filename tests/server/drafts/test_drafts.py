"""Drafts at the server: bytes for one's own devices, the last one wins, nobody else ever hears of them."""

import asyncio
import base64
import os
from typing import Any

import pytest
from tests.support import rooms
from tests.support.people import Problem, World

from aparte.server.drafts import actions
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.conversations import Draft
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId

Admin = Any


async def found(db: Database, caller: Caller, conversation: ConversationId) -> bytes | None:
    """What the account state has."""
    async with db.read() as reader:
        value = await state.get(reader, caller.account, f"draft:{conversation}")
    return base64.b64decode(value["sealed"]) if value else None


async def test_the_last_one_wins_and_is_told_to_ones_own_devices_alone(db: Database, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    await actions.put(db, alice, room, Draft(b"first"))
    await actions.put(db, alice, room, Draft(b"second"))
    await actions.put(db, bob, room, Draft(b"of bob"))
    assert (await found(db, alice, room), await found(db, bob, room)) == (b"second", b"of bob")
    await actions.remove(db, alice, room)
    assert (await found(db, alice, room), await found(db, bob, room)) == (None, b"of bob")


async def test_of_many_at_once_one_stays(db: Database, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    written = [os.urandom(20) for _ in range(8)]
    await asyncio.gather(*(actions.put(db, alice, room, Draft(one)) for one in written))
    page = await state.page(db, alice, 0)
    [item] = [item for item in page.items if item.key == f"draft:{room}"]
    assert base64.b64decode(item.value["sealed"]) in written


async def test_who_is_not_in_keeps_nothing_and_may_forget_what_was_theirs(db: Database, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    await actions.put(db, bob, room, Draft(b"before going"))
    await admin.execute("UPDATE members SET left_at = now() WHERE account_id = $1", bob.account)
    with pytest.raises(Refusal) as refusal:
        await actions.put(db, bob, room, Draft(b"after going"))
    assert refusal.value.code == "not_member"
    await actions.remove(db, bob, room)
    assert await found(db, bob, room) is None


async def test_forgetting_what_is_not_there_writes_nothing(db: Database, admin: Admin) -> None:
    alice = await rooms.person(admin)
    for _ in range(2):
        await actions.remove(db, alice, await rooms.room(admin, alice))
    assert await admin.fetchval("SELECT count(*) FROM account_state WHERE key LIKE 'draft:%'") == 0


async def test_guests_keep_none(db: Database, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    with pytest.raises(Refusal) as refusal:
        await actions.put(db, alice._replace(role="guest"), room, Draft(b"x"))
    assert refusal.value.code == "forbidden"


async def test_over_rest_up_to_their_limit(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    path = f"/conversations/{room}/draft"
    for size, code in ((limits.DRAFT_BYTES, None), (limits.DRAFT_BYTES + 1, "invalid"), (0, "invalid")):
        body = {"sealed": base64.b64encode(bytes(size)).decode()}
        if code is None:
            await alice.call("PUT", path, body)
            continue
        with pytest.raises(Problem) as problem:
            await alice.call("PUT", path, body)
        assert problem.value.code == code
    items = (await alice.get("/account/state"))["items"]
    [draft] = [item for item in items if item["key"] == f"draft:{room}"]
    assert len(base64.b64decode(draft["value"]["sealed"])) == limits.DRAFT_BYTES
    await alice.call("DELETE", path)
