"""Known mistakes of chat schemas that this one cannot make, or not any more (`docs/bugs-of-the-sources.md`)."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.support import rooms
from tests.support.people import World

from aparte.server.accounts import actions as accounts
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.wire.ids import first_id_at

Admin = Any
"""A connection of the maintenance role."""


async def old_message(admin: Admin, days: int, *, deleted: bool) -> tuple[UUID, UUID]:
    """Lay a message, its edit and perhaps its deletion down as if they had been written days ago."""
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    ids = [first_id_at(now() - timedelta(days=days) + timedelta(seconds=n)) for n in range(3)]
    await admin.execute(
        """
        INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid,
                              edit_id, edit_count, deletion_id)
        VALUES ($1, $2, 1, $3, $4, gen_random_uuid(), 1, '{"text": "old"}', 3, $5, 1, $6)
        """,
        room,
        ids[0],
        alice.account,
        alice.device,
        ids[1],
        ids[2] if deleted else None,
    )
    for seq, kind, body in ((2, 2, '{"text": "older"}'), (3, 3, '{"on": true}')):
        await admin.execute(
            """
            INSERT INTO entries (conversation_id, id, seq, kind, account_id, target_seq, target_id, body, xid)
            VALUES ($1, $2, $3, $4, $5, 1, $6, $7::text::jsonb, 3)
            """,
            room,
            ids[seq - 1],
            seq,
            kind,
            alice.account,
            ids[0],
            body,
        )
    await admin.execute("UPDATE heads SET message_count = $2 WHERE conversation_id = $1", room, 0 if deleted else 1)
    return room, ids[0]


async def test_what_was_deleted_is_erased_after_thirty_days_and_counted_once(db: Database, admin: Admin) -> None:
    """B-143: deleted words were kept for ever; B-004: or skipped by the clean-up; B-101: or counted off twice."""
    room, message = await old_message(admin, 31, deleted=True)
    fresh_room, fresh = await old_message(admin, 29, deleted=True)
    kept_room, kept = await old_message(admin, 31, deleted=False)
    assert await messages.erase_deleted(db) == 1
    assert await messages.erase_deleted(db) == 0

    row = await admin.fetchrow("SELECT * FROM messages WHERE conversation_id = $1 AND id = $2", room, message)
    assert (row["content"], row["seq"], row["edit_count"]) == (None, 1, 1)
    assert row["erased_at"] is not None
    left = await admin.fetch("SELECT kind, body FROM entries WHERE conversation_id = $1 ORDER BY seq", room)
    assert [(entry["kind"], entry["body"]) for entry in left] == [(2, None), (3, '{"on": true}')]
    assert await admin.fetchval("SELECT message_count FROM heads WHERE conversation_id = $1", room) == 0
    for other_room, other in ((fresh_room, fresh), (kept_room, kept)):
        assert await admin.fetchval(
            "SELECT content IS NOT NULL FROM messages WHERE conversation_id = $1 AND id = $2", other_room, other
        )


async def test_a_client_id_is_remembered_thirty_days_whatever_became_of_its_message(db: Database, admin: Admin) -> None:
    """B-055: a key that is unique for ever refuses messages by chance."""
    for days in (31, 29):
        await admin.execute(
            "INSERT INTO sends VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, 1, 1)",
            first_id_at(now() - timedelta(days=days)),
        )
    assert await messages.forget_sends(db) == 1
    assert await admin.fetchval("SELECT count(*) FROM sends") == 1


async def test_who_sends_and_when_is_not_the_clients_to_say(world: World) -> None:
    """B-063."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    forged = {"account": bob.account, "at": "2001-01-01T00:00:00Z", "sent_at": "2001-01-01T00:00:00Z", "seq": 99}
    body = {"client_message_id": str(uuid4()), "content": {"text": "mine"}, **forged}
    sent = await alice.post(f"/conversations/{room}/messages", body)
    stored = await alice.get(f"/conversations/{room}/messages/{sent['id']}")
    assert (stored["account"], stored["seq"]) == (alice.account, 2)
    assert stored["at"] > "2026"


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE accounts SET role = 'emperor'", asyncpg.InvalidTextRepresentationError),
        ("UPDATE members SET role = 'emperor'", asyncpg.InvalidTextRepresentationError),
        ("INSERT INTO receipts (conversation_id, kind, device_id, up_to_seq) VALUES (NULL, 'seen', NULL, 1)",
         asyncpg.InvalidTextRepresentationError),
        ("UPDATE entries SET kind = 1", asyncpg.CheckViolationError),
        ("UPDATE conversations SET name = NULL", asyncpg.CheckViolationError),
        ("UPDATE conversations SET encryption_mode = 'e2ee'", asyncpg.CheckViolationError),
        ("UPDATE members SET account_id = gen_random_uuid()", asyncpg.ForeignKeyViolationError),
        ("UPDATE messages SET content = NULL", asyncpg.CheckViolationError),
        ("UPDATE accounts SET email = NULL", asyncpg.CheckViolationError),
        ("UPDATE sessions SET expires_at = created_at", asyncpg.CheckViolationError),
    ],
)  # fmt: skip
async def test_the_database_itself_refuses_what_is_outside_the_set(
    admin: Admin, statement: str, error: type[Exception]
) -> None:
    """B-089: types stood in an example of the application; B-019: nameless groups; B-090: members who do not exist."""
    await old_message(admin, 1, deleted=True)
    await admin.execute(
        """
        INSERT INTO sessions (session_id, account_id, device_id, refresh_hash, access_id, access_expires_at, expires_at)
        SELECT gen_random_uuid(), account_id, device_id, repeat('0', 64), gen_random_uuid(), now(),
               now() + interval '1 hour'
          FROM devices
        """
    )
    with pytest.raises(error):
        await admin.execute(statement)


