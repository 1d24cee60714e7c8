"""Plans made on an empty database hold when it has grown: each query touches a bounded number of pages (R-021).

Pages are counted, not time: a plan that reads a whole index shows at once, on any machine. The accident this prevents:
a nested loop over a materialised index scan, chosen while `sends` was empty, that fell from 17,000 messages/s to 1,200.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from tests.support import database, rooms

from aparte.server.kit import db as kit
from aparte.server.messages import lists, pages, sync
from aparte.wire.ids import FIRST_ID, LAST_ID

MONTHS = 24
CI_ROWS = 200_000
LONG_ROWS = 5_000_000
TALKERS = 50

SEND = "SELECT * FROM send_v1($1, $2, $3, $4, $5, $6::text[]::jsonb[], false)"

GROW = """
    WITH numbered AS (
      SELECT n, $1::uuid[] AS rooms,
             id_after(id_at(now() - interval '24 months' + n * (interval '24 months' / $3::float8)), 1) AS id
        FROM generate_series($2::bigint, $2 + $4 - 1) AS n
    ), said AS (
      -- half of everything is said in the first room
      SELECT CASE WHEN n % 2 = 0 THEN rooms[1] ELSE rooms[2 + n % (cardinality(rooms) - 1)] END AS room, id, n
        FROM numbered
    ), written AS (
      INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, content, xid)
      SELECT room, id, n, $5, $6, gen_random_uuid(), n, '{"text": "as time goes by"}', 3 FROM said RETURNING 1
    ), changed AS (
      INSERT INTO entries (conversation_id, id, seq, kind, account_id, body, xid)
      SELECT room, id_after(id, 1), n, 6, $5, '{"name": "x"}', 3 FROM said WHERE n % 20 = 0 RETURNING 1
    )
    INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
    SELECT room, gen_random_uuid(), gen_random_uuid(), id, n, n FROM said
