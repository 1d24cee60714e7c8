"""Every migration goes up, and down again from a database that is in use, and leaves what is not its own alone."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.migrations.catalog import catalog
from tests.support.database import Cluster

from aparte.server import migrate

HERE = Path(__file__).parent
FILES = sorted(path.name for path in migrate.MIGRATIONS.glob("*.sql"))
NOBODY_USES_THEM_YET = "0006_login_failures.sql"
"""Up to here migrations make tables in an empty database; those that follow meet a server at work."""
STYLE = ("prefer-robust-stmts", "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity")
TIMEOUTS = ("require-lock-timeout", "require-statement-timeout")


@pytest.fixture
async def dsn(cluster: Cluster) -> AsyncIterator[str]:
    """The address of an empty database, for its owner."""
    admin = await asyncpg.connect(cluster.dsn("postgres", service=False), ssl=False)
    name = f"up_and_down_{os.getpid()}"
    await admin.execute(f"CREATE DATABASE {name}")
    yield cluster.dsn(name, service=False)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def described(dsn: str) -> dict[tuple[str, str], str]:
    connection = await asyncpg.connect(dsn, ssl=False)
    try:
        return await catalog(connection)
    finally:
        await connection.close()


async def fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, ssl=False)
    await connection.execute((HERE / "filled.sql").read_text())
    await connection.close()


async def counts(dsn: str) -> dict[str, int]:
    """Rows of every table."""
    connection = await asyncpg.connect(dsn, ssl=False)
    tables = [
        row["relname"]
        for row in await connection.fetch(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
            " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'schema_migrations'"
        )
    ]
    found = {table: await connection.fetchval(f'SELECT count(*) FROM "{table}"') for table in tables}  # noqa: S608 - names from the catalog
    await connection.close()
    return found


def step_by_step(dsn: str, folder: Path, upto: int) -> None:
    """Put the first migrations into a folder and apply them."""
    for name in FILES[:upto]:
        (folder / name).write_text((migrate.MIGRATIONS / name).read_text())
    migrate.up(dsn, folder)


async def test_every_migration_down_is_as_before_it_and_up_again_as_after(dsn: str, tmp_path: Path) -> None:
    after = [await described(dsn)]
    for upto in range(1, len(FILES) + 1):
        step_by_step(dsn, tmp_path, upto)
        after.append(await described(dsn))
    await fill(dsn)
    rows = await counts(dsn)
    assert all(rows.values()), [table for table, count in rows.items() if not count]

    for left in reversed(range(len(FILES))):
        assert migrate.down(dsn, tmp_path) == FILES[left]
        assert await described(dsn) == after[left], FILES[left]
        remaining = await counts(dsn)
        assert remaining == {table: rows[table] for table in remaining}, FILES[left]

    assert migrate.up(dsn) == tuple(FILES)
    assert await described(dsn) == after[-1]
    await fill(dsn)
    assert await counts(dsn) == rows


def test_numbers_are_unique_and_every_file_has_both_ways() -> None:
    assert len({name[:4] for name in FILES}) == len(FILES)
    for name in FILES:
        up, mark, down = (migrate.MIGRATIONS / name).read_text().partition("-- migrate:down")
        assert "-- migrate:up" in up
        assert mark
        assert any(line and not line.startswith("--") for line in down.splitlines()), f"{name} cannot be undone"


def test_the_linter_finds_nothing_that_stops_a_running_server(tmp_path: Path) -> None:
    """A lock that waits on a table in use stops everybody behind it; a rewrite holds it for as long as the table is."""
    assert lint(ups(tmp_path, FILES), (*STYLE, *TIMEOUTS)) == ""
    assert lint(ups(tmp_path, [name for name in FILES if name > NOBODY_USES_THEM_YET]), STYLE) == ""


def test_the_linter_finds_a_planted_danger(tmp_path: Path) -> None:
    planted = tmp_path / "planted.sql"
    planted.write_text("ALTER TABLE accounts ADD COLUMN x integer NOT NULL;\nCREATE INDEX i ON accounts (x);\n")
    said = lint([planted], STYLE)
    for rule in ("require-lock-timeout", "require-concurrent-index-creation", "adding-required-field"):
        assert rule in said


def ups(folder: Path, names: list[str]) -> list[Path]:
    """The way up of migrations as files of their own: the way down drops, as it must."""
    made = []
    for name in names:
        path = folder / f"up_{name}"
        path.write_text((migrate.MIGRATIONS / name).read_text().partition("-- migrate:down")[0])
        made.append(path)
    return made


def lint(files: list[Path], left_out: tuple[str, ...]) -> str:
    """Ask squawk; gives its complaints."""
    if not files:
        return ""
    tool = Path(sys.executable).with_name("squawk")
    command = [
        tool,
        "--pg-version",
        "16.0",
        "--assume-in-transaction",
        "--reporter",
        "gcc",
        "--exclude",
        ",".join(left_out),
    ]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""
