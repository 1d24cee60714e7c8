"""The index reads everything in the end: whatever was lost, whoever died, however much there is."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from tests.server.search.conftest import Library, texts
from tests.support import rooms

from aparte.server.jobs import store as jobs
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.doorbell import Bells, ToAccount, ToConversation
from aparte.server.search import actions, index
from aparte.server.search.actions import indexing
from aparte.server.search.indexer import Indexer
from aparte.wire.frames import Live, Moved, States
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.messages import Entry

Admin = Any


async def test_hints_that_are_lost_cost_lateness_and_nothing_else(library: Library, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    await library.say(alice, room, "mot un")
    await library.indexer.look()
    assert await library.found(alice, "mot") == ["mot un"]
    library.is_deaf = True
    await library.say(alice, room, "mot deux")
    assert await library.found(alice, "mot") == ["mot un"]
    await library.indexer.look()
    assert await library.found(alice, "mot") == ["mot deux", "mot un"]


async def test_a_process_that_starts_finds_what_another_left(library: Library, admin: Admin, db: Database) -> None:
    """Messages, rooms and people from before there was an index, too."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice, name="Vieux salon")
    library.is_deaf = True
    for number in range(3):
        await library.say(alice, room, f"vieux mot {number}")
    library.indexer = Indexer(db)
    await library.indexer.look()
    assert await library.found(alice, "vieux") == ["vieux mot 2", "vieux mot 1", "vieux mot 0"]
    assert await library.rooms(alice, "vieux") == ["Vieux salon"]
    async with db.read() as reader:
        username = await reader.fetchval("SELECT username FROM accounts WHERE account_id = $1", alice.account)
    assert await library.people(alice, username) == [username]


async def test_old_messages_are_read_in_steps_the_newest_first(
    library: Library, admin: Admin, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "STEP", 4)
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    library.is_deaf = True
    for number in range(10):
        await library.say(alice, room, f"mot {number}")
    kept = []
    await actions.read_conversation(db, room)
    while await actions.read_behind(db, ConversationId(uuid4())):
        kept.append([row["id"] for row in await admin.fetch("SELECT id FROM message_search ORDER BY id DESC")])
    said = [row["id"] for row in await admin.fetch("SELECT id FROM messages ORDER BY id DESC")]
    assert kept == [said[:4], said[:8], said]


async def test_new_messages_are_read_in_steps_without_hole(
    library: Library, admin: Admin, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "STEP", 3)
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    await actions.read_conversation(db, room)
    said = [await library.say(alice, room, f"mot {number}") for number in range(8)]
    await library.edit(alice, room, said[0], "édité")
    await library.delete(alice, room, said[1])
    assert await library.found(alice, "mot") == [f"mot {number}" for number in range(7, 1, -1)]
    assert await library.found(alice, "édité") == ["édité"]


async def test_two_processes_read_one_conversation_in_turn(library: Library, admin: Admin, db: Database) -> None:
    """Both hear of everything; what is kept is what one would have kept."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    other = Indexer(db)
    library.indexer, both = library.indexer, Bells(library.indexer, other)
    library.ring = both.ring  # type: ignore[method-assign]
    library.writer._ring = both.ring
    for _ in range(5):
        await asyncio.gather(*(library.say(alice, room, f"mot {n}") for n in range(5)))
        await asyncio.gather(library.indexer.catch_up(), other.catch_up())
    assert len(await library.found(alice, "mot", 50)) == 25
    assert await admin.fetchval("SELECT count(*) FROM message_search") == 25


async def test_one_conversation_that_cannot_be_read_stops_no_other(
    library: Library, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await rooms.person(admin)
    broken, sound = await rooms.room(admin, alice), await rooms.room(admin, alice)
    read = actions.read_conversation

    async def fail(db: Database, conversation: ConversationId) -> Any:
        if conversation == broken:
            raise ValueError("poison")
        return await read(db, conversation)

    monkeypatch.setattr(actions, "read_conversation", fail)
    await library.say(alice, broken, "mot un")
    await library.say(alice, sound, "mot deux")
    assert await library.found(alice, "mot") == ["mot deux"]
    monkeypatch.undo()
    library.indexer._again(broken)
    assert await library.found(alice, "mot") == ["mot deux", "mot un"]


async def test_what_nobody_changed_is_not_written_again(library: Library, admin: Admin, db: Database) -> None:
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    await library.say(alice, room, "mot")
    await library.found(alice, "mot")
    versions = "SELECT array_agg(xmin::text ORDER BY id) FROM message_search"
    before = await admin.fetchval(versions)
    await admin.execute("UPDATE search_positions SET id = '00000000-0000-0000-0000-000000000000'")
    await actions.read_conversation(db, room)
    assert await admin.fetchval(versions) == before


async def test_what_is_encrypted_is_not_read(admin: Admin, db: Database) -> None:
    """Not heard of, and not read if it were."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    await admin.execute(
        "UPDATE conversations SET encryption_mode = 'e2ee', is_public = false, name = NULL, name_key = NULL"
        " WHERE conversation_id = $1",
        room,
    )
    assert await actions.read_conversation(db, room) == (False, False)
    assert await admin.fetchval("SELECT count(*) FROM search_positions") == 0


