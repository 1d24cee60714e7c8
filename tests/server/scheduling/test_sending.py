"""What is due is said once, in order, by whoever is there; what may not be said any more is not."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.server.scheduling.conftest import SOON, Process, let_pass, said, status_of, words
from tests.support import rooms

from aparte.server.kit.clock import now
from aparte.server.scheduling import actions
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, new_id
from aparte.wire.messages import ScheduledChange

Admin = Any


async def kept_state(process: Process, caller: Any) -> dict[str, Any]:
    """The author's account state about scheduled messages."""
    page = await state.page(process.db, caller, 0)
    return {item.key: item.value for item in page.items if item.key.startswith("scheduled:")}


async def test_it_is_said_when_it_is_due_and_not_before(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "good morning")
    assert await process.round() == 0
    assert await words(admin, room) == []
    assert (await kept_state(process, alice))[f"scheduled:{one.id}"]["status"] == "waiting"
    await let_pass(admin, one.id)
    assert await process.round() == 1
    assert await words(admin, room) == ["good morning"]
    assert await status_of(admin, one.id) == ("sent", None)
    row = await admin.fetchrow("SELECT * FROM scheduled_messages JOIN messages ON id = sent_id")
    assert (row["client_message_id"], row["is_sent"], row["message"]) == (one.client_message_id, True, None)
    assert await kept_state(process, alice) == {f"scheduled:{one.id}": None}
    assert await process.round() == 0


async def test_after_a_long_silence_all_of_it_goes_out_in_order(process: Process, admin: Admin) -> None:
    """Nothing was there to send for days, and more was due than one round takes."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    expected = []
    for n in range(100):
        for who in (bob, alice):
            one = await process.add(who, room, f"{n} of {who.account}")
            await let_pass(admin, one.id, 200_000 - len(expected))
            expected.append(f"{n} of {who.account}")
    late = await process.add(alice, await rooms.room(admin, alice), "elsewhere")
    await let_pass(admin, late.id)
    assert await process.round() == 201
    assert await words(admin, room) == expected


@pytest.mark.parametrize("point", ["before", "after"])
async def test_who_dies_beside_the_sending_has_sent_it_once(
    process: Process, other: Process, admin: Admin, point: str
) -> None:
    """B-071: a crash between the insert and the mark sent it twice."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "once")
    await let_pass(admin, one.id)
    reached = asyncio.Event()

    async def dying(*what: Any) -> Any:
        if point == "after":
            await process.delivery.send(*what)
        reached.set()
        await asyncio.Event().wait()

    dying_round = asyncio.ensure_future(actions.send_due(process.db, replace(process.delivery, send=dying)))
    await reached.wait()
    assert await other.round() == 0  # the rows are held by who lives
    dying_round.cancel()
    await asyncio.gather(dying_round, return_exceptions=True)
    assert await status_of(admin, one.id) == ("waiting", None)
    assert await words(admin, room) == (["once"] if point == "after" else [])
    assert await other.round() == 1
    assert await words(admin, room) == ["once"]
    assert await status_of(admin, one.id) == ("sent", None)


