"""docs/schema.sql is the migrated database, with a word on everything in it.

A schema document that is kept by hand and compared by nobody is wrong after the second migration.
"""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.migrations.catalog import catalog
from tests.support.database import Cluster

DOCUMENT = (Path(__file__).parents[2] / "docs" / "schema.sql").read_text()
Connection = asyncpg.Connection  # the generic of the stubs is not one at run time
SIGNATURES = """
    SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') RETURNS ' || pg_get_function_result(p.oid)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = p.oid)
"""
DEFINITIONS = SIGNATURES.replace(
    "p.proname || '(' || pg_get_function_arguments(p.oid) || ') RETURNS ' || pg_get_function_result(p.oid)",
    "pg_get_functiondef(p.oid)",
)


@pytest.fixture
async def documented(cluster: Cluster, admin: Connection) -> AsyncIterator[Connection]:  # type: ignore[type-arg]
    """A database made from the document and the functions of the migrated one."""
    name = f"documented_{os.getpid()}"
    await admin.execute(f"CREATE DATABASE {name}")
    connection = await asyncpg.connect(cluster.dsn(name, service=False), ssl=False)
    try:
        await connection.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        await connection.execute("SET check_function_bodies = off")
        for row in await admin.fetch(DEFINITIONS):
            await connection.execute(row[0])
        await connection.execute(DOCUMENT)
        yield connection
    finally:
        await connection.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_describes_the_migrated_database(documented: Connection, admin: Connection) -> None:  # type: ignore[type-arg]
    described, migrated = await catalog(documented), await catalog(admin)
    assert ("table", "messages") in migrated
    assert described == migrated


async def test_lists_every_function(admin: Connection) -> None:  # type: ignore[type-arg]
    listed = re.findall(r"^-- FUNCTION (.*)$", DOCUMENT, re.MULTILINE)
    assert sorted(listed) == sorted(row[0] for row in await admin.fetch(SIGNATURES))


def test_has_a_word_on_every_table_and_column() -> None:
    tables = re.findall(r"^(--[^\n]*)\nCREATE TABLE (\w+) \(\n(.*?)^\)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(tables) == DOCUMENT.count("CREATE TABLE")
    for comment, table, body in tables:
        assert len(comment) > 10, table
        columns = [line for line in body.splitlines() if re.match(r"  [a-z]", line)]
        assert columns
        for column in columns:
            assert re.search(r"  -- \w+", column), f"{table}: {column.strip()}"


async def test_a_difference_is_seen(documented: Connection) -> None:  # type: ignore[type-arg]
    same = await catalog(documented)
    for change in (
        "ALTER TABLE accounts ADD COLUMN planted text",
        "ALTER TABLE sends ALTER COLUMN digest DROP NOT NULL",
        "CREATE INDEX planted ON heads (last_seq)",
        "GRANT DELETE ON messages TO aparte_service",
        "ALTER TABLE receipts DROP CONSTRAINT receipts_pkey",
        "DROP TRIGGER audit_entries_immutable_trigger ON audit_entries",
        "ALTER FUNCTION send_v1 RESET enable_material",
        "GRANT EXECUTE ON FUNCTION make_months TO PUBLIC",
        "ALTER TABLE heads SET (fillfactor = 60)",
        "ALTER TYPE base_role ADD VALUE 'planted'",
    ):
        transaction = documented.transaction()
        await transaction.start()
        await documented.execute(change)
        assert await catalog(documented) != same, change
        await transaction.rollback()
    assert await catalog(documented) == same
