"""Steps of the calendar that belong to no other slice, and how a batch that a slice offers becomes one."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
import structlog

from aparte.server.jobs import store
from aparte.server.jobs.model import Schedule
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.metrics import LAST_PARTITION_USED

MONTHS = 4
"""The present month and the next three always have their partitions (R-359)."""
ATTEMPTS = 30
BATCH = 5_000
PAUSE_SECONDS = 0.05
"""Between batches, so that a long clean-up leaves room for everybody else."""

log = structlog.get_logger(__name__)


def own(db: Database, admin_dsn: str) -> list[Schedule]:
    """The rows of this slice."""
    return [
        Schedule("months_ahead", "17 3 * * *", partial(make_months, admin_dsn)),
        Schedule("job_log", "47 3 * * *", partial(forget_job_log, db)),
    ]


async def until_none(db: Database, batch: Callable[[Tx], Awaitable[int]]) -> int:
    """Repeat a batch, each in a transaction of its own, until it finds nothing more; gives the sum."""
    done = 0
    while True:
        async with db.transaction() as tx:
            count = await batch(tx)
        if count == 0:
            return done
        done += count
        await asyncio.sleep(PAUSE_SECONDS)


async def forget_job_log(db: Database) -> int:
    """Forget what the queue noted and counted long ago."""
    return await until_none(db, partial(store.delete_job_log, batch=BATCH)) + await until_none(
        db, store.delete_job_statistics
    )


async def make_months(admin_dsn: str) -> int:
    """Make the partitions of the coming months, and raise the alarm if the last ones are in use.

    The change of a partitioned table waits behind everybody and makes everybody wait behind it: so it gives up after
    200 ms and tries again.
    """
    connection = await asyncpg.connect(
        admin_dsn, timeout=5, command_timeout=30, ssl=False if "sslmode" not in admin_dsn else None
    )
    try:
        made = await _make(connection)
        for table in store.LAST_PARTITIONS:
            is_used = await store.select_last_partition_used(connection, table)
            LAST_PARTITION_USED.labels(table).set(is_used)
            if is_used:
                log.error("last_partition_used", table=f"{table}_last")
        return made
    finally:
        await connection.close(timeout=5)


async def _make(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with connection.transaction():
                return await store.make_months(Tx(connection), MONTHS)
        except asyncpg.LockNotAvailableError:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0.2, 1))  # noqa: S311 - jitter, guards nothing
    raise AssertionError("unreachable: the last attempt returns or raises")