"""


Plant = Callable[[int], Awaitable["Grown"]]


async def past_months(admin: Any) -> None:
    """Lay the months out as if the server had run for two years."""
    for table in ("messages", "entries"):
        for row in await admin.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass", table
        ):
            await admin.execute(f"ALTER TABLE {table} DETACH PARTITION {row['name']}")
            await admin.execute(f"DROP TABLE {row['name']}")
    await admin.fetchval("SELECT make_months(now() - interval '24 months', 28)")


async def pages_touched(connection: Any, statement: str, *args: object) -> int:
    """Run a statement under EXPLAIN ANALYZE and count the buffers it touched, those of functions included."""
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *args)
    plan = msgspec.json.decode(text)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


class Grown:
    """Connections whose plans were made when everything was empty, and rooms that have grown since."""

    def __init__(self, admin: Any, writer: Any, reads: Any, caller: Any, here: list[UUID]) -> None:
        self.admin, self.writer, self.reads, self.caller, self.rooms = admin, writer, reads, caller, here

    async def head(self) -> UUID:
        """Where the newest page of the first room begins, as the server begins it."""
        last = await self.admin.fetchval("SELECT last_id FROM heads WHERE conversation_id = $1", self.rooms[0])
        return pages.id_after(last)

    async def send(self, count: int) -> int:
        """Pages touched by a batch of sends into different rooms, per message."""
        body = ['{"text": "salut"}'] * count
        args = (
            (self.rooms * count)[:count],
            [self.caller.account] * count,
            [self.caller.device] * count,
            [uuid4() for _ in range(count)],
            list(range(count)),
            body,
        )
        return await pages_touched(self.writer, SEND, *args) // count

    async def read(self, statement: str, *args: object) -> int:
        """Pages touched by a read."""
        return await pages_touched(self.reads, statement, *args)


async def connect(dsn: str, settings: dict[str, str]) -> Any:
    """A connection as the server opens it."""
    connection = await asyncpg.connect(dsn, ssl=False, server_settings=settings)
    await kit.connect_raw(connection)
    return connection


@pytest.fixture
async def plant(cluster: database.Cluster, database_name: str, admin: Any) -> AsyncIterator[Plant]:
    """Grows a database to so many rows, with connections from the time when it was empty."""
    dsn = cluster.dsn(database_name, service=True)
    writer, reads = await connect(dsn, {}), await connect(dsn, kit.PINNED)
    yield lambda rows: grow(admin, writer, reads, rows)
    await writer.close()
    await reads.close()


async def grow(admin: Any, writer: Any, reads: Any, rows: int) -> Grown:
    """Make all plans while empty, then grow."""
    await past_months(admin)
    caller = await rooms.person(admin)
    here: list[UUID] = [await rooms.room(admin, caller) for _ in range(TALKERS)]
    grown = Grown(admin, writer, reads, caller, here)
    for _ in range(6):  # PostgreSQL turns to generic plans at the sixth execution
        await grown.send(3)
        await grown.reads.fetch(pages.BEFORE, caller.account, here[0], LAST_ID, 50, False)
        await pages.select_entries(grown.reads, here[0], UUID(int=0), 500)  # type: ignore[arg-type]
    step = 100_000
    for start in range(0, rows, step):
        await admin.execute(
            GROW, here, start, rows, min(step, rows - start), caller.account, caller.device, timeout=600
        )
    await admin.execute(
        """
        UPDATE heads h SET (last_id, last_seq) = (SELECT m.id, 10 * $1::bigint FROM messages m
            WHERE m.conversation_id = h.conversation_id ORDER BY m.id DESC LIMIT 1)
        """,
        rows,
    )
    await admin.execute("VACUUM ANALYZE messages, entries, sends, heads, members", timeout=600)
    return grown


async def check_all(grown: Grown) -> None:
    """Every query of the hot paths, with the number of pages it may touch."""
    big, caller = grown.rooms[0], grown.caller.account
    await grown.send(1)  # the first call after a VACUUM reads catalogues again
    assert await grown.send(1) < 80
    assert await grown.send(50) < 60
    newest = await grown.read(pages.BEFORE, caller, big, await grown.head(), 50, False)
    middle = await grown.admin.fetchval(
        "SELECT id FROM messages WHERE conversation_id = $1 AND id < id_at(now() - interval '20 months')"
        " ORDER BY id DESC LIMIT 1",
        big,
    )
    deep = await grown.read(pages.BEFORE, caller, big, middle, 50, False)
    assert newest < 800
    assert deep < newest * 1.5 + 50
    await check_entries(grown, big, middle)


async def check_entries(grown: Grown, big: UUID, middle: UUID) -> None:
    """A catch-up page of 500 out of the middle of a big room reads about 500 rows, not the room."""
    assert await grown.read(pages.ENTRIES, big, middle, 500) < 400


async def test_plans_hold_when_the_database_grows(plant: Plant) -> None:
    await check_all(await plant(CI_ROWS))


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_plans_hold_after_five_million_rows(plant: Plant) -> None:
    await check_all(await plant(LONG_ROWS))


async def test_the_newest_page_opens_no_month_it_does_not_need(plant: Plant) -> None:
    """Without a DEFAULT partition PostgreSQL appends the months in order and never executes the rest."""
    grown = await plant(20_000)
    args = (grown.caller.account, grown.rooms[0], await grown.head(), 5, False)
    text = await grown.reads.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {pages.BEFORE}", *args)
    executed = [name for name, loops in scans(msgspec.json.decode(text)[0]["Plan"]) if loops]
    assert len([name for name in executed if name.startswith("messages_y")]) <= 2


MARK = """
    WITH newest AS (
      SELECT id, row_number() OVER (ORDER BY id DESC) AS nth FROM messages WHERE conversation_id = $1
       ORDER BY id DESC LIMIT 3000
    ), people AS (SELECT n, gen_random_uuid() AS account FROM generate_series(1, 500) AS n),
    reacted AS (
      INSERT INTO reactions (conversation_id, message_id, mark, account_id, id)
      SELECT $1, w.id, convert_to(CASE WHEN p.n % 2 = 0 THEN '+1' ELSE '-1' END, 'UTF8'), p.account, id_after(w.id, p.n)
        FROM newest w CROSS JOIN people p WHERE w.nth <= 60
    ), counted AS (
      INSERT INTO reaction_counts (conversation_id, message_id, mark, first_id, reaction_count)
      SELECT $1, w.id, convert_to(m.mark, 'UTF8'), w.id, 250
        FROM newest w CROSS JOIN (VALUES ('+1'), ('-1')) AS m (mark) WHERE w.nth <= 60
    ), pinned AS (
      INSERT INTO pins (conversation_id, message_id, account_id, id) SELECT $1, id, $2, id FROM newest WHERE nth <= 100
    ), hung AS (
      INSERT INTO message_links (conversation_id, target_id, link, id)
      SELECT $1, r.id, l.link, w.id FROM newest w JOIN newest r ON r.nth <= 10
       CROSS JOIN (VALUES (1), (2)) AS l (link) WHERE w.nth > 100
    ), rooted AS (
      INSERT INTO threads (conversation_id, root_id, reply_count, last_id)
      SELECT $1, id, 2900, id FROM newest WHERE nth <= 10 OR nth > 1000
    ), followed AS (
      INSERT INTO thread_follows (account_id, conversation_id, root_id, is_following)
      SELECT $2, $1, id, true FROM newest WHERE nth <= 10 OR nth > 2900
    ), hidden AS (
      INSERT INTO hidden_messages (account_id, conversation_id, id, ordinal)
      SELECT $2, $1, id, nth FROM newest WHERE nth % 10 = 9
    )
    INSERT INTO mentions (account_id, conversation_id, id) SELECT $2, $1, id FROM newest
