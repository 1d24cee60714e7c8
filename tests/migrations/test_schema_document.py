"""docs/schema.sql is the migrated database, with a word on everything in it.

A document that nobody compares is wrong after the second migration: this one is written again, loaded, and compared.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.migrations.catalog import catalog
from tests.support.database import Cluster
from tools import schema

DOCUMENT = (Path(__file__).parents[2] / schema.NAME).read_text()
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


PLANTED = """
    CREATE TABLE planted (
      id bigserial PRIMARY KEY,
      number integer UNIQUE GENERATED ALWAYS AS IDENTITY,
      "order" text COLLATE "C" DEFAULT 'it''s, -- no comment' CHECK ("order" <> ') public.x ('),
      double_number integer GENERATED ALWAYS AS (number * 2) STORED,
      gone integer,
      later_id uuid,
      EXCLUDE USING btree (number WITH =)
    );
    ALTER TABLE planted DROP COLUMN gone;
    ALTER TABLE planted ADD CONSTRAINT planted_later_check CHECK (number > 0) NOT VALID;
    CREATE TABLE "Planted Later" (id uuid PRIMARY KEY, a audit_severity[] NOT NULL DEFAULT '{info}');
    ALTER TABLE planted ADD FOREIGN KEY (later_id) REFERENCES "Planted Later" DEFERRABLE NOT VALID;
    ALTER TABLE planted ADD FOREIGN KEY (number) REFERENCES planted (number);
    CREATE VIEW planted_view WITH (security_barrier = true) AS SELECT "order" AS "select" FROM planted;
    CREATE FUNCTION planted_function(p_role base_role) RETURNS base_role LANGUAGE sql AS 'SELECT p_role';
    GRANT SELECT ON planted TO PUBLIC;
    GRANT EXECUTE ON FUNCTION planted_function TO PUBLIC;
    COMMENT ON TABLE planted IS E'Begins\n); DROP TABLE accounts; -- and goes on.';
    COMMENT ON COLUMN planted.id IS E'Begins\n); DROP TABLE accounts; -- and goes on.';
    COMMENT ON VIEW planted_view IS E'Begins\n); DROP TABLE accounts; -- and goes on.';
    COMMENT ON FUNCTION planted_function IS E'Begins\n); DROP TABLE accounts; -- and goes on.';
"""


@asynccontextmanager
async def loaded(cluster: Cluster, admin: Connection, text: str) -> AsyncIterator[Connection]:  # type: ignore[type-arg]
    """A database made from a document, and the functions of the database that it was written from."""
    name = f"documented_{os.getpid()}"
    await admin.execute(f"CREATE DATABASE {name}")
    connection = await asyncpg.connect(cluster.dsn(name, service=False), ssl=False)
    types, mark, tables = text.partition("-- FUNCTION ")
    try:
        await connection.execute(types)
        await connection.execute("SET check_function_bodies = off")
        for row in await admin.fetch(DEFINITIONS):
            await connection.execute(row[0])
        await connection.execute(mark + tables)
        yield connection
    finally:
        await connection.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def documented(cluster: Cluster, admin: Connection) -> AsyncIterator[Connection]:  # type: ignore[type-arg]
    """A database made from the document and the functions of the migrated one."""
    async with loaded(cluster, admin, DOCUMENT) as connection:
        yield connection


async def shape(connection: Connection) -> dict[tuple[str, str], str]:  # type: ignore[type-arg]
    """The catalog without its words, which are comments in the document."""
    return {key: what for key, what in (await catalog(connection)).items() if key[0] != "word"}


async def test_is_what_make_docs_writes(admin: Connection) -> None:  # type: ignore[type-arg]
    assert await schema.document(admin) == DOCUMENT, "run `make docs`"


async def test_describes_the_migrated_database(documented: Connection, admin: Connection) -> None:  # type: ignore[type-arg]
    described, migrated = await shape(documented), await shape(admin)
    assert ("table", "messages") in migrated
    assert described == migrated


async def test_describes_what_no_migration_has_made_so_far(cluster: Cluster, admin: Connection) -> None:  # type: ignore[type-arg]
    before = await shape(admin)
    await admin.execute(PLANTED)
    planted = await shape(admin)
    assert len(planted) > len(before) + 20
    async with loaded(cluster, admin, await schema.document(admin)) as connection:
        assert await shape(connection) == planted


async def test_everything_has_a_word(admin: Connection) -> None:  # type: ignore[type-arg]
    words = {name: word for (kind, name), word in (await catalog(admin)).items() if kind == "word"}
    for name in ("messages", "messages.seq", "message_reads", "message_reads.read_at", "id_at(bigint)"):
        assert name in words
    assert [name for name, word in words.items() if len(word) < 4] == []


async def test_lists_every_function(admin: Connection) -> None:  # type: ignore[type-arg]
    listed = re.findall(r"^-- FUNCTION (.*)$", DOCUMENT, re.MULTILINE)
    assert sorted(listed) == sorted(row[0] for row in await admin.fetch(SIGNATURES))


def test_has_a_word_on_every_table_and_column() -> None:
    tables = re.findall(r"((?:^--[^\n]*\n)+)CREATE TABLE (\w+) \(\n(.*?)^\)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(tables) == DOCUMENT.count("CREATE TABLE")
    for comment, table, body in tables:
        assert len(comment) > 10, table
        columns = [line for line in body.splitlines() if re.match(r"  [a-z]", line)]
        assert columns
        for column in columns:
            assert re.search(r"  -- \w+", column), f"{table}: {column.strip()}"


async def test_a_difference_is_seen(documented: Connection) -> None:  # type: ignore[type-arg]
    same = await shape(documented)
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
        "ALTER TABLE flags ALTER COLUMN is_open DROP EXPRESSION",
        (
            "CREATE OR REPLACE VIEW message_reads"
            " AS SELECT conversation_id, message_id, user_id, read_at FROM delivery_statuses"
        ),
    ):
        transaction = documented.transaction()
        await transaction.start()
        await documented.execute(change)
        assert await shape(documented) != same, change
        await transaction.rollback()
    assert await shape(documented) == same
