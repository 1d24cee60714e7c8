"""Plans of groups, made on an empty database, hold when it has grown: they touch a bounded number of pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.server.log.test_plans import connect, pages_touched, past_months
from tests.support import database, rooms
from tests.support.sealed_groups import Group, found
from tests.support.sealing import Sealer, give_keys

from aparte.server.kit import db as kit
from aparte.server.kit.db import Tx
from aparte.server.messages import sealed, sender_keys, store
from aparte.server.messages.model import Acknowledged, Cover, Outgoing, Sealing
from aparte.wire.ids import ClientMessageId, DeviceId
from aparte.wire.sealed import Envelope

ROWS = 60_000
DEVICES = 10
NOISE = bytes(192)
GROW = """
    WITH said AS (
      -- half of everything is said in the group
      SELECT n + 1000 AS n, CASE WHEN n % 2 = 0 THEN $1::uuid ELSE md5('group' || n % 50)::uuid END AS c,
             id_after(id_at(now() - interval '24 months' + n * (interval '24 months' / $2::float8)), 1) AS id
        FROM generate_series(1, $2::bigint) AS n
    ), written AS (
      INSERT INTO messages (conversation_id, id, seq, account_id, device_id, client_message_id, ordinal, sealed, epoch,
                            counter, prev, xid)
      SELECT c, id, n, $3, gen_random_uuid(), gen_random_uuid(), n, $4, 1 + n % 50, n, sha256('prev'), 3 FROM said
       WHERE c = $1
    ), keyed AS (
      INSERT INTO message_key_sets (conversation_id, seq, id, group_key) SELECT c, n, id, 'key' FROM said
    ), chained AS (
      INSERT INTO sender_chains (conversation_id, device_id, chain_id, complete)
      SELECT c, gen_random_uuid(), 1, 1 FROM said
    )
    -- each brings a chain to a member, one in ten to the reader
    INSERT INTO distributions (conversation_id, sender_device_id, chain_id, device_id, id, epoch, type, body, seq)
    SELECT c, gen_random_uuid(), 1, CASE WHEN n % 10 = 0 THEN $5::uuid ELSE $6 END, id, 1, 2, 'chain', n
      FROM said
"""


class Seen:
    """Keeps the statements of a store instead of running them."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Keep it."""
        self.statements.append((query, args))
        return []

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Keep it."""
        self.statements.append((query, args))
        return {"complete": None, "pending": []}

    async def fetchval(self, query: str, *args: Any) -> int:
        """Keep it."""
        self.statements.append((query, args))
        return 0

    execute = fetchval


class Grown:
    """A group whose plans were made when there was nothing else, and everything that came since."""

    def __init__(self, admin: Any, writer: Any, reads: Any, group: Group, sealer: Sealer) -> None:
        self.admin, self.writer, self.reads, self.group, self.sealer = admin, writer, reads, group, sealer
        self.counter = 0

    async def give(self, chain: int) -> None:
        """Let a chain be pending for everybody."""
        envelopes = [Envelope(device, 2, b"chain") for device in self.sealer.others]
        sender = self.sealer.caller.device
        await sender_keys.upsert_distributions(
            Tx(self.writer), self.group.id, sender, chain, self.sealer.epoch, envelopes
        )

    async def seal(self, chain: int, commits: frozenset[DeviceId] | None = None) -> int:
        """Pages touched by one entry."""
        self.counter += 1
        sealing = Sealing(
            kind=1,
            sealed=NOISE,
            epoch=self.sealer.epoch,
            roster=self.sealer.roster,
            counter=self.counter,
            prev=(self.counter - 1).to_bytes(32),
            hash=self.counter.to_bytes(32),
            peer=None,
            cover=Cover(commits=commits),
            chain=chain,
            group_key=b"key",
        )
        key, who = ClientMessageId(uuid4()), self.sealer.caller
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        new = Outgoing(self.group.id, who.account, who.device, key, None, None, self.counter, done, sealing)
        touched = await pages_touched(self.writer, store.SEND, *store.columns([new]), False)
        assert await self.admin.fetchval("SELECT counter FROM chains") == self.counter
        return touched

    async def asked(self, connection: Any, seen: Seen) -> int:
        """Pages touched by the last statement that a store made."""
        query, args = seen.statements[-1]
        return await pages_touched(connection, query, *args)

    async def read(self, after: UUID, limit: int) -> int:
        """Pages touched by a page of the group's log."""
        seen, device = Seen(), self.sealer.others[0]
        await sealed.select_entries(seen, self.group.id, device, after, limit)  # type: ignore[arg-type]
        return await self.asked(self.reads, seen)

    async def look(self, chain: int) -> int:
        """Pages touched by looking what is known of a chain."""
        seen = Seen()
        await sender_keys.select_chain(seen, self.group.id, self.sealer.caller.device, chain)  # type: ignore[arg-type]
        return await self.asked(self.writer, seen)

    async def acknowledge(self, up_to: int) -> int:
        """Pages touched by forgetting what a device has."""
        seen = Seen()
        mark = Acknowledged(self.group.id, self.sealer.others[1], 0, up_to, is_group=True)
        await sender_keys.forget_acknowledged(seen, [mark])  # type: ignore[arg-type]
        return await self.asked(self.writer, seen)

    async def erase(self) -> int:
        """Pages touched by looking through the group for keys that everybody has."""
        seen = Seen()
        await sender_keys.erase_group_keys(seen, [self.group.id], 45)  # type: ignore[arg-type]
        return await self.asked(self.writer, seen)


