"""The batch: one outcome per message, order per sender, repeats stored once, nobody delayed by a held conversation."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.server.messages.conftest import Process, saying
from tests.support import rooms

from aparte.server.messages import actions, rules
from aparte.wire import kinds
from aparte.wire.codec import to_json
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId

Admin = Any


async def positions(admin: Admin, conversation: ConversationId) -> list[int]:
    """The positions of a conversation in order of ids."""
    rows = await admin.fetch("SELECT seq FROM messages WHERE conversation_id = $1 ORDER BY id", conversation)
    return [row["seq"] for row in rows]


async def test_messages_take_consecutive_positions_in_order_of_arrival(admin: Admin, process: Process) -> None:
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    sent = await asyncio.gather(*(process.send(alice, lounge, saying(str(n))) for n in range(300)))
    assert [s.seq for s in sent] == list(range(1, 301))
    assert await positions(admin, lounge) == list(range(1, 301))
    assert process.seqs(lounge) == list(range(1, 301))
    assert [s.id for s in sent] == sorted(s.id for s in sent)


async def test_each_message_of_a_batch_has_its_own_outcome(admin: Admin, process: Process) -> None:
    alice, mallory = await rooms.person(admin), await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    first = saying("salut")
    before = await process.send(alice, lounge, first)
    outcomes = await asyncio.gather(
        process.send(alice, lounge, saying("one")),
        process.send(mallory, lounge, saying("no member")),
        process.send(alice, ConversationId(uuid4()), saying("nowhere")),
        process.send(alice, lounge, first),
        process.send(alice, lounge, saying("other words", first.client_message_id)),
        process.send(alice, lounge, saying("two")),
        return_exceptions=True,
    )
    codes = [o.code if isinstance(o, Refusal) else o.seq for o in outcomes if not isinstance(o, asyncio.Future)]  # type: ignore[union-attr]
    assert codes == [2, "not_member", "not_member", 1, "client_id_reused", 3]
    assert outcomes[3] == before
    assert await positions(admin, lounge) == [1, 2, 3]


async def test_a_repeat_joins_the_first_while_it_is_under_way(admin: Admin, process: Process) -> None:
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    message = saying("once")
    sent = await asyncio.gather(*(process.send(alice, lounge, message) for _ in range(20)))
    assert len({s.id for s in sent}) == 1
    assert await positions(admin, lounge) == [1]
    assert process.seqs(lounge) == [1]


async def test_a_repeat_over_another_process_finds_what_it_waited_for(
    admin: Admin, other: Process, service_dsn: str
) -> None:
    """The first race of the two statements: the first send is uncommitted while its repeat waits for the lock."""
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    message = saying("raced")
    holder = await asyncpg.connect(service_dsn, ssl=False)
    transaction = holder.transaction()
    await transaction.start()
    body = to_json(message.content)
    row = await holder.fetchrow(
        "SELECT o_outcome, o_seq FROM send_v1($1, $2, $3, $4, $5, $6::text[]::jsonb[], false)",
        [lounge],
        [alice.account],
        [alice.device],
        [message.client_message_id],
        [rules.digest(lounge, kinds.MESSAGE, None, body)],
        [body.decode()],
    )
    assert row is not None
    assert (row["o_outcome"], row["o_seq"]) == (0, 1)
    repeat = asyncio.create_task(other.send(alice, lounge, message))
    await asyncio.sleep(0.3)
    assert not repeat.done()
    await transaction.commit()
    assert (await repeat).seq == 1
    assert await positions(admin, lounge) == [1]
    await holder.close()


async def test_whoever_is_removed_while_the_batch_waits_is_refused(
    admin: Admin, process: Process, service_dsn: str
) -> None:
    """The second race: the removal is uncommitted while the message waits for the lock."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    lounge = await rooms.room(admin, alice, bob)
    holder = await asyncpg.connect(service_dsn, ssl=False)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", lounge)
        await holder.execute("UPDATE members SET left_at = now() WHERE account_id = $1", bob.account)
        waiting = asyncio.create_task(process.send(bob, lounge, saying("still here?")))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    with pytest.raises(Refusal, match="not_member"):
        await waiting
    assert await positions(admin, lounge) == []
    await holder.close()


