"""What PostgreSQL's catalog says of a database (`catalog.sql`), by kind and name."""

from pathlib import Path

import asyncpg

QUERY = (Path(__file__).parent / "catalog.sql").read_text()


async def catalog(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[tuple[str, str], str]:
    """Describe a database: (kind of thing, name) → what it is."""
    return {(row["kind"], row["name"]): " ".join(row["what"].split()) for row in await connection.fetch(QUERY)}