@pytest.fixture
async def grown(cluster: database.Cluster, database_name: str, db: kit.Database, admin: Any) -> AsyncIterator[Grown]:
    """A database that was empty when its plans were made."""
    dsn = cluster.dsn(database_name, service=True)
    writer, reads = await connect(dsn, {}), await connect(dsn, kit.PINNED)
    await past_months(admin)
    people = [await rooms.person(admin) for _ in range(DEVICES)]
    for who in people:
        await give_keys(admin, who)
    group = await found(db, admin, *people)
    sealer = await group.sealer(people[0])
    made = Grown(admin, writer, reads, group, sealer)
    for chain in range(6):  # PostgreSQL turns to generic plans at the sixth execution
        await made.give(chain)
        await made.seal(chain, frozenset(sealer.others))
        await made.seal(chain)
        await made.read(UUID(int=0), 500)
        await made.acknowledge(10_000)
        await made.erase()
    await admin.execute(GROW, group.id, ROWS, people[0].account, NOISE, *sealer.others[:3:2], timeout=300)
    await admin.execute(
        "INSERT INTO epochs SELECT $1, n, sha256('roster'), n FROM generate_series(2, 51) AS n ON CONFLICT DO NOTHING",
        group.id,
    )
    await admin.execute("UPDATE heads SET last_seq = 10 * $1::bigint", ROWS)
    await admin.execute(
        "VACUUM ANALYZE messages, entries, sends, heads, members, chains, epochs, message_key_sets, sender_chains,"
        " distributions, receipts, devices"
    )
    yield made
    await writer.close()
    await reads.close()


async def test_plans_of_groups_hold_when_the_database_grows(grown: Grown) -> None:
    await grown.seal(5)  # the first call after a VACUUM reads catalogues again
    assert await grown.seal(5) < 90
    assert await grown.look(7) < 12
    await grown.give(7)
    assert await grown.seal(7, frozenset(grown.sealer.others)) < 90 + 30 * DEVICES
    middle = await grown.admin.fetchval(
        "SELECT id FROM messages WHERE conversation_id = $1 AND seq = $2", grown.group.id, ROWS // 2 + 1000
    )
    assert await grown.read(middle, 50) < 800
    assert await grown.read(middle, 500) < 7_500
    assert await grown.acknowledge(10_000) < 20
    assert await grown.erase() < 450
