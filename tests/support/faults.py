"""Faults in a real PostgreSQL: a clock that steps back, transactions that abort, a conversation that is held."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

SET_UP = """
    CREATE SCHEMA faults;
    CREATE TABLE faults.settings (only_row boolean PRIMARY KEY DEFAULT true, clock_behind interval NOT NULL,
                                  abort_share float8 NOT NULL);
    INSERT INTO faults.settings VALUES (true, '0', 0);
    CREATE FUNCTION faults.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
      SELECT pg_catalog.clock_timestamp() - clock_behind FROM faults.settings
    $$;
    CREATE FUNCTION faults.abort_some() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF random() < (SELECT abort_share FROM faults.settings) THEN
        RAISE EXCEPTION 'aborted on purpose' USING ERRCODE = 'serialization_failure';
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER abort_some AFTER INSERT ON sends FOR EACH STATEMENT EXECUTE FUNCTION faults.abort_some();
    GRANT USAGE ON SCHEMA faults TO aparte_service;
    GRANT SELECT ON faults.settings TO aparte_service;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA faults TO aparte_service;
    ALTER ROLE aparte_app SET search_path = faults, pg_catalog, public;
"""


async def set_up(admin: Any) -> None:
    """Install the switches. New connections of the service see a clock that can be stepped."""
    await admin.execute(SET_UP)


async def step_clock(admin: Any, behind: str) -> None:
    """Set PostgreSQL's clock, as the log reads it, behind the true one."""
    await admin.execute("UPDATE faults.settings SET clock_behind = $1::text::interval", behind)


async def abort(admin: Any, share: float) -> None:
    """Let this share of all sending transactions abort."""
    await admin.execute("UPDATE faults.settings SET abort_share = $1", share)


@asynccontextmanager
async def held(admin: Any, conversation: str) -> AsyncIterator[None]:
    """Hold a conversation's head in an open transaction."""
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", conversation)
        yield
