"""What may be said is decided under the lock that gives it its place: rights, silence, archive, slow mode, lists."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.server.messages.conftest import Process, saying, waits_for_a_lock
from tests.support import rooms

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId
from aparte.wire.messages import SendMessage

Admin = Any


async def lounge(admin: Admin) -> tuple[ConversationId, Caller, Caller]:
    """A room of two, the first of whom owns it."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    return await rooms.room(admin, alice, bob), alice, bob


async def refused(process: Process, who: Caller, room: ConversationId, text: str = "hm") -> Refusal:
    """Why something is not stored."""
    with pytest.raises(Refusal) as refusal:
        await process.send(who, room, saying(text))
    return refusal.value


async def count(admin: Admin, room: ConversationId) -> int:
    """How many messages a room has."""
    found: int = await admin.fetchval("SELECT count(*) FROM messages WHERE conversation_id = $1", room)
    return found


async def test_who_may_not_post_does_not(admin: Admin, process: Process) -> None:
    room, alice, bob = await lounge(admin)
    await admin.execute("UPDATE members SET cannot_post = true WHERE account_id = $1", bob.account)
    assert (await refused(process, bob, room)).code == "forbidden"
    assert (await process.send(alice, room, saying("I may"))).seq == 1


async def test_a_right_that_is_taken_while_a_message_waits_is_gone(
    admin: Admin, process: Process, service_dsn: str
) -> None:
    """B-072: what is decided before the lock is decided by what has been."""
    room, _, bob = await lounge(admin)
    holder = await asyncpg.connect(service_dsn, ssl=False)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", room)
        waiting = asyncio.create_task(process.send(bob, room, saying("too late")))
        await waits_for_a_lock(admin)
        await holder.execute("UPDATE members SET cannot_post = true WHERE account_id = $1", bob.account)
    with pytest.raises(Refusal, match="forbidden"):
        await waiting
    await holder.close()
    assert await count(admin, room) == 0


async def test_who_is_silenced_is_told_until_when_and_why(admin: Admin, process: Process) -> None:
    """B-117: a silence that was over went on; B-118: nothing held one at sending."""
    room, alice, bob = await lounge(admin)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    silence = "UPDATE members SET silenced_until = $2, silenced_by = $3, silence_reason = 'é!' WHERE account_id = $1"
    await admin.execute(silence, bob.account, until, alice.account)
    told = await refused(process, bob, room)
    assert (told.code, told.data) == ("silenced", {"until": until.isoformat(), "reason": "é!"})
    await admin.execute(silence, bob.account, datetime.now(UTC) - timedelta(seconds=1), alice.account)
    assert (await process.send(bob, room, saying("at last"))).seq == 1


