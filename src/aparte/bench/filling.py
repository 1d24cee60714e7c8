"""SQL of a server that is used much: what it would have written in two years, without the time that takes.

Rows stand in the tables as the log gives them: one count of positions over joinings and messages, ids in the order of
time, counters and copies beside them. Triggers are off meanwhile; what they would have written is written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from aparte.bench.crowd import Person
from aparte.wire.ids import AccountId, ConversationId, EntryId

MONTHS = 24
STEP = 50_000
THREAD_EVERY = 10
"""Every tenth message is a reply in the thread under the first one."""
DELETED_EVERY = 1_000
FILL_SECONDS = 1_800
EMOJI = "👍"

HAS_MESSAGES: LiteralString = "SELECT EXISTS (SELECT 1 FROM messages)"
PARTITIONS: LiteralString = """
    SELECT inhparent::regclass::text AS parent, inhrelid::regclass::text AS partition FROM pg_inherits
     WHERE inhparent IN ('messages'::regclass, 'entries'::regclass, 'message_search'::regclass)
"""
MAKE_MONTHS: LiteralString = """
    SELECT make_months(now() - make_interval(months => $1), $1 + 4),
           make_search_months(now() - make_interval(months => $1), $1 + 4)
"""
ACCOUNTS: LiteralString = """
    INSERT INTO accounts (account_id, username, email, display_name)
    SELECT a, 'scale_' || replace(a::text, '-', ''), replace(a::text, '-', '') || '@example.org', 'Member'
      FROM (SELECT gen_random_uuid() AS a FROM generate_series(1, $1::integer)) made
    RETURNING account_id
"""
ROOM: LiteralString = """
    UPDATE conversations SET max_members = 10000, member_count = 1 + cardinality($2::uuid[]) WHERE conversation_id = $1
"""
JOINS: LiteralString = """
    INSERT INTO entries (conversation_id, id, seq, kind, account_id, body, xid)
    SELECT $1, id_after(id_at($3::timestamptz), n), h.last_seq + n, 17, a,
           jsonb_build_object('account', a, 'role', 'member'), 3
      FROM heads h, unnest($2::uuid[]) WITH ORDINALITY AS joined (a, n) WHERE h.conversation_id = $1
"""
MEMBERS: LiteralString = """
    INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
    SELECT e.conversation_id, e.account_id, e.seq, e.id, e.seq, e.id, 0
      FROM entries e WHERE e.conversation_id = $1 AND e.kind = 17
    ON CONFLICT DO NOTHING
"""
MESSAGES: LiteralString = """
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid,
                          target_id, target_seq, deletion_id)
    SELECT $1, s.id, s.seq, $2, gen_random_uuid(), gen_random_uuid(), s.n, jsonb_build_object('text', s.text), 3,
           CASE WHEN s.n % $7 = 0 THEN s.first_id END, CASE WHEN s.n % $7 = 0 THEN s.first_seq END,
           CASE WHEN s.n % $8 = 7 THEN id_after(s.id, 1) END
      FROM (SELECT n, h.last_seq + n AS seq, h.last_seq + 1 AS first_seq,
                   id_after(id_at($3::timestamptz + (now() - $3) * (n / ($6 + 1)::float8)), 2) AS id,
                   id_after(id_at($3::timestamptz + (now() - $3) * (1 / ($6 + 1)::float8)), 2) AS first_id,
                   'Message ' || n || CASE WHEN n % 2 = 0 THEN ' souvent ' ELSE ' parfois ' END
                     || translate(md5(n::text), '0123456789', 'g h i j k ')
                     || CASE WHEN n % ($6::bigint / 10) = 9 THEN ' rarissime' ELSE '' END AS text
              FROM heads h, generate_series($4::bigint, $5) AS n WHERE h.conversation_id = $1) s
"""
LINKS: LiteralString = """
    INSERT INTO message_links (conversation_id, target_id, link, id)
    SELECT m.conversation_id, m.target_id, 1, m.id FROM messages m
     WHERE m.conversation_id = $1 AND m.target_id IS NOT NULL AND m.deletion_id IS NULL
