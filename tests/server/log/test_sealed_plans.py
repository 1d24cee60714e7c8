"""Plans of sealed entries, made on an empty database, hold when it has grown: they touch a bounded number of pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.server.log.test_plans import connect, pages_touched, past_months
from tests.support import database, rooms
from tests.support.sealing import pair

from aparte.server.kit import db as kit
from aparte.server.messages import sealed, store
from aparte.server.messages.model import Cover, Outgoing, Sealing
from aparte.wire.ids import ClientMessageId, ConversationId
from aparte.wire.sealed import Envelope

ROWS = 60_000
PAIRS = 20
NOISE = bytes(192)
GROW = """
    WITH said AS (
      -- half of everything is said in the first conversation
      SELECT n + 1000 AS n,  -- after what was said when there was nothing
             CASE WHEN n % 2 = 0 THEN ($1::uuid[])[1] ELSE ($1::uuid[])[2 + n % (cardinality($1::uuid[]) - 1)] END AS c,
             id_after(id_at(now() - interval '24 months' + n * (interval '24 months' / $2::float8)), 1) AS id
        FROM generate_series(1, $2::bigint) AS n
    ), written AS (
      INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, sealed, epoch,
                            counter, prev, xid)
      SELECT c, id, n, $3, gen_random_uuid(), gen_random_uuid(), n, $4, 1 + n % 50, n, sha256('prev'), 3 FROM said
    ), enveloped AS (
      INSERT INTO message_key_sets (conversation_id, seq, id, envelopes)
      SELECT c, n, id, '\\x01' || decode(replace($5::text, '-', ''), 'hex') || '\\x02000178' FROM said
    ), chained AS (
      INSERT INTO chains (conversation_id, device_id, counter, hash)
      SELECT c, gen_random_uuid(), n, sha256('hash') FROM said
    )
    INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
    SELECT c, gen_random_uuid(), gen_random_uuid(), id, n, n FROM said
"""


class Grown:
    """Connections whose plans were made when everything was empty, and conversations that have grown since."""

    def __init__(self, admin: Any, writer: Any, reads: Any) -> None:
        self.admin, self.writer, self.reads = admin, writer, reads
        self.here: list[Any] = []
        self.counters: dict[UUID, int] = {}

    async def seal(self, count: int) -> int:
        """Pages touched by a batch into different conversations, per message."""
        batch = [self.message(two) for two in self.here[:count]]
        rows = await self.writer.fetch(store.SEND, *store.columns(batch), False)
        assert [row["o_outcome"] for row in rows] == [0] * count
        batch = [self.message(two) for two in self.here[:count]]
        return await pages_touched(self.writer, store.SEND, *store.columns(batch), False) // count

    def message(self, two: Any) -> Outgoing:
        """The next sealed message of Alice; hashes are counters, which is all the database looks at."""
        counter = self.counters[two.conversation] = self.counters.get(two.conversation, 0) + 1
        sealing = Sealing(
            kind=1,
            sealed=NOISE,
            epoch=1,
            roster=two.a.roster,
            counter=counter,
            prev=(counter - 1).to_bytes(32),
            hash=counter.to_bytes(32),
            peer=two.bob.account,
            cover=Cover(envelopes=(Envelope(two.bob.device, 2, b"x"),)),
        )
        key = ClientMessageId(uuid4())
        alice, conversation = two.alice, ConversationId(two.conversation)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return Outgoing(conversation, alice.account, alice.device, key, None, None, counter, done, sealing)

    async def read(self, after: UUID, limit: int) -> int:
        """Pages touched by a page of the first conversation's log, for Bob's device."""
        seen: list[tuple[str, tuple[Any, ...]]] = []

        class Spy:
            """Keeps the statement that the store sends."""

            async def fetch(self, query: str, *args: Any) -> list[Any]:
                seen.append((query, args))
                return []

            async def fetchval(self, *_: Any) -> int:
                return 0

        two = self.here[0]
        await sealed.select_entries(Spy(), two.conversation, two.bob.device, after, limit)  # type: ignore[arg-type]
        return await pages_touched(self.reads, seen[0][0], *seen[0][1])


@pytest.fixture
async def grown(cluster: database.Cluster, database_name: str, db: kit.Database, admin: Any) -> AsyncIterator[Grown]:
    """A database that was empty when its plans were made."""
    dsn = cluster.dsn(database_name, service=True)
    writer, reads = await connect(dsn, {}), await connect(dsn, kit.PINNED)
    await past_months(admin)
    made = Grown(admin, writer, reads)
    alice = await rooms.person(admin)
    made.here = [await pair(db, admin, alice, await rooms.person(admin)) for _ in range(PAIRS)]
    first = made.here[0]
    for _ in range(6):  # PostgreSQL turns to generic plans at the sixth execution
        await made.seal(3)
        await sealed.select_entries(reads, first.conversation, first.bob.device, UUID(int=0), 500)  # type: ignore[arg-type]
    conversations = [two.conversation for two in made.here]
    await admin.execute(GROW, conversations, ROWS, alice.account, NOISE, str(first.bob.device), timeout=300)
    await admin.execute(
        "INSERT INTO epochs SELECT c, n, sha256('roster'), n FROM unnest($1::uuid[]) AS c, generate_series(2, 51) AS n",
        conversations,
    )
    await admin.execute("UPDATE heads SET last_seq = 10 * $1::bigint WHERE epoch > 0", ROWS)
    await admin.execute(
        "VACUUM ANALYZE messages, entries, sends, heads, members, chains, epochs, message_key_sets, blocks"
    )
    yield made
    await writer.close()
    await reads.close()


async def test_plans_of_sealed_entries_hold_when_the_database_grows(grown: Grown) -> None:
    await grown.seal(PAIRS)  # the first call after a VACUUM reads catalogues again
    assert await grown.seal(1) < 130
    assert await grown.seal(PAIRS) < 90
    middle = await grown.admin.fetchval(
        "SELECT id FROM messages WHERE conversation_id = $1 AND seq = $2", grown.here[0].conversation, ROWS // 2 + 1000
    )
    assert await grown.read(middle, 50) < 700
    assert await grown.read(middle, 500) < 6_000
