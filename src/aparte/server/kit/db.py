"""PostgreSQL: two pools and the unit of work.

One request, frame or job is one transaction, opened by an action and by nobody else. What must leave a transaction is
a log entry or a job row in it, or a hint that waits for COMMIT (`Tx.ring`). Reads of the log go through a pool whose
plans are pinned: with PostgreSQL's own choice a catch-up page of a big conversation costs 600 ms instead of 1.

Whatever keeps PostgreSQL from answering becomes `unavailable` (503) within two seconds, a full disk `storage_full`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Protocol

import asyncpg
import msgspec

from aparte.server.kit.doorbell import Doorbell, Hint
from aparte.server.kit.metrics import STATEMENTS
from aparte.wire.errors import Refusal

ACQUIRE_SECONDS = 1.5
STATEMENT_SECONDS = 8.0

PINNED = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}

Row = asyncpg.Record

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock or a serialisation failure: once more, from the start
)


class Reader(Protocol):
    """What a store needs to read; a transaction is one too."""

    async def fetch(self, query: LiteralString, *args: object) -> list[Row]:
        """Rows."""

    async def fetchrow(self, query: LiteralString, *args: object) -> Row | None:
        """First row."""

    async def fetchval(self, query: LiteralString, *args: object) -> Any:
        """First column of the first row."""


class Tx:
    """A running transaction and the hints it will ring if it commits."""

    def __init__(self, connection: Any) -> None:
        """Wrap a connection inside a transaction."""
        self._connection = connection
        self.hints: list[Hint] = []

    def ring(self, hint: Hint) -> None:
        """Tell an audience after COMMIT."""
        self.hints.append(hint)

    async def fetch(self, query: LiteralString, *args: object) -> list[Row]:
        """Rows."""
        rows: list[Row] = await self._connection.fetch(query, *args)
        return rows

    async def fetchrow(self, query: LiteralString, *args: object) -> Row | None:
        """First row."""
        row: Row | None = await self._connection.fetchrow(query, *args)
        return row

    async def fetchval(self, query: LiteralString, *args: object) -> Any:
        """First column of the first row."""
        return await self._connection.fetchval(query, *args)

    async def execute(self, query: LiteralString, *args: object) -> int:
        """Run a statement and count the rows it changed."""
        status: str = await self._connection.execute(query, *args)
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0


class CountedConnection(asyncpg.Connection):
    """A connection that counts what is asked of it: a request that asks more the more there is shows in the figures."""

    async def fetch(self, *args: Any, **options: Any) -> Any:
        """Rows."""
        STATEMENTS.inc()
        return await super().fetch(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        """First row."""
        STATEMENTS.inc()
        return await super().fetchrow(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        """First column of the first row."""
        STATEMENTS.inc()
        return await super().fetchval(*args, **options)

    async def execute(self, *args: Any, **options: Any) -> str:
        """Run a statement, or begin or end a transaction."""
        STATEMENTS.inc()
        return await super().execute(*args, **options)


class Database:
    """The pools of one process."""

    def __init__(self, dsn: str, *, size: int = 10) -> None:
        """Remember where; `open` connects."""
        self._dsn = dsn
        self._size = size
        self._pool: asyncpg.Pool[Row] | None = None
        self._reads: asyncpg.Pool[Row] | None = None
        self.doorbell: Doorbell | None = None

    async def open(self) -> None:
        """Create the pools. They connect when used, so that a process starts while PostgreSQL is away."""
        self._pool = await _pool(self._dsn, self._size, {}, connect)
        self._reads = await _pool(self._dsn, self._size, PINNED, connect_raw)

    async def close(self) -> None:
        """Close the pools, waiting for what still runs."""
        for pool in (self._pool, self._reads):
            if pool is not None:
                try:
                    await asyncio.wait_for(pool.close(), 5)
                except TimeoutError:
                    pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Open the one transaction of an action; its hints ring after COMMIT."""
        async with self._connection(self._pool) as connection:
            tx = Tx(connection)
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield tx
            except BaseException:
                await asyncio.shield(_roll_back(transaction))
                raise
            # A COMMIT is never cancelled because a client went away: it may have happened all the same.
            await asyncio.shield(transaction.commit())
        self.ring(tx.hints)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        """Read with PostgreSQL's own plans, each statement by itself."""
        async with self._connection(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def read_log(self) -> AsyncIterator[Reader]:
        """Read partitions of the log, with pinned plans; jsonb comes as bytes, for who knows its type."""
        async with self._connection(self._reads) as connection:
            yield connection

    def ring(self, hints: Sequence[Hint]) -> None:
        """Hand hints over; without a doorbell (commands, tests of stores) nobody is listening."""
        if hints and self.doorbell is not None:
            self.doorbell.ring(hints)

    @asynccontextmanager
    async def _connection(self, pool: "asyncpg.Pool[Row] | None") -> AsyncIterator[Any]:
        assert pool is not None, "the database is not open"  # noqa: S101 - an error of ours, not of a caller
        try:
            async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection
        except asyncpg.DiskFullError as error:
            raise Refusal("storage_full", retry_after=10) from error
        except UNREACHABLE as error:
            raise Refusal("unavailable", retry_after=1) from error
        except asyncpg.InterfaceError as error:
            if "closed" not in str(error):
                raise
            raise Refusal("unavailable", retry_after=1) from error


async def _roll_back(transaction: Any) -> None:
    try:
        await transaction.rollback()
    except (*UNREACHABLE, asyncpg.InterfaceError):
        return  # the connection is gone, and the transaction with it


async def connect(connection: "asyncpg.Connection[Row]") -> None:
    """Set up a new connection: jsonb is bytes-in, structs-out of msgspec."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )


async def connect_raw(connection: "asyncpg.Connection[Row]") -> None:
    """Set up a connection whose jsonb comes as JSON bytes, decoded once and straight into its struct."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: data[1:],
    )


async def leave_as_is(_connection: object) -> None:
    """Give a connection back without the round trip of a reset: nothing here changes a session's settings."""


async def _pool(dsn: str, size: int, settings: dict[str, str], init: Any) -> "asyncpg.Pool[Row]":
    pool = asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        init=init,
        reset=leave_as_is,
        connection_class=CountedConnection,
        command_timeout=STATEMENT_SECONDS,
        timeout=ACQUIRE_SECONDS,
        max_inactive_connection_lifetime=60,
        ssl=False if "sslmode" not in dsn else None,
        server_settings={"application_name": "aparte", "idle_in_transaction_session_timeout": "30s", **settings},
    )
    await pool
    return pool