async def test_every_time_has_its_zone(admin: Admin) -> None:
    """B-065: what is stored depends on the zone of the session that stores it."""
    rows = await admin.fetch(
        """
        SELECT table_name, column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND data_type IN ('timestamp without time zone', 'time without time zone')
        """
    )
    assert rows == []


async def test_no_index_repeats_another_or_holds_only_yes_and_no(admin: Admin) -> None:
    """B-023, B-085: they select hardly anything and cost every write."""
    rows = await admin.fetch(
        """
        SELECT c.relname AS table, i.indexrelid::regclass::text AS name, i.indisunique AS is_unique,
               string_to_array(i.indkey::text, ' ')::int[] AS columns,
               coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition,
               coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions, am.amname AS method,
               ARRAY(SELECT a.atttypid = 'bool'::regtype FROM pg_attribute a
                      WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) AS booleans
          FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_am am ON am.oid = x.relam
         WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname NOT LIKE 'pgqueuer%'
        """
    )
    assert rows
    for one in rows:
        assert one["table"] == "log_generation" or not one["booleans"] or not all(one["booleans"]), one["name"]
        for other in rows:
            alike = all(one[key] == other[key] for key in ("table", "condition", "expressions", "method"))
            repeated = alike and other["columns"][: len(one["columns"])] == one["columns"]
            assert one["name"] == other["name"] or one["is_unique"] or not repeated, f"{one['name']}: {other['name']}"


async def test_the_service_writes_into_months_that_were_made_later_and_can_empty_no_table(
    db: Database, admin: Admin
) -> None:
    """B-077: grants on all tables miss those made later; B-078: and give more than is needed."""
    await admin.fetchval("SELECT make_months(now() + interval '2 years', 1)")
    alice = await rooms.person(admin)
    room = await rooms.room(admin, alice)
    late = first_id_at(now() + timedelta(days=735))
    async with db.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO entries (conversation_id, id, seq, kind, account_id, body, xid)
            VALUES ($1, $2, 1, 6, $3, '{}', 3)
            """,
            room,
            late,
            alice.account,
        )
    for statement in ("TRUNCATE messages", "DELETE FROM messages", "DROP TABLE sends", "CREATE TABLE mine ()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(statement)  # type: ignore[arg-type]


async def test_being_here_is_no_change_of_the_account(db: Database, admin: Admin) -> None:
    """B-044: each connection moved the time of change; B-126: or nothing ever did."""
    alice = await rooms.person(admin)
    read = "SELECT updated_at, last_seen_at FROM accounts WHERE account_id = $1"
    before = await admin.fetchrow(read, alice.account)
    async with db.transaction() as tx:
        await accounts.seen(tx, alice.account)
    seen = await admin.fetchrow(read, alice.account)
    assert seen["last_seen_at"] is not None
    assert seen["updated_at"] == before["updated_at"]
    await admin.execute("UPDATE accounts SET bio = 'new' WHERE account_id = $1", alice.account)
    assert (
        await admin.fetchval("SELECT updated_at FROM accounts WHERE account_id = $1", alice.account)
        > seen["updated_at"]
    )


async def test_an_audit_entry_keeps_nobody_and_nothing_from_being_deleted(admin: Admin) -> None:
    """B-105; B-129: what it speaks of may have any kind of id."""
    alice = await rooms.person(admin)
    await admin.execute(
        "INSERT INTO audit_entries (event, account_id, resource_type, resource_id) VALUES ('x', $1, 'room', '#1')",
        alice.account,
    )
    await admin.execute("DELETE FROM accounts WHERE account_id = $1", alice.account)
    assert await admin.fetchval("SELECT count(*) FROM audit_entries WHERE account_id = $1", alice.account) == 1
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE account_id = $1", alice.account) == 0


async def test_b_043_one_role_is_the_default_and_a_member_wears_one_of_the_same_conversation(
    db: Database, admin: Admin
) -> None:
    alice = await rooms.person(admin)
    here, there = await rooms.room(admin, alice), await rooms.room(admin, alice)
    mine, other, foreign = uuid4(), uuid4(), uuid4()
    insert = "INSERT INTO conversation_roles (conversation_id, role_id, name, is_default) VALUES ($1, $2, 'x', $3)"
    async with db.transaction() as tx:
        await tx.execute(insert, here, mine, True)
        await tx.execute(insert, here, other, False)
        await tx.execute(insert, there, foreign, True)
    update = "UPDATE members SET role_id = $3 WHERE conversation_id = $1 AND account_id = $2"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with db.transaction() as tx:
            await tx.execute(update, here, alice.account, foreign)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction() as tx:
            await tx.execute("UPDATE conversation_roles SET is_default = true WHERE role_id = $1", other)
    async with db.transaction() as tx:
        await tx.execute(update, here, alice.account, mine)
        await tx.execute("DELETE FROM conversation_roles WHERE role_id = $1", mine)
    row = await admin.fetchrow("SELECT role_id, role FROM members WHERE conversation_id = $1", here)
    assert (row["role_id"], row["role"]) == (None, "owner")


async def test_b_022_no_column_with_a_default_holds_null(admin: Admin) -> None:
    rows = await admin.fetch(
        """
        SELECT c.relname || '.' || a.attname AS name
          FROM pg_attribute a
          JOIN pg_class c ON c.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.atthasdef
           AND NOT a.attnotnull AND c.relname NOT LIKE 'pgqueuer%' ORDER BY name
        """
    )
    # Nobody has to say in which time zone they are: NULL is what they say then, and nothing decides by it.
    assert [row["name"] for row in rows] == ["accounts.time_zone"]