"""
"""The newest messages of a room with all that can be set on them: 500 people react to each of sixty."""


async def test_a_page_costs_what_its_messages_cost_whatever_is_set_on_them(plant: Plant) -> None:
    grown = await plant(20_000)
    room, caller = grown.rooms[0], grown.caller.account
    await grown.admin.execute(MARK, room, caller, timeout=300)
    await grown.admin.execute(
        "VACUUM ANALYZE reactions, reaction_counts, pins, threads, message_links, mentions, thread_follows"
    )
    root = await grown.admin.fetchval("SELECT max(root_id::text)::uuid FROM threads")
    head = await grown.head()
    # of each reaction fifty people are read, of each thread its newest reply; nothing is counted, no list is sorted
    # that is longer than what is shown of it
    reacted, plain = 120, 20
    assert await grown.read(pages.BEFORE, caller, room, head, 50, False) < 50 * (plain + reacted)
    assert await grown.read(pages.REPLIES_BEFORE, caller, room, head, 50, False, root) < 80 * plain
    assert await grown.read(lists.PINNED, caller, room, 100) < 100 * (plain + reacted)
    assert await grown.read(lists.QUOTING, caller, room, root, FIRST_ID, 50) < 80 * plain
    assert await grown.read(lists.FOLLOWED, caller, room, LAST_ID, 50) < 110 * plain + 10 * reacted
    assert await grown.read(lists.THREADS, caller, room, LAST_ID, 5) < 6 * (plain + reacted)
    assert await grown.read(lists.MENTIONING, caller, LAST_ID, 50) < 50 * (plain + reacted)


def scans(plan: dict[str, Any]) -> list[tuple[str, int]]:
    """Every scan of a plan: the table and how often it ran."""
    found = [(plan["Relation Name"], int(plan["Actual Loops"]))] if "Relation Name" in plan else []
    for part in plan.get("Plans", []):
        found += scans(part)
    return found


async def test_the_look_finds_what_is_new(plant: Plant) -> None:
    grown = await plant(20_000)
    since = await grown.reads.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    await grown.send(3)
    recent = await grown.admin.fetchval("SELECT id_at(now() - interval '2 days')")
    moved = await sync.select_moved(grown.reads, since, recent)
    assert {conversation for conversation, _ in moved} == set(grown.rooms[:3])