async def test_what_was_sent_and_not_marked_is_nobodys_to_take_back(process: Process, admin: Admin) -> None:
    """B-071: sent and cancelled at once. Between the sending and the mark the author is told that it is over."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "said")
    await let_pass(admin, one.id)
    row = await admin.fetchrow("SELECT client_message_id FROM scheduled_messages")
    await process.delivery.send(alice, room, said(row["client_message_id"], "said"))
    for attempt in (
        actions.cancel(process.db, alice, room, one.id),
        actions.change(process.db, process.delivery, alice, (room, one.id), ScheduledChange(due=now() + SOON)),
    ):
        with pytest.raises(Refusal) as refusal:
            await attempt
        assert refusal.value.code == "over"
    await process.round()
    assert await words(admin, room) == ["said"]
    assert await status_of(admin, one.id) == ("sent", None)


async def test_two_processes_and_an_author_who_changes_their_mind(
    process: Process, other: Process, admin: Admin
) -> None:
    """Whoever wins: it is either taken back and never said, or said once."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    ones = [await process.add(alice, room, f"words {n}") for n in range(60)]

    async def take_back(one: Any) -> None:
        try:
            await actions.cancel(process.db, alice, room, one.id)
        except Refusal as refusal:
            assert refusal.code == "over"

    await admin.execute(
        """
        UPDATE scheduled_messages s SET look_at = clock_timestamp(),
               due_at = clock_timestamp() + interval '50 ms' * (n.nth / 10)
          FROM (SELECT scheduled_id, row_number() OVER () AS nth FROM scheduled_messages) n
         WHERE s.scheduled_id = n.scheduled_id
        """
    )
    rounds = [side.round() for side in (process, other) * 4]
    await asyncio.gather(*rounds, *(take_back(one) for one in ones[::2]))
    await admin.execute("UPDATE scheduled_messages SET due_at = clock_timestamp(), look_at = clock_timestamp()")
    await asyncio.gather(process.round(), other.round())
    await process.round()
    rows = await admin.fetch("SELECT status, scheduled_id FROM scheduled_messages")
    statuses = {row["scheduled_id"]: row["status"] for row in rows}
    assert set(statuses.values()) <= {"sent", "cancelled"}
    sent = [f"words {n}" for n, one in enumerate(ones) if statuses[one.id] == "sent"]
    assert sorted(await words(admin, room)) == sorted(sent)


async def test_who_was_removed_says_nothing_any_more(process: Process, admin: Admin) -> None:
    """B-072: rights are judged when it is due."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    one = await process.add(bob, room, "still here?")
    await admin.execute("UPDATE members SET left_at = now() WHERE account_id = $1", bob.account)
    await let_pass(admin, one.id)
    await process.round()
    assert await words(admin, room) == []
    assert await status_of(admin, one.id) == ("refused", "not_member")
    told = (await kept_state(process, bob))[f"scheduled:{one.id}"]
    assert (told["status"], told["refused"]) == ("refused", "not_member")
    await actions.cancel(process.db, bob, room, one.id)  # put away, though one is out
    assert await kept_state(process, bob) == {f"scheduled:{one.id}": None}


MEANWHILE = {
    "silenced": "UPDATE members SET silenced_until = now() + interval '1 day', silenced_by = $2, silence_reason = 'x'"
    " WHERE conversation_id = $1 AND account_id = $2",
    "forbidden": "UPDATE members SET cannot_post = true WHERE conversation_id = $1 AND account_id = $2",
    "archived": "UPDATE heads SET closed = 1 WHERE conversation_id = $1 AND $2::uuid IS NOT NULL",
    "not_member": "UPDATE heads SET closed = 2 WHERE conversation_id = $1 AND $2::uuid IS NOT NULL",
}


@pytest.mark.parametrize("code", MEANWHILE)
async def test_what_one_may_is_judged_when_it_is_due(process: Process, admin: Admin, code: str) -> None:
    """B-072: and told to the author with its code."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    one = await process.add(bob, room, "words")
    await admin.execute(MEANWHILE[code], room, bob.account)
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("refused", code)
    assert await words(admin, room) == []
    assert (await kept_state(process, bob))[f"scheduled:{one.id}"]["refused"] == code


async def test_slow_mode_holds_for_what_was_scheduled_too(process: Process, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    await admin.execute("UPDATE heads SET slow_seconds = 60 WHERE conversation_id = $1", room)
    ones = [await process.add(bob, room, f"{n}") for n in range(2)]
    for n, one in enumerate(ones):
        await let_pass(admin, one.id, 10 - n)
    await process.round()
    assert await words(admin, room) == ["0"]
    assert [await status_of(admin, one.id) for one in ones] == [("sent", None), ("refused", "slow_mode")]


async def test_what_a_moderator_must_see_first_is_out_of_the_authors_hands(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "words on a list")

    async def held(*_: Any) -> Any:
        raise Refusal("held")

    await let_pass(admin, one.id)
    await actions.send_due(process.db, replace(process.delivery, send=held))
    assert await status_of(admin, one.id) == ("sent", None)
    assert await admin.fetchval("SELECT sent_id FROM scheduled_messages") is None
    assert await kept_state(process, alice) == {f"scheduled:{one.id}": None}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("role = 'guest'", "forbidden"),
        ("is_active = false", "account_closed"),
        ("is_suspended = true", "account_closed"),
    ],
)
async def test_an_account_that_may_nothing_says_nothing(process: Process, admin: Admin, change: str, code: str) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "words")
    await admin.execute(f"UPDATE accounts SET {change} WHERE account_id = $1", alice.account)  # noqa: S608 - constant
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("refused", code)
    assert await words(admin, room) == []