"""
THREADS: LiteralString = """
    WITH counted AS (
      INSERT INTO threads (conversation_id, root_id, reply_count, last_id)
      SELECT conversation_id, target_id, count(*), max(id::text)::uuid FROM message_links
       WHERE conversation_id = $1 GROUP BY conversation_id, target_id
    )
    INSERT INTO thread_follows (account_id, conversation_id, root_id, is_following)
    SELECT DISTINCT $2::uuid, $1::uuid, target_id, true FROM message_links WHERE conversation_id = $1
"""
REACTIONS: LiteralString = """
    WITH first AS (SELECT id FROM messages WHERE conversation_id = $1 ORDER BY id LIMIT 1),
    reacted AS (
      INSERT INTO reactions (conversation_id, message_id, mark, account_id, id)
      SELECT $1, first.id, convert_to($3, 'UTF8'), a, id_after(first.id, n)
        FROM first, unnest($2::uuid[]) WITH ORDINALITY AS they (a, n)
      RETURNING message_id, mark, id
    )
    INSERT INTO reaction_counts (conversation_id, message_id, mark, first_id, reaction_count)
    SELECT $1, message_id, mark, min(id::text)::uuid, count(*) FROM reacted GROUP BY message_id, mark
"""
HEAD: LiteralString = """
    UPDATE heads h SET (last_id, last_seq, last_ordinal, last_message_at) =
           (SELECT m.id, m.seq, m.ordinal, now() FROM messages m WHERE m.conversation_id = $1
             ORDER BY m.id DESC LIMIT 1),
           message_count = (SELECT count(*) FROM messages m WHERE m.conversation_id = $1 AND m.deletion_id IS NULL)
     WHERE h.conversation_id = $1
"""
IDS: LiteralString = """
    SELECT id FROM messages WHERE conversation_id = $1 AND ordinal = ANY ($2::bigint[]) ORDER BY id
"""
TENTH_MEMBER: LiteralString = """
    SELECT account_id FROM members WHERE conversation_id = $1 ORDER BY account_id DESC LIMIT 1 OFFSET 9
"""
TENTH_REACTION: LiteralString = "SELECT id FROM reactions WHERE conversation_id = $1 ORDER BY id DESC LIMIT 1 OFFSET 9"
MANY_ROOMS: LiteralString = """
    WITH numbered AS MATERIALIZED (
      SELECT gen_random_uuid() AS conversation_id, n, $2 || ' ' || to_char(n, 'FM000000') AS name
        FROM generate_series(1, $3::integer) AS n
    ), made AS (
      INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name, name_key, creator_id,
                                 member_count)
      SELECT conversation_id, 'room', 'server', true, name, name, $1, 1 FROM numbered
    ), placed AS (
      -- whoever is in more rooms is in older ones too: the newest ten are as old in every list
      SELECT conversation_id, id_after(id_at(now() - interval '17 hours' * n), n) AS at FROM numbered
    ), headed AS (
      INSERT INTO heads (conversation_id, last_seq, last_id, last_ordinal, message_count, last_message_at)
      SELECT conversation_id, 11, id_after(at, 10), 10, 10, now() FROM placed
    ), joined AS (
      INSERT INTO members (conversation_id, account_id, role, joined_seq, joined_id, read_seq, read_id, read_ordinal)
      SELECT conversation_id, $1, 'owner', 1, at, 1, at, 0 FROM placed
    ), created AS (
      INSERT INTO entries (conversation_id, id, seq, kind, account_id, body, xid)
      SELECT conversation_id, at, 1, 16, $1, '{}', 3 FROM placed
    )
    INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid)
    SELECT conversation_id, id_after(at, k), k + 1, $1, gen_random_uuid(), gen_random_uuid(), k,
           jsonb_build_object('text', 'Message ' || k), 3
      FROM placed, generate_series(1, 10) AS k