async def test_a_held_conversation_delays_nobody_else_and_keeps_its_order(
    admin: Admin, process: Process, service_dsn: str
) -> None:
    alice = await rooms.person(admin)
    held, free = await rooms.room(admin, alice), await rooms.room(admin, alice)
    holder = await asyncpg.connect(service_dsn, ssl=False)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", held)
        stuck = []
        for n in range(60):
            stuck.append(asyncio.create_task(process.send(alice, held, saying(f"held {n}"))))
            assert (await asyncio.wait_for(process.send(alice, free, saying(f"free {n}")), 5)).seq == n + 1
        assert not any(task.done() for task in stuck)
    assert [(await task).seq for task in stuck] == list(range(1, 61))
    rows = await admin.fetch(
        "SELECT content->>'text' AS text FROM messages WHERE conversation_id = $1 ORDER BY seq", held
    )
    assert [row["text"] for row in rows] == [f"held {n}" for n in range(60)]
    await holder.close()


async def test_a_message_that_poisons_its_batch_harms_no_other(admin: Admin, process: Process) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    lounge, odd = await rooms.room(admin, alice), await rooms.room(admin, bob)
    await admin.execute("ALTER TABLE messages ADD CONSTRAINT poison CHECK (content->>'text' <> 'poison')")
    outcomes = await asyncio.gather(
        process.send(alice, lounge, saying("before")),
        process.send(bob, odd, saying("poison")),
        process.send(alice, lounge, saying("after")),
        return_exceptions=True,
    )
    assert [getattr(o, "code", None) or o.seq for o in outcomes] == [1, "internal", 2]  # type: ignore[union-attr]


async def test_a_repeat_is_answered_after_a_commit_of_its_own(admin: Admin, process: Process) -> None:
    """A repeat answered from a mere read could acknowledge what a standby never got."""
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    message = saying("again")
    await process.send(alice, lounge, message)
    before = await admin.fetchval("SELECT pg_current_wal_flush_lsn()")
    await process.send(alice, lounge, message)
    assert await admin.fetchval("SELECT pg_current_wal_flush_lsn() > $1::pg_lsn", before)


async def test_a_clock_a_day_behind_the_log_refuses_to_write(admin: Admin, process: Process) -> None:
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    await admin.execute(
        "UPDATE heads SET last_id = id_after(id_at(clock_timestamp() + interval '26 hours'), 1), last_seq = 1"
        " WHERE conversation_id = $1",
        lounge,
    )
    with pytest.raises(Refusal, match="clock"):
        await process.send(alice, lounge, saying("too early"))


async def test_sending_moves_ones_own_read_mark(admin: Admin, process: Process) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    lounge = await rooms.room(admin, alice, bob)
    await process.send(alice, lounge, saying("one"))
    await process.send(bob, lounge, saying("two"))
    rows = await admin.fetch("SELECT account_id, read_seq, read_ordinal, message_count FROM members")
    marks = {row["account_id"]: (row["read_seq"], row["read_ordinal"], row["message_count"]) for row in rows}
    assert marks == {alice.account: (1, 1, 1), bob.account: (2, 2, 1)}


async def test_whoever_stops_waiting_stops_nobody_else(admin: Admin, process: Process) -> None:
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    given_up = await actions.enqueue(process.writer, alice, lounge, saying("stored all the same"))
    given_up.cancel()
    sent = await asyncio.wait_for(process.send(alice, lounge, saying("next")), 5)
    assert sent.seq == 2
    assert process.seqs(lounge) == [1, 2]


async def test_an_error_that_nobody_foresaw_ends_one_batch_and_not_the_writer(
    admin: Admin, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose loop has ended would leave a process that takes messages and never stores one."""
    alice = await rooms.person(admin)
    lounge = await rooms.room(admin, alice)
    with monkeypatch.context() as broken:
        broken.setattr("aparte.server.messages.store.SEND", 42)
        with pytest.raises(Refusal, match="internal"):
            await asyncio.wait_for(process.send(alice, lounge, saying("unlucky")), 5)
    assert (await asyncio.wait_for(process.send(alice, lounge, saying("next")), 5)).seq == 1
