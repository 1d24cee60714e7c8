"""Messages with an end: gone from every read at their time, erased within a minute, and counted off once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.server.messages.conftest import Process, saying
from tests.support import marking, rooms
from tests.support.people import Problem, World

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToConversation
from aparte.server.messages import actions, store
from aparte.server.messages.actions import housekeeping
from aparte.wire import limits
from aparte.wire.content import MessageContent
from aparte.wire.frames import Live
from aparte.wire.ids import FIRST_ID, ClientMessageId, ConversationId, EntryId, first_id_at
from aparte.wire.messages import ChangeMessage, PinMessage, React

Admin = Any
SHORTEST, LONGEST = limits.TTL_SECONDS


async def lounge(admin: Admin) -> tuple[ConversationId, Caller, Caller]:
    """A room of two, the first of whom owns it."""
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    return await rooms.room(admin, alice, bob), alice, bob


async def end(admin: Admin, *messages: EntryId) -> None:
    """Let messages disappear as if they had been sent earlier."""
    for table in ("messages", "disappearing_messages"):
        statement = f"UPDATE {table} SET expires_at = now() - interval '1 s' WHERE id = ANY ($1)"  # noqa: S608 - of two
        await admin.execute(statement, list(messages))


async def stored(admin: Admin, message: EntryId) -> Any:
    """The row of a message."""
    return await admin.fetchrow("SELECT * FROM messages WHERE id = $1", message)


async def test_a_message_ends_when_it_says_or_when_its_room_says(admin: Admin, process: Process) -> None:
    """R-225, G-09."""
    room, alice, _ = await lounge(admin)
    ends = {}
    for room_ttl in (None, 60):
        await admin.execute("UPDATE heads SET ttl_seconds = $2 WHERE conversation_id = $1", room, room_ttl)
        for ttl in (None, SHORTEST, LONGEST):
            sent = await process.send(alice, room, saying("x", ttl=ttl))
            at = (await stored(admin, sent.id))["expires_at"]
            assert at == await admin.fetchval("SELECT expires_at FROM disappearing_messages WHERE id = $1", sent.id)
            frames = [hint.frame for hint in process.rung if isinstance(hint, ToConversation)]
            live = next(f.entry for f in frames if isinstance(f, Live) and f.entry.id == sent.id)
            assert live.expires_at == at
            ends[room_ttl, ttl] = None if at is None else round((at - sent.at).total_seconds())
    assert ends == {
        (None, None): None,
        (None, SHORTEST): SHORTEST,
        (None, LONGEST): LONGEST,
        (60, None): 60,
        (60, SHORTEST): SHORTEST,
        (60, LONGEST): LONGEST,
    }


@pytest.mark.parametrize("ttl", [SHORTEST - 1, LONGEST + 1, 0, -5])
async def test_shorter_and_longer_lives_are_refused(world: World, ttl: int) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    with pytest.raises(Problem, match="invalid"):
        await alice.send(room, "x", ttl=ttl)


async def test_what_has_ended_is_shown_nowhere_though_no_job_has_run(world: World, server_admin: Admin) -> None:
    """B-007: an expired message was visible and unread until the job ran."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    kept, short = [(await alice.send(room, text, ttl=3_600))["id"] for text in ("kept", "short")]
    edited = {"client_message_id": str(uuid4()), "content": {"text": "short edit"}}
    await alice.call("PATCH", f"/conversations/{room}/messages/{short}", edited)
    await end(server_admin, EntryId(UUID(short)))
    assert await bob.texts(room) == ["kept"]
    log = (await bob.get(f"/conversations/{room}/entries"))["entries"]
    assert "short" not in str(log)
    assert [entry["expires_at"] is not None for entry in log if entry["id"] in {kept, short}] == [True, True]
    for path in ("", "/history"):
        with pytest.raises(Problem):
            await bob.get(f"/conversations/{room}/messages/{short}{path}")
    for change in (marking.delete, marking.restore):
        with pytest.raises(Problem, match="gone"):
            await change(alice, room, short)
    with pytest.raises(Problem, match="gone"):
        await alice.call(
            "PATCH", f"/conversations/{room}/messages/{short}", edited | {"client_message_id": str(uuid4())}
        )
    conversation = await bob.get(f"/conversations/{room}")
    assert conversation["membership"]["unread"] == 1


async def test_the_job_erases_what_has_ended_also_what_was_deleted(
    db: Database, admin: Admin, process: Process
) -> None:
    """B-004: what was deleted kept its words for ever. R-226: the job counts what it erased."""
    room, alice, bob = await lounge(admin)
    root = (await process.send(alice, room, saying("root"))).id
    ids = [
        (await process.send(bob, room, saying(f"@{text}", ttl=60, thread=root if n < 2 else None))).id
        for n, text in enumerate(("reply", "deleted reply", "plain", "still there"))
    ]
    await actions.delete(db, bob, room, ids[1], uuid4())  # type: ignore[arg-type]
    for message in ids:
        await admin.execute("INSERT INTO mentions VALUES ($1, $2, $3)", alice.account, room, message)
        await admin.execute("INSERT INTO message_sources VALUES ($1, $2, 'typed')", room, message)
    assert await admin.fetchval("SELECT message_count FROM heads WHERE conversation_id = $1", room) == 4
    await end(admin, *ids[:3])
    assert await actions.erase_expired(db) == 3
    assert await actions.erase_expired(db) == 0
    for message in ids[:3]:
        row = await stored(admin, message)
        assert (row["content"], row["seq"] > 1, row["erased_at"] is not None) == (None, True, True)
    assert (await stored(admin, ids[3]))["content"] is not None
    assert await admin.fetchval("SELECT message_count FROM heads WHERE conversation_id = $1", room) == 2
    assert tuple(await admin.fetchrow("SELECT reply_count, root_id FROM threads")) == (0, root)
    for table in ("mentions", "message_sources"):
        assert [row["id"] for row in await admin.fetch(f"SELECT id FROM {table}")] == [ids[3]]  # noqa: S608 - of two


