"""A search reads spans, not rooms; names are found by their indexes: whatever has grown since the plans were made.

Pages are counted, not time. The accidents this prevents: a word that half of a big room holds, or one that was last
said long ago, for which every message is read; and a prefix that reads every account (B-037).
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.server.log.test_plans import pages_touched
from tests.support import database, rooms

from aparte.server.kit import db as kit
from aparte.server.search import rules

Connection = Any
MESSAGES = 60_000
ACCOUNTS = 20_000

SEARCH = (
    "SELECT * FROM search_messages_v1($1, $2, '{fr,en,simple}', array_fill($3::text::tsquery, '{3}'),"
    " array_fill(NULL::tsquery, '{3}'), NULL, NULL, '00000000-0000-0000-0000-000000000000',"
    " 'ffffffff-ffff-ffff-ffff-ffffffffffff', 20)"
)
GROW = """
    WITH said AS (
      SELECT $1::uuid AS room, id_after(id_at(now() - interval '1 minute' + n * interval '1 ms'), 1) AS id, n,
             '''mot''' || CASE WHEN n % 2 = 0 THEN ' ''souvent''' ELSE '' END
                       || CASE WHEN n % 6000 = 0 THEN ' ''rare''' ELSE '' END
                       || CASE WHEN n < $3::bigint / 2 THEN ' ''jadis''' ELSE '' END AS words
        FROM generate_series(1, $3) AS n
    ), written AS (
      INSERT INTO messages (conversation_id, id, seq, account_id, ordinal, content, xid)
      SELECT room, id, n, $2, n, '{"text": "mot"}', 3 FROM said RETURNING 1
    ), spans AS (
      INSERT INTO search_spans (conversation_id, span, month, first_id, last_id)
      SELECT room, n / $4::bigint, month_of(id), min(id::text)::uuid, max(id::text)::uuid FROM said
       GROUP BY room, n / $4, month_of(id)
    ), placed AS (
      INSERT INTO search_positions (conversation_id, language, id) SELECT room, 'fr', max(id::text)::uuid FROM said
       GROUP BY room
    )
    INSERT INTO message_search (conversation_id, id, month, words)
    SELECT room, id, month_of(id),
           words::tsvector || array_to_tsvector(ARRAY['/s' || left(room::text, 13) || '-' || n / $4,
                                                       '/t' || left(room::text, 13) || '-' || n / $4 / 8]) FROM said
"""


class Grown:
    """A connection whose plans were made when everything was empty, and two rooms that have grown since."""

    def __init__(self, service: Connection, account: UUID, here: list[UUID]) -> None:
        self.service, self.account, self.rooms = service, account, here

    async def pages(self, words: str, room: UUID | None) -> int:
        """Pages that a search touches."""
        return await pages_touched(self.service, SEARCH, self.account, room, words)

    async def hits(self, words: str, room: UUID | None) -> int:
        """What a search finds."""
        return len(await self.service.fetch(SEARCH, self.account, room, words))


@pytest.fixture
async def grown(cluster: database.Cluster, database_name: str, admin: Connection) -> AsyncIterator[Grown]:
    """Make the plans while everything is empty, then grow."""
    service = await asyncpg.connect(cluster.dsn(database_name, service=True), ssl=False)
    await kit.connect(service)
    caller = await rooms.person(admin)
    here: list[UUID] = [await rooms.room(admin, caller) for _ in range(2)]
    for _ in range(6):  # PostgreSQL turns to generic plans at the sixth execution
        await service.fetch(SEARCH, caller.account, here[0], "'mot'")
    for room in here:
        await admin.execute(GROW, room, caller.account, MESSAGES, rules.SPAN, timeout=600)
    await admin.execute("VACUUM ANALYZE messages, message_search, search_spans", timeout=600)
    yield Grown(service, caller.account, here)
    await service.close()


async def test_a_search_reads_spans_and_not_the_room(grown: Grown) -> None:
    room = grown.rooms[0]
    spans = MESSAGES // rules.SPAN + 1
    bounds = {
        "'souvent'": (20, 500),
        "'rare'": (10, 30 * spans),
        "'souvent' & 'rare'": (10, 40 * spans),
        "'jadis'": (20, 500 + 20 * spans),
        "'nulle'": (0, 20 * spans),
    }
    for words, (hits, most) in bounds.items():
        assert await grown.hits(words, room) == hits, words
        assert await grown.pages(words, room) < most, words


async def test_a_search_in_all_rooms_ends_when_nothing_newer_can_come(grown: Grown) -> None:
    assert await grown.hits("'souvent'", None) == 20
    assert await grown.pages("'souvent'", None) < 900


async def test_people_are_found_by_their_indexes(admin: Connection) -> None:
    await admin.execute(
        """
        WITH made AS (
          INSERT INTO accounts (account_id, username, email, display_name)
          SELECT gen_random_uuid(), substr(md5(n::text), 1, 12), n || '@example.org', md5(n || 'x')
            FROM generate_series(1, $1) AS n RETURNING account_id, username, display_name, updated_at
        )
        INSERT INTO account_search (account_id, username, name, words, updated_at)
        SELECT account_id, username, lower(display_name), to_tsvector('simple', display_name), updated_at FROM made
        """,
        ACCOUNTS,
    )
    await admin.execute("VACUUM ANALYZE account_search")
    statement = "SELECT search_people_v1($1, $1, $2::text::tsquery, 200)"
    asked = ("c4", "'c4'")
    whole = await pages_touched(admin, "SELECT count(*) FROM account_search WHERE length(name) > 1000")
    assert len(await admin.fetch(statement, *asked)) > 20  # the first call reads catalogues
    assert await pages_touched(admin, statement, *asked) < whole