"""
SETTLE: tuple[LiteralString, ...] = (
    "VACUUM (ANALYZE) messages, entries, members, heads, conversations, accounts",
    "VACUUM (ANALYZE) message_links, threads, thread_follows, reactions, reaction_counts",
    "VACUUM (ANALYZE) message_search, search_spans, search_positions",
    "CHECKPOINT",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many members and messages a room holds."""

    members: int
    messages: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A room that was filled, and places in it."""

    id: ConversationId
    size: Size
    first: EntryId
    """Everybody has reacted to it, and the thread is under it."""
    old: EntryId
    middle: EntryId
    before_last: AccountId
    """Nine members have larger ids."""
    before_last_reaction: EntryId
    """Nine reactions are newer."""


async def make_months(database: Any) -> None:
    """Cut the log into months two years back, if nothing has been said; else what is older shares a partition."""
    if await database.fetchval(HAS_MESSAGES):
        return
    async with database.transaction():
        await database.execute("CREATE TEMPORARY TABLE bench_entries ON COMMIT DROP AS SELECT * FROM entries")
        for parent, partition in await database.fetch(PARTITIONS):
            await database.execute(f"ALTER TABLE {parent} DETACH PARTITION {partition}")
            await database.execute(f"DROP TABLE {partition}")
        await database.fetch(MAKE_MONTHS, MONTHS)
        await database.execute("INSERT INTO entries SELECT * FROM bench_entries")


async def make_accounts(database: Any, count: int) -> list[AccountId]:
    """Make accounts that nobody signs in to."""
    return [row["account_id"] for row in await database.fetch(ACCOUNTS, count)]


async def fill_room(
    database: Any, owner: Person, room: ConversationId, others: Sequence[AccountId], size: Size
) -> Filled:
    """Fill a room with these members, and with messages of two years."""
    begins = await database.fetchval("SELECT now() - make_interval(months => $1)", MONTHS)
    people = list(others[: size.members - 1])
    await database.execute("SET session_replication_role = replica")
    await database.execute(ROOM, room, people)
    await database.execute(JOINS, room, people, begins)
    await database.execute(MEMBERS, room)
    await database.execute("UPDATE heads SET last_seq = last_seq + $2 WHERE conversation_id = $1", room, len(people))
    for first in range(1, size.messages + 1, STEP):
        last = min(first + STEP - 1, size.messages)
        asked = (room, owner.account, begins, first, last, float(size.messages), THREAD_EVERY, DELETED_EVERY)
        await database.execute(MESSAGES, *asked, timeout=FILL_SECONDS)
    await database.execute(LINKS, room, timeout=FILL_SECONDS)
    await database.execute(THREADS, room, owner.account, timeout=FILL_SECONDS)
    await database.execute(REACTIONS, room, [owner.account, *people], EMOJI)
    await database.execute(HEAD, room, timeout=FILL_SECONDS)
    # What was written lies before what was read of the empty room: to the index of searches the room is new.
    await database.execute("DELETE FROM search_positions WHERE conversation_id = $1", room)
    await database.execute("RESET session_replication_role")
    return await _places(database, room, size)


async def _places(database: Any, room: ConversationId, size: Size) -> Filled:
    ordinals = [1, size.messages // 2, size.messages * 3 // 4]
    first, old, middle = [row["id"] for row in await database.fetch(IDS, room, ordinals)]
    return Filled(
        room,
        size,
        first,
        old,
        middle,
        await database.fetchval(TENTH_MEMBER, room),
        await database.fetchval(TENTH_REACTION, room),
    )


def named(person: Person) -> str:
    """What the rooms of somebody's list are called: unlike those of all others."""
    return person.account.hex


async def fill_list(database: Any, person: Person, rooms: int) -> None:
    """Put somebody into rooms of ten unread messages, all public and named alike."""
    await database.execute(MANY_ROOMS, person.account, named(person), rooms, timeout=FILL_SECONDS)


async def settle(database: Any) -> None:
    """Leave the tables as the autovacuum would, so that it does not come while it is measured."""
    for statement in SETTLE:
        await database.execute(statement, timeout=FILL_SECONDS)
