"""The writer's own connections: one that never waits for a lock, and a few that do.

They are apart from the pools so that no request can keep a batch waiting, and take the messages' JSON as it is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from aparte.server.kit.db import ACQUIRE_SECONDS, STATEMENT_SECONDS, CountedConnection

WAITERS = 8
"""How many conversations may be waited for at once; more wait for a place."""


class Lanes:
    """Connections that are opened when needed and kept."""

    def __init__(self, dsn: str) -> None:
        """Remember where to connect."""
        self._dsn = dsn
        self._idle: dict[bool, list[Any]] = {False: [], True: []}
        self._places = {False: asyncio.Semaphore(1), True: asyncio.Semaphore(WAITERS)}

    @asynccontextmanager
    async def connection(self, *, wait: bool) -> AsyncIterator[Any]:
        """Borrow a connection of the lane that waits for locks, or of the one that does not."""
        async with self._places[wait]:
            idle = self._idle[wait]
            connection = idle.pop() if idle else None
            if connection is None or connection.is_closed():
                connection = await self._connect()
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    idle.append(connection)

    async def close(self) -> None:
        """Close what is open."""
        for idle in self._idle.values():
            for connection in idle:
                connection.terminate()
            idle.clear()

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=ACQUIRE_SECONDS,
            connection_class=CountedConnection,
            command_timeout=STATEMENT_SECONDS,
            ssl=False if "sslmode" not in self._dsn else None,
            server_settings={"application_name": "aparte writer"},
        )
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            format="binary",
            encoder=lambda content: b"\x01" + content,
            decoder=bytes,
        )
        return connection
