"""SQL of the measurements: how large the database is, how much log it has written, and what it runs on."""

from typing import Any

import asyncpg

SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "commit_delay")


async def connect(dsn: str) -> Any:
    """Connect as the maintenance role."""
    return await asyncpg.connect(dsn, ssl=False if "sslmode" not in dsn else None)


async def select_settings(connection: Any) -> dict[str, str]:
    """The settings that a figure depends on."""
    rows = await connection.fetch(
        "SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name", list(SETTINGS)
    )
    return {row["name"]: row["value"] for row in rows}


async def select_sizes(connection: Any) -> dict[str, int]:
    """Bytes of every table with its indexes and TOAST; partitions count for their table."""
    rows = await connection.fetch(
        """
        SELECT coalesce(p.relname, c.relname)::text AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
          LEFT JOIN pg_class p ON p.oid = i.inhparent
         WHERE n.nspname = 'public' AND c.relkind = 'r'
         GROUP BY 1
        """
    )
    return {row["name"]: row["bytes"] for row in rows}


async def select_wal_bytes(connection: Any) -> int:
    """Bytes of write-ahead log written since the beginning."""
    return int(await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))


async def count_newest(connection: Any) -> tuple[int, int]:
    """Count the sealed contents and the keys, in whatever form, that are stored for the newest sealed message."""
    row = await connection.fetchrow(
        """
        WITH newest AS (SELECT conversation_id, seq FROM messages WHERE sealed IS NOT NULL ORDER BY id DESC LIMIT 1)
        SELECT (SELECT count(*) FROM messages JOIN newest USING (conversation_id, seq)) AS contents,
               (SELECT coalesce(sum(CASE WHEN group_key IS NULL THEN get_byte(envelopes, 0) ELSE 1 END), 0)
                  FROM message_key_sets JOIN newest USING (conversation_id, seq))
               + (SELECT count(*) FROM distributions JOIN newest USING (conversation_id, seq)) AS keys
        """
    )
    return row["contents"], row["keys"]


async def slow_flushes(connection: Any, microseconds: int) -> None:
    """Let every flush of the write-ahead log wait before it begins, as if the disk were slow."""
    await connection.execute(f"ALTER SYSTEM SET commit_delay = {int(microseconds)}")
    await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
    await connection.execute("SELECT pg_reload_conf()")