async def test_what_stumbles_over_the_server_is_tried_again_and_nothing_overtakes_it(
    process: Process, admin: Admin
) -> None:
    alice = await rooms.person(admin)
    room, elsewhere = await rooms.room(admin, alice), await rooms.room(admin, alice)
    ones = [await process.add(alice, where, text) for where, text in ((room, "1"), (room, "2"), (elsewhere, "3"))]
    for n, one in enumerate(ones):
        await let_pass(admin, one.id, 10 - n)

    async def failing(caller: Any, conversation: Any, message: Any) -> Any:
        if message.content.text == "1":
            raise RuntimeError
        return await process.delivery.send(caller, conversation, message)

    assert await actions.send_due(process.db, replace(process.delivery, send=failing)) == 3
    assert (await words(admin, room), await words(admin, elsewhere)) == ([], ["3"])
    await admin.execute("UPDATE scheduled_messages SET look_at = due_at")
    await process.round()
    assert await words(admin, room) == ["1", "2"]


async def test_one_that_hangs_keeps_no_other_waiting_for_ever(
    process: Process, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aparte.server.scheduling.actions.due.SECONDS", 0.2)
    alice = await rooms.person(admin)
    room, elsewhere = await rooms.room(admin, alice), await rooms.room(admin, alice)
    hanging, fine = await process.add(alice, room, "hangs"), await process.add(alice, elsewhere, "goes")
    await let_pass(admin, hanging.id, 5)
    await let_pass(admin, fine.id, 4)

    async def send(caller: Any, conversation: Any, message: Any) -> Any:
        if conversation == room:
            await asyncio.Event().wait()
        return await process.delivery.send(caller, conversation, message)

    await actions.send_due(process.db, replace(process.delivery, send=send))
    assert await words(admin, elsewhere) == ["goes"]
    assert await status_of(admin, hanging.id) == ("waiting", None)


async def test_a_hundred_wait_in_one_conversation_and_no_more(process: Process, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    ones = [await process.add(alice, room, f"{n}") for n in range(limits.SCHEDULED)]
    with pytest.raises(Refusal) as refusal:
        await process.add(alice, room, "one more")
    assert refusal.value.code == "too_many"
    await process.add(bob, room, "of another one")
    await process.add(alice, await rooms.room(admin, alice), "elsewhere")
    await actions.cancel(process.db, alice, room, ones[0].id)
    await process.add(alice, room, "one more")
    listed = await actions.mine(process.db, alice, room)
    assert len(listed.scheduled) == limits.SCHEDULED


async def test_what_was_refused_counts_until_it_is_put_away(process: Process, admin: Admin) -> None:
    """Or a list would grow without end for somebody who may not speak."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    for n in range(limits.SCHEDULED):
        await let_pass(admin, (await process.add(bob, room, f"{n}")).id)
    await admin.execute("UPDATE members SET left_at = now() WHERE account_id = $1", bob.account)
    await process.round()
    await admin.execute("UPDATE members SET left_at = NULL WHERE account_id = $1", bob.account)
    with pytest.raises(Refusal) as refusal:
        await process.add(bob, room, "one more")
    assert refusal.value.code == "too_many"
    [first, *_] = (await actions.mine(process.db, bob, room)).scheduled
    assert (first.status, first.refused) == ("refused", "not_member")
    await actions.cancel(process.db, bob, room, first.id)
    await process.add(bob, room, "one more")


async def test_a_hundred_asked_for_at_once_are_no_more_than_a_hundred(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    for n in range(limits.SCHEDULED - 1):
        await process.add(alice, room, f"{n}")
    done = await asyncio.gather(*(process.add(alice, room, "last") for _ in range(5)), return_exceptions=True)
    assert sorted(d.code if isinstance(d, Refusal) else "kept" for d in done) == ["kept", *["too_many"] * 4]  # type: ignore[union-attr]


async def test_asked_twice_it_is_kept_once(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    key, due = ClientMessageId(new_id()), now() + SOON
    first = await process.add(alice, room, "once", key=key, due=due)
    again = await asyncio.gather(*(process.add(alice, room, "once", key=key, due=due) for _ in range(3)))
    assert {one.id for one in again} == {first.id}
    with pytest.raises(Refusal) as refusal:
        await process.add(alice, room, "other words", key=key, due=due)
    assert refusal.value.code == "client_id_reused"
    await let_pass(admin, first.id)
    await process.round()
    assert (await process.add(alice, room, "once", key=key, due=due)).status == "sent"


async def test_the_list_has_ones_own_in_order_of_time(process: Process, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    later = await process.add(alice, room, "later", due=now() + timedelta(days=3))
    sooner = await process.add(alice, room, "sooner", due=now() + timedelta(days=1))
    await process.add(bob, room, "of bob")
    gone = await process.add(alice, room, "taken back")
    await actions.cancel(process.db, alice, room, gone.id)
    assert [one.id for one in (await actions.mine(process.db, alice, room)).scheduled] == [sooner.id, later.id]
    moved = ScheduledChange(due=now() + timedelta(days=5), message=said(sooner.client_message_id, "changed"))
    changed = await actions.change(process.db, process.delivery, alice, (room, sooner.id), moved)
    assert changed.message is not None
    assert changed.message.content.text == "changed"
    assert [one.id for one in (await actions.mine(process.db, alice, room)).scheduled] == [later.id, sooner.id]


async def test_nobody_elses_is_there(process: Process, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    one = await process.add(alice, room, "mine")
    wrong = await rooms.room(admin, alice, bob)
    for caller, where in ((bob, room), (alice, wrong)):
        for attempt in (
            actions.cancel(process.db, caller, where, one.id),
            actions.change(process.db, process.delivery, caller, (where, one.id), ScheduledChange(due=now() + SOON)),
        ):
            with pytest.raises(Refusal) as refusal:
                await attempt
            assert refusal.value.code == "not_found"


async def test_blank_words_are_refused_before_they_are_due(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    with pytest.raises(Refusal) as refusal:
        await process.add(alice, room, " \n\t")
    assert refusal.value.code == "invalid"
    assert await admin.fetchval("SELECT count(*) FROM scheduled_messages") == 0


async def test_what_is_over_is_forgotten_after_thirty_days(process: Process, admin: Admin) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, alice, bob)
    sent, waiting, refused = [
        await process.add(who, room, text) for who, text in ((alice, "sent"), (alice, "waits"), (bob, "refused"))
    ]
    await admin.execute("UPDATE members SET left_at = now() WHERE account_id = $1", bob.account)
    for one in (sent, refused):
        await let_pass(admin, one.id)
    await process.round()
    for age, left in ((timedelta(days=30) - timedelta(minutes=1), 3), (timedelta(days=30), 1)):
        await admin.execute("UPDATE scheduled_messages SET updated_at = now() - $1::interval", age)
        async with process.db.transaction() as tx:
            await actions.forget_over(tx)
        assert await admin.fetchval("SELECT count(*) FROM scheduled_messages") == left
    assert await admin.fetchval("SELECT scheduled_id FROM scheduled_messages") == waiting.id
    assert (await kept_state(process, bob))[f"scheduled:{refused.id}"] is None


async def test_a_repeated_client_id_of_something_else_is_refused_when_it_is_due(process: Process, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    one = await process.add(alice, room, "later")
    await process.delivery.send(alice, room, said(one.client_message_id, "said already"))
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("refused", "client_id_reused")
