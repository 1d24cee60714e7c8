"""A process may die at every step of an approval: the message is said once, and never before it is approved."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from tests.server.moderation.conftest import YES, Scene, said

from aparte.server.conversations import actions as conversations
from aparte.server.filters import actions as filters
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.server.moderation import actions
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId
from aparte.wire.messages import SendMessage, Sent
from aparte.wire.moderation import Decision

Admin = Any


async def test_dead_after_deciding(scene: Scene, admin: Admin) -> None:
    held = await scene.hold()
    assert await scene.round() == 0
    row = await scene.approve(held)
    assert "spam" not in repr(row)
    assert (row.status, await said(admin, scene.room)) == ("approved", [])
    assert (await scene.own_state())[f"held:{held}"]["status"] == "approved"
    assert await scene.round() == 1
    assert await said(admin, scene.room) == ["spam"]
    assert await scene.round() == 0
    assert await scene.own_state() == {f"held:{held}": None}


async def test_dead_after_sending(scene: Scene, admin: Admin) -> None:
    held = await scene.hold()
    row = await scene.approve(held)
    assert row.message is not None
    first = await scene.send(scene.author, scene.room, row.message)
    assert await scene.round() == 1
    assert await said(admin, scene.room) == ["spam"]
    kept = await admin.fetchrow("SELECT sent_id, message, status FROM held_messages WHERE held_id = $1", held)
    assert (kept["sent_id"], kept["message"], kept["status"]) == (first.id, None, "approved")


async def test_several_processes_send_it_once(scene: Scene, admin: Admin) -> None:
    for n in range(5):
        await scene.approve(await scene.hold(f"spam {n}"))
    await asyncio.gather(*(scene.round() for _ in range(4)))
    assert sorted(await said(admin, scene.room)) == [f"spam {n}" for n in range(5)]
    assert await scene.round() == 0


@pytest.mark.parametrize("code", ["unavailable", "slow_mode", "internal"])
async def test_what_says_nothing_of_the_message_is_tried_again(scene: Scene, admin: Admin, code: str) -> None:
    held = await scene.hold()

    async def refusing(_caller: Caller, _room: ConversationId, _message: SendMessage) -> Sent:
        if code == "internal":
            raise RuntimeError("something else")
        raise Refusal(code)

    told = await actions.decide(scene.db, refusing, scene.owner, scene.room, held, YES)
    assert (told.status, told.message) == ("approved", None)
    assert [held.status for held in await scene.waiting()] == ["approved"]
    assert await scene.round() == 1
    assert await said(admin, scene.room) == ["spam"]


async def test_what_the_server_stumbles_over_for_a_day_is_given_up(scene: Scene, admin: Admin) -> None:
    held = await scene.hold()
    await scene.approve(held)

    async def failing(_caller: Caller, _room: ConversationId, _message: SendMessage) -> Sent:
        raise RuntimeError("always")

    with capture_logs() as logs:
        assert await actions.send_approved(scene.db, failing, 0) == 1
    assert [entry["event"] for entry in logs] == ["approved_unsent"]
    assert "spam" not in str(logs)
    assert "always" not in str(logs)
    await admin.execute("UPDATE held_messages SET decided_at = decided_at - interval '25 hours'")
    assert await actions.send_approved(scene.db, failing, 0) == 1
    assert (await scene.own_state())[f"held:{held}"]["reason"] == "internal"
    assert await scene.round() == 0


async def test_what_was_approved_in_a_room_that_is_deleted_stops_no_other(scene: Scene, admin: Admin) -> None:
    """B-005: a job failed as a whole at its first bad row."""
    held = await scene.hold()
    await scene.approve(held)
    await conversations.delete(scene.db, scene.owner, scene.room)
    assert await scene.round() == 1
    kept = await admin.fetchrow("SELECT status, reason FROM held_messages WHERE held_id = $1", held)
    assert tuple(kept) == ("rejected", "not_member")
    assert await scene.round() == 0


async def test_slow_mode_is_no_reason_to_reject(scene: Scene, admin: Admin) -> None:
    """It was said when its author might; what they have said since makes it wait, and no more."""
    held = await scene.hold()
    await messages.send(
        scene.writer, scene.author, scene.room, SendMessage(ClientMessageId(uuid4()), MessageContent("x"))
    )
    await admin.execute("UPDATE heads SET slow_seconds = 3600 WHERE conversation_id = $1", scene.room)
    told = await actions.decide(scene.db, scene.send, scene.owner, scene.room, held, YES)
    assert (told.status, told.message) == ("approved", None)
    await admin.execute("UPDATE heads SET slow_seconds = 0 WHERE conversation_id = $1", scene.room)
    assert await scene.round() == 1
    assert await said(admin, scene.room) == ["x", "spam"]


async def test_what_was_decided_is_forgotten_after_thirty_days(scene: Scene, db: Database, admin: Admin) -> None:
    """Rejected, sent and withdrawn ones; what waits, waits."""
    rejected, sent, withdrawn, pending = [await scene.hold(f"spam {n}") for n in range(4)]
    await filters.decide(db, scene.owner, scene.room, rejected, Decision(approve=False))
    await actions.decide(db, scene.send, scene.owner, scene.room, sent, YES)
    await filters.withdraw(db, scene.author, scene.room, withdrawn)

    async def forget(days: int) -> int:
        await admin.execute(
            "UPDATE held_messages SET decided_at = clock_timestamp() - make_interval(days => $1)"
            " WHERE decided_at IS NOT NULL",
            days,
        )
        async with db.transaction() as tx:
            return await filters.forget_over(tx)

    assert await forget(29) == 0
    assert await forget(31) == 3
    assert [held.id for held in await scene.waiting()] == [pending]
    assert {key for key, value in (await scene.own_state()).items() if value} == {f"held:{pending}"}
    await admin.execute("UPDATE heads SET closed = 2 WHERE conversation_id = $1", scene.room)
    assert await forget(31) == 1
    assert not any((await scene.own_state()).values())