async def test_an_archive_is_read_and_a_deleted_room_is_not_there(admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    first = saying("said before")
    before = await process.send(alice, room, first)
    await admin.execute("UPDATE heads SET closed = 1 WHERE conversation_id = $1", room)
    assert (await refused(process, alice, room)).code == "archived"
    assert await process.send(alice, room, first) == before
    await admin.execute("UPDATE heads SET closed = 2 WHERE conversation_id = $1", room)
    assert (await refused(process, alice, room)).code == "not_member"


async def slow(admin: Admin, room: ConversationId, seconds: int) -> None:
    """Let everybody wait between two messages."""
    await admin.execute("UPDATE heads SET slow_seconds = $2 WHERE conversation_id = $1", room, seconds)


async def test_slow_mode_counts_from_the_message_before_also_from_before_it_was_on(
    admin: Admin, process: Process
) -> None:
    """B-118: nothing enforced it. R-328: again only so many seconds after one's previous message."""
    room, _, bob = await lounge(admin)
    await process.send(bob, room, saying("one"))
    await slow(admin, room, 60)
    told = await refused(process, bob, room)
    assert told.code == "slow_mode"
    assert told.retry_after is not None
    assert 50 < told.retry_after <= 60
    await slow(admin, room, 3_600)
    assert ((await refused(process, bob, room)).retry_after or 0) > 3_500
    await admin.execute("UPDATE members SET last_sent_at = last_sent_at - interval '3599 s'")
    told = await refused(process, bob, room)
    assert (told.code, 0 < (told.retry_after or 0) <= 1) == ("slow_mode", True)
    await admin.execute("UPDATE members SET last_sent_at = last_sent_at - interval '1 s'")
    assert (await process.send(bob, room, saying("two"))).seq == 2
    await slow(admin, room, 0)
    assert (await process.send(bob, room, saying("three"))).seq == 3


async def test_of_several_at_once_slow_mode_lets_one_pass_for_each_person(admin: Admin, process: Process) -> None:
    alice, bob, carol = [await rooms.person(admin) for _ in range(3)]
    room, elsewhere = await rooms.room(admin, alice, bob, carol), await rooms.room(admin, alice, bob)
    await slow(admin, room, 30)
    messages = [(who, room, saying(f"{n}")) for n in range(5) for who in (bob, carol)]
    messages.insert(3, (bob, elsewhere, saying("no hurry here")))
    done = await asyncio.gather(*(process.send(*message) for message in messages), return_exceptions=True)
    stored = [
        (message[0], one.seq) for message, one in zip(messages, done, strict=True) if not isinstance(one, Exception)
    ]  # type: ignore[union-attr]
    assert stored == [(bob, 1), (carol, 2), (bob, 1)]
    assert {one.code for one in done if isinstance(one, Refusal)} == {"slow_mode"}
    assert await count(admin, room) == 2


@pytest.mark.parametrize(
    ("role", "overrides", "custom", "is_exempt"),
    [
        ("owner", {}, None, True),
        ("moderator", {}, None, True),
        ("member", {}, None, False),
        ("member", {"manage_messages": True}, None, True),
        ("member", {}, {"manage_messages": True}, True),
        ("member", {"manage_messages": False}, {"manage_messages": True}, False),
        ("moderator", {"manage_messages": False}, None, False),
        ("moderator", {"pin": False}, {"manage_messages": False}, False),
    ],
)
async def test_who_manages_messages_waits_for_nobody(
    admin: Admin, process: Process, role: str, overrides: dict[str, bool], custom: Any, *, is_exempt: bool
) -> None:
    room, alice, bob = await lounge(admin)
    who = alice if role == "owner" else bob
    await slow(admin, room, 60)
    if custom is not None:
        await admin.execute(
            "INSERT INTO conversation_roles (conversation_id, role_id, name, permissions)"
            " VALUES ($1, $1, 'x', $2::text::jsonb)",
            room,
            str(custom).replace("'", '"').lower(),
        )
    await admin.execute(
        "UPDATE members SET role = $2, overrides = $3::text::jsonb, role_id = $4 WHERE account_id = $1",
        who.account,
        role,
        str(overrides).replace("'", '"').lower(),
        room if custom is not None else None,
    )
    await process.send(who, room, saying("one"))
    again = await asyncio.gather(process.send(who, room, saying("two")), return_exceptions=True)
    assert isinstance(again[0], Refusal) != is_exempt


class Lists:
    """Word lists that know one word, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, _caller: Caller, _conversation: ConversationId, message: SendMessage) -> None:
        self.asked.append(message.content.text)
        await asyncio.sleep(0)
        if "bad" in message.content.text:
            raise Refusal("held")
        if "broken" in message.content.text:
            raise RuntimeError


@pytest.fixture
async def screened(service_dsn: str, db: Database) -> Any:
    """A process that asks word lists, and these."""
    lists, rung = Lists(), []
    lanes = Lanes(service_dsn)
    writer = Writer(lanes, rung.extend, db, lists)
    writer.start()
    yield writer, lists
    await writer.close()
    await lanes.close()


async def test_a_screened_room_asks_about_each_message_in_its_turn(admin: Admin, screened: Any) -> None:
    writer, lists = screened
    room, alice, bob = await lounge(admin)
    quiet = await rooms.room(admin, alice)
    await admin.execute("UPDATE heads SET is_screened = true WHERE conversation_id = $1", room)
    texts = ["one", "bad two", "three", "broken four", "five"]
    first = saying("six")
    sends = [actions.send(writer, bob, room, saying(text)) for text in texts]
    sends += [actions.send(writer, alice, quiet, saying("elsewhere")), actions.send(writer, bob, room, first)]
    done = await asyncio.gather(*sends, return_exceptions=True)
    assert [one.code if isinstance(one, Refusal) else one.seq for one in done] == [  # type: ignore[union-attr]
        *(1, "held", 2, "unavailable", 3),
        *(1, 4),
    ]
    assert lists.asked == [*texts, "six"]
    assert (await actions.send(writer, bob, room, first)).seq == 4
    assert lists.asked == [*texts, "six"]


async def test_what_a_moderator_lets_through_is_not_asked_about_again(admin: Admin, screened: Any) -> None:
    writer, lists = screened
    room, alice, bob = await lounge(admin)
    await admin.execute("UPDATE heads SET is_screened = true WHERE conversation_id = $1", room)
    held = saying("bad word")
    with pytest.raises(Refusal, match="held"):
        await actions.send(writer, bob, room, held)
    sent = await actions.send_screened(writer, bob, room, held)
    assert sent.seq == 1
    assert await actions.send(writer, bob, room, held) == sent
    assert lists.asked == ["bad word"]
    await admin.execute("UPDATE members SET cannot_post = true WHERE account_id = $1", alice.account)
    with pytest.raises(Refusal, match="forbidden"):
        await actions.send_screened(writer, alice, room, saying("bad"))


async def test_nobody_is_asked_about_who_may_not_speak(admin: Admin, screened: Any) -> None:
    writer, lists = screened
    room, _, _ = await lounge(admin)
    mallory = await rooms.person(admin)
    await admin.execute("UPDATE heads SET is_screened = true WHERE conversation_id = $1", room)
    with pytest.raises(Refusal, match="not_member"):
        await actions.send(writer, mallory, room, saying("bad"))
    assert lists.asked == []
