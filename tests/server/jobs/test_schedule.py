"""The calendar's own steps: months are made ahead whoever is in the way, and the last partition stays empty."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.database import Cluster

from aparte.server.jobs import schedule
from aparte.server.jobs.schedule import forget_job_log, make_months, own, until_none
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.metrics import REGISTRY


@pytest.fixture
def admin_dsn(cluster: Cluster, database_name: str) -> str:
    return cluster.dsn(database_name, service=False)


MONTHS = """
    SELECT to_char(now() AT TIME ZONE 'UTC' + make_interval(months => step), '"_y"YYYY"m"MM')
      FROM generate_series(0, 3) AS step
"""


async def drop_ahead(admin: Any) -> None:
    """Take away the newest month of each table, as if nobody had made it."""
    (last,) = (await admin.fetch(MONTHS))[-1]
    for table in ("messages", "entries", "audit_entries"):
        await admin.execute(f"ALTER TABLE {table} DETACH PARTITION {table}{last}")
        await admin.execute(f"DROP TABLE {table}{last}")


async def has_months(admin: Any) -> bool:
    names = [row[0] for row in await admin.fetch(MONTHS)]
    tables = [table + name for table in ("messages", "entries", "audit_entries") for name in names]
    return bool(
        await admin.fetchval("SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest($1::text[]) AS t", tables)
    )


async def test_missing_months_are_made_and_nothing_else(admin_dsn: str, admin: Any) -> None:
    assert await make_months(admin_dsn) == 0
    await drop_ahead(admin)
    assert not await has_months(admin)
    assert await make_months(admin_dsn) == 3
    assert await has_months(admin)


async def test_somebody_who_reads_for_long_delays_the_months_and_nobody_else(
    admin_dsn: str, admin: Any, db: Database
) -> None:
    await drop_ahead(admin)
    async with db.transaction() as reading:
        await reading.fetch("SELECT 1 FROM messages LIMIT 1")
        making = asyncio.create_task(make_months(admin_dsn))
        for _ in range(10):
            async with asyncio.timeout(0.6), db.transaction() as other:
                await other.fetch("SELECT 1 FROM messages LIMIT 1")
            await asyncio.sleep(0.05)
        assert not making.done()
    assert await making == 3
    assert await has_months(admin)


async def test_a_row_in_the_last_partition_raises_the_alarm(admin_dsn: str, admin: Any) -> None:
    def alarm(table: str) -> float | None:
        return REGISTRY.get_sample_value("aparte_last_partition_used", {"table": table})

    await make_months(admin_dsn)
    assert (alarm("messages"), alarm("entries")) == (0, 0)
    conversation = uuid4()
    await admin.execute(
        "INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name)"
        " VALUES ($1, 'room', 'server', false, 'x')",
        conversation,
    )
    await admin.execute(
        "INSERT INTO entries (conversation_id, id, seq, kind, account_id, body, xid)"
        " VALUES ($1, id_at(now() + interval '3 years'), 1, 2, $1, '{}', 1)",
        conversation,
    )
    await make_months(admin_dsn)
    assert (alarm("messages"), alarm("entries")) == (0, 1)


async def test_the_queues_log_is_forgotten_after_30_days(db: Database, admin: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(schedule, "BATCH", 2)
    for days in (1, 29, 31, 32, 33, 400, 500):
        await admin.execute(
            "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)"
            " VALUES (now() - make_interval(days => $1), 1, 'queued', 0, 'x')",
            days,
        )
    await admin.execute(
        "INSERT INTO pgqueuer_statistics (created, count, priority, status, entrypoint)"
        " VALUES (now() - interval '40 days', 1, 0, 'queued', 'x'), (now(), 1, 0, 'queued', 'x')"
    )
    assert await forget_job_log(db) == 6
    assert await admin.fetchval("SELECT count(*) FROM pgqueuer_log") == 2
    assert await admin.fetchval("SELECT count(*) FROM pgqueuer_statistics") == 1


async def test_a_batch_is_repeated_in_transactions_of_its_own_until_it_finds_nothing(db: Database) -> None:
    left = [3, 2, 1]
    seen: set[int] = set()

    async def batch(tx: Tx) -> int:
        seen.add(id(tx))
        assert await tx.fetchval("SELECT 1") == 1
        return left.pop(0) if left else 0

    assert await until_none(db, batch) == 6
    assert left == []


async def test_the_service_role_cannot_change_partitions(cluster: Cluster, database_name: str, admin: Any) -> None:
    await drop_ahead(admin)
    with pytest.raises(Exception, match="permission denied"):
        await make_months(cluster.dsn(database_name, service=True))


def test_the_rows_of_the_calendar_name_different_steps(db: Database) -> None:
    rows = own(db, "postgres://nobody")
    assert len({row.name for row in rows}) == len(rows) == 2
