"""Migrations: applied once and in order, by one node at a time, never under a program that does not know them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.support.database import Cluster

from aparte.server import migrate

FIRST = "-- migrate:up\nCREATE TABLE first (); SELECT pg_sleep(0.2);\n-- migrate:down\nDROP TABLE first;\n"
SECOND = "-- migrate:up\nCREATE TABLE second ();\n-- migrate:down\nDROP TABLE second;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations."""
    (tmp_path / "0001_first.sql").write_text(FIRST)
    (tmp_path / "0002_second.sql").write_text(SECOND)
    return tmp_path


@pytest.fixture
async def dsn(cluster: Cluster) -> AsyncIterator[str]:
    """The address of an empty database, for its owner."""
    admin = await asyncpg.connect(cluster.dsn("postgres", service=False))
    name = f"migrated_{os.getpid()}"
    await admin.execute(f"CREATE DATABASE {name}")
    yield cluster.dsn(name, service=False)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows} - {"schema_migrations"}


async def test_up_applies_what_is_pending_once_and_down_undoes_the_newest(dsn: str, folder: Path) -> None:
    assert migrate.status(dsn, folder).pending == ("0001_first.sql", "0002_second.sql")
    assert migrate.up(dsn, folder) == ("0001_first.sql", "0002_second.sql")
    assert migrate.up(dsn, folder) == ()
    assert await tables(dsn) == {"first", "second"}
    assert migrate.down(dsn, folder) == "0002_second.sql"
    assert await tables(dsn) == {"first"}
    assert migrate.status(dsn, folder) == migrate.Status(("0001_first.sql",), ("0002_second.sql",), ())
    assert migrate.down(dsn, folder) == "0001_first.sql"
    assert migrate.down(dsn, folder) is None


async def test_nodes_that_migrate_at_once_wait_for_each_other(dsn: str, folder: Path) -> None:
    results = await asyncio.gather(*(asyncio.to_thread(migrate.up, dsn, folder) for _ in range(4)))
    assert sorted(results) == [(), (), (), ("0001_first.sql", "0002_second.sql")]


async def test_a_schema_from_the_future_is_refused_and_left_alone(dsn: str, folder: Path) -> None:
    migrate.up(dsn, folder)
    (folder / "0002_second.sql").rename(folder / "0003_third.sql")
    with pytest.raises(migrate.MigrationRefused, match="from the future: it has 0002"):
        migrate.up(dsn, folder)
    with pytest.raises(migrate.MigrationRefused, match="from the future"):
        migrate.down(dsn, folder)
    with pytest.raises(migrate.MigrationRefused, match="from the future"):
        migrate.status(dsn, folder).require_current()
    assert await tables(dsn) == {"first", "second"}


async def test_a_failing_migration_leaves_the_ones_before_it_and_nothing_of_its_own(dsn: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text(SECOND.replace("second ();", "second (); SELECT nonsense;", 1))
    with pytest.raises(migrate.MigrationRefused, match="nonsense"):
        migrate.up(dsn, folder)
    assert await tables(dsn) == {"first"}
    with pytest.raises(migrate.MigrationRefused, match="lacks 1 migration"):
        migrate.status(dsn, folder).require_current()


async def test_no_message_tells_the_password(dsn: str, folder: Path) -> None:
    password = "hunter2%2Fhunter2"
    wrong = f"postgresql://aparte_admin:{password}@{dsn.rpartition('@')[2]}"
    with pytest.raises(migrate.MigrationRefused) as refusal:
        migrate.up(wrong, folder)
    assert "hunter2" not in str(refusal.value)
    with pytest.raises(migrate.MigrationRefused) as refusal:
        migrate.up("postgresql://u:hunter2@[nonsense/db", folder)
    assert "hunter2" not in str(refusal.value)