async def test_erasing_takes_reactions_pins_and_edits_with_it(db: Database, admin: Admin, process: Process) -> None:
    room, alice, bob = await lounge(admin)
    message = (await process.send(alice, room, saying("first", ttl=60))).id
    change = ChangeMessage(ClientMessageId(uuid4()), MessageContent("second"))
    await actions.edit(db, alice, room, message, change)
    await actions.react(db, bob, room, message, React(ClientMessageId(uuid4()), "👍"))
    await actions.pin(db, alice, room, message, PinMessage(ClientMessageId(uuid4())))
    await end(admin, message)
    await actions.erase_expired(db)
    for table in ("reactions", "pins", "reaction_counts"):
        assert await admin.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - of three
    rows = await admin.fetch("SELECT kind, body, erased_at FROM entries WHERE target_id = $1 ORDER BY id", message)
    assert [(row["kind"], row["body"] is None, row["erased_at"] is not None) for row in rows] == [
        (2, True, True),
        (4, True, True),
        (5, False, False),
    ]


async def test_one_that_cannot_be_erased_stops_no_other(
    db: Database, admin: Admin, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-005: the clean-up failed as a whole at its first bad row."""
    room, alice, bob = await lounge(admin)
    other = await rooms.room(admin, bob)
    ids = [(await process.send(alice, room, saying(str(n), ttl=60))).id for n in range(5)]
    ids.append((await process.send(bob, other, saying("elsewhere", ttl=60))).id)
    answer = (await process.send(alice, room, saying("answers", reply=ids[1]))).id
    await end(admin, *ids)
    await admin.execute(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF OLD.id = '{ids[2]}' THEN RAISE EXCEPTION 'bad row'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER bad BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    monkeypatch.setattr(housekeeping, "STEP", 2)
    assert await actions.erase_expired(db) == 5
    erased = await admin.fetch("SELECT id FROM messages WHERE erased_at IS NOT NULL")
    assert {row["id"] for row in erased} == set(ids) - {ids[2]}
    assert (await stored(admin, answer))["reply_id"] == ids[1]
    await admin.execute("DROP TRIGGER bad ON messages")
    assert await actions.erase_expired(db) == 1


async def test_of_what_was_deleted_too_one_that_cannot_be_erased_stops_no_other(
    db: Database, admin: Admin, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-005, of the clean-up of what people have deleted; what has been restored at the last moment stays."""
    room, alice, _ = await lounge(admin)
    ids = [(await process.send(alice, room, saying(str(n)))).id for n in range(6)]
    for message in ids:
        await actions.delete(db, alice, room, message, ClientMessageId(uuid4()))
    long_ago = first_id_at(datetime.now(UTC) - timedelta(days=31))
    await admin.execute("UPDATE messages SET deletion_id = $1", long_ago)
    await admin.execute(
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF OLD.id = '{ids[0]}' THEN RAISE EXCEPTION 'bad row'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER bad BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    monkeypatch.setattr(housekeeping, "STEP", 2)
    select = store.select_erasable

    async def restored_meanwhile(*asked: Any) -> Any:
        due = await select(*asked)
        await admin.execute("UPDATE messages SET deletion_id = NULL WHERE id = $1", ids[3])
        return due

    monkeypatch.setattr(store, "select_erasable", restored_meanwhile)
    assert await actions.erase_deleted(db) == 4
    left = await admin.fetch("SELECT id FROM messages WHERE erased_at IS NULL")
    assert {row["id"] for row in left} == {ids[0], ids[3]}
    assert (await stored(admin, ids[3]))["content"] is not None


async def test_counts_that_are_mended_before_the_job_has_run_are_right_after_it(
    db: Database, admin: Admin, process: Process
) -> None:
    room, alice, bob = await lounge(admin)
    root = (await process.send(alice, room, saying("root"))).id
    replies = [(await process.send(bob, room, saying(str(n), ttl=60, thread=root))).id for n in range(2)]
    await end(admin, *replies)
    assert await actions.repair_counts(db) == 0
    assert await actions.erase_expired(db) == 2
    assert await admin.fetchval("SELECT reply_count FROM threads WHERE root_id = $1", root) == 0


async def test_words_end_in_a_room_that_is_deleted_too(db: Database, admin: Admin, process: Process) -> None:
    room, alice, _ = await lounge(admin)
    message = (await process.send(alice, room, saying("x", ttl=60))).id
    other = (await process.send(alice, room, saying("y"))).id
    await actions.delete(db, alice, room, other, uuid4())  # type: ignore[arg-type]
    await admin.execute("UPDATE heads SET closed = 2 WHERE conversation_id = $1", room)
    await end(admin, message)
    assert await actions.erase_expired(db) == 1
    assert (await stored(admin, message))["content"] is None


async def test_what_is_due_is_found_without_reading_what_is_not(admin: Admin, process: Process) -> None:
    """R-227: through an index."""
    room, alice, _ = await lounge(admin)
    await process.send(alice, room, saying("x", ttl=60))
    await admin.execute("SET enable_seqscan = off")
    plan = await admin.fetch(
        "EXPLAIN SELECT 1 FROM disappearing_messages WHERE NOT is_erased AND expires_at <= now()"
        " AND (expires_at, conversation_id, id) > ($1, $2, $3) ORDER BY expires_at, conversation_id, id LIMIT 5",
        datetime.now(UTC) - timedelta(days=1),
        room,
        FIRST_ID,
    )
    assert "disappearing_messages_due_idx" in "\n".join(row[0] for row in plan)