def test_the_bell_is_heard_where_something_can_be_read(db: Database) -> None:
    indexer = Indexer(db)
    conversation, account = ConversationId(uuid4()), AccountId(uuid4())
    indexer.ring([ToConversation(conversation, Moved(conversation, 1, EntryId(uuid4())))])
    assert list(indexer._conversations) == [conversation]
    sealed = Live(ConversationId(uuid4()), sealed_entry())
    indexer.ring([ToConversation(sealed.conversation, sealed), ToAccount(account, States(rev=1))])
    assert list(indexer._conversations) == [conversation]
    assert list(indexer._accounts) == [account]


def sealed_entry() -> Entry:
    """An entry of an encrypted conversation."""
    sealed: Any = object()
    return Entry(1, EntryId(uuid4()), 1, datetime.now(UTC), AccountId(uuid4()), sealed=sealed)


async def test_spans_follow_ordinals_and_months(library: Library, admin: Admin, db: Database) -> None:
    """A span that reaches over the end of a month has a row in each."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    message = await library.say(alice, room, "mot")
    await library.found(alice, "mot")
    [row] = await admin.fetch("SELECT span, month, first_id, last_id FROM search_spans")
    assert (row["span"], row["first_id"], row["last_id"]) == (0, message, message)
    async with db.read() as reader:
        assert await reader.fetchval("SELECT month_of($1)", message) == row["month"]


@pytest.mark.parametrize(
    ("entry", "month"),
    [
        ("2026-11-30T23:59:59.999Z", "2026-11-01"),
        ("2026-12-01T00:00:00Z", "2026-12-01"),
        ("1970-01-01T00:00:00Z", "1970-01-01"),
    ],
)
async def test_months_are_those_of_ids(admin: Admin, entry: str, month: str) -> None:
    assert await admin.fetchval(f"SELECT month_of(id_at('{entry}'::timestamptz))::text") == month


async def test_months_of_the_index_are_made_ahead(admin: Admin) -> None:
    """And once only; between the last one and the end of time nothing is lost."""
    async with admin.transaction():
        assert await jobs.make_months(Tx(admin), 6) > 0
    async with admin.transaction():
        assert await jobs.make_months(Tx(admin), 6) == 0
    assert not await jobs.select_last_partition_used(admin, "message_search")
    bounds = await admin.fetch(
        "SELECT pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'message_search'::regclass ORDER BY c.relname"
    )
    assert len(bounds) == 7
    assert "MINVALUE" in bounds[1]["bound"]
    assert "MAXVALUE" in bounds[0]["bound"]


async def test_a_page_of_highlights_is_of_what_is_shown(library: Library, admin: Admin) -> None:
    """The words of an edit, not those of the message as it was."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    message = await library.say(alice, room, "mot ancien")
    await library.edit(alice, room, message, "le nouveau mot")
    answer = await library.search(alice, "mot")
    [text] = texts(answer)
    assert [text[begin:end] for begin, end in answer.found[0].highlights] == ["mot"]
    assert text.startswith("le nouveau")


async def test_the_look_names_what_is_behind(db: Database, library: Library, admin: Admin) -> None:
    alice = await rooms.person(admin)
    room, empty = await rooms.room(admin, alice), await rooms.room(admin, alice)
    library.is_deaf = True
    await library.say(alice, room, "mot")
    async with db.read() as reader:
        assert await index.select_lagging(reader, [room, empty, ConversationId(uuid4())]) == [room, empty]
    await actions.read_conversation(db, room)
    async with db.read() as reader:
        assert await index.select_lagging(reader, [room]) == []
