"""Bytes per message in the database of our own server: all tables with their indexes, and the log written for it."""

from types import TracebackType
from typing import Any, Self

from aparte.bench.report import Figure
from aparte.bench.server import Server


class Stored:
    """Counts from its opening on; of a foreign server it knows nothing."""

    def __init__(self, server: Server) -> None:
        """Prepare; the context opens."""
        self._server = server
        self._connection: Any = None
        self._sizes: dict[str, int] = {}
        self._wal = 0

    async def __aenter__(self) -> Self:
        """Remember what is there."""
        if self._server.is_own:
            from aparte.bench import store  # noqa: PLC0415 - asyncpg is no package of the client's

            self._connection = await store.connect(self._server.admin_dsn)
            self._sizes = await store.select_sizes(self._connection)
            self._wal = await store.select_wal_bytes(self._connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()

    async def figures(self, messages: int) -> list[Figure]:
        """Bytes per message since the opening: in all tables, in each that takes one byte or more, in the WAL."""
        if self._connection is None or not messages:
            return []
        from aparte.bench import store  # noqa: PLC0415 - see above

        sizes = await store.select_sizes(self._connection)
        wal = await store.select_wal_bytes(self._connection) - self._wal
        grown = {name: (size - self._sizes.get(name, 0)) / messages for name, size in sizes.items()}
        each = [Figure(f"table_{name}_bytes_per_message", size, "B") for name, size in grown.items() if size >= 1]
        return [
            Figure("database_bytes_per_message", sum(grown.values()), "B"),
            *sorted(each, key=lambda figure: -figure.value),
            Figure("wal_bytes_per_message", wal / messages, "B"),
        ]
