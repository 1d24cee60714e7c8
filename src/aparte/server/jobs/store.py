"""SQL of jobs: the queue's door for transactions, and what keeps the tables of the queue and the months in order."""

from datetime import timedelta
from typing import LiteralString

from aparte.server.kit.db import Reader, Tx

LOG_DAYS = 30
LAST_PARTITIONS: dict[str, LiteralString] = {
    "messages": "SELECT EXISTS (SELECT 1 FROM messages_last)",
    "entries": "SELECT EXISTS (SELECT 1 FROM entries_last)",
    "message_search": "SELECT EXISTS (SELECT 1 FROM message_search_last)",
}


async def insert_job(tx: Tx, name: str, payload: bytes, after: timedelta, key: str | None) -> bool:
    """Queue a job; False if one with this key waits or runs."""
    count = await tx.execute(
        """
        WITH inserted AS (
          INSERT INTO pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
          VALUES (0, $1, $2, now() + $3::interval, $4, 'queued')
          ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL DO NOTHING
          RETURNING id, entrypoint, priority
        )
        INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'queued', entrypoint, priority FROM inserted
        """,
        name,
        payload,
        after,
        key,
    )
    return count == 1


async def delete_job_log(tx: Tx, batch: int) -> int:
    """Forget what the queue noted about jobs long ago."""
    return await tx.execute(
        """
        DELETE FROM pgqueuer_log WHERE id IN
          (SELECT id FROM pgqueuer_log WHERE created < now() - make_interval(days => $1) ORDER BY created LIMIT $2)
        """,
        LOG_DAYS,
        batch,
    )


async def delete_job_statistics(tx: Tx) -> int:
    """Forget what the queue counted long ago."""
    return await tx.execute(
        "DELETE FROM pgqueuer_statistics WHERE created < now() - make_interval(days => $1)", LOG_DAYS
    )


async def make_months(tx: Tx, months: int) -> int:
    """Make the partitions of the coming months; the maintenance role's work. Counts those that were missing."""
    await tx.execute("SET LOCAL lock_timeout = '200ms'")
    made: int = await tx.fetchval(
        "SELECT make_months(now(), $1) + make_audit_months(now(), $1) + make_search_months(now(), $1)", months
    )
    return made


async def select_last_partition_used(reader: Reader, table: str) -> bool:
    """Whether rows stand in the partition that reaches to the end of time."""
    used: bool = await reader.fetchval(LAST_PARTITIONS[table])
    return used
