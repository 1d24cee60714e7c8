"""SQL of the account state."""

from collections.abc import Mapping
from typing import Any

from aparte.server.kit.db import Reader, Tx
from aparte.wire.accounts import StateItem
from aparte.wire.ids import AccountId


async def update_rev(tx: Tx, account: AccountId) -> int:
    """Lock the account's revision and take the next one."""
    rev: int = await tx.fetchval(
        """
        INSERT INTO account_revs (account_id, rev) VALUES ($1, 1)
        ON CONFLICT (account_id) DO UPDATE
           SET rev = account_revs.rev + 1, xid = pg_current_xact_id()::text::bigint
        RETURNING rev
        """,
        account,
    )
    return rev


async def upsert_value(tx: Tx, account: AccountId, key: str, value: Any, rev: int) -> None:
    """Keep the newest value of a key."""
    await tx.execute(
        """
        INSERT INTO account_state (account_id, key, value, rev) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id, key) DO UPDATE
           SET value = excluded.value, rev = excluded.rev, updated_at = clock_timestamp()
        """,
        account,
        key,
        value,
        rev,
    )


async def upsert_values(tx: Tx, key: str, values: Mapping[AccountId, Any]) -> dict[AccountId, int]:
    """Give several accounts each its own value of one key; locks their revisions in the order of the accounts' ids."""
    rows = await tx.fetch(
        """
        WITH given AS (SELECT * FROM unnest($2::uuid[], $3::jsonb[]) AS g (account_id, value)),
        revised AS (
          INSERT INTO account_revs (account_id, rev) SELECT g.account_id, 1 FROM given g ORDER BY g.account_id
          ON CONFLICT (account_id) DO UPDATE
             SET rev = account_revs.rev + 1, xid = pg_current_xact_id()::text::bigint
          RETURNING account_id, rev
        ), written AS (
          INSERT INTO account_state (account_id, key, value, rev)
          SELECT r.account_id, $1, g.value, r.rev FROM revised r JOIN given g USING (account_id)
          ON CONFLICT (account_id, key) DO UPDATE
             SET value = excluded.value, rev = excluded.rev, updated_at = clock_timestamp()
        )
        SELECT account_id, rev FROM revised
        """,
        key,
        list(values),
        list(values.values()),
    )
    return {row["account_id"]: row["rev"] for row in rows}


async def select_rev(reader: Reader, account: AccountId) -> int:
    """The newest revision; 0 before the first."""
    return await reader.fetchval("SELECT rev FROM account_revs WHERE account_id = $1", account) or 0


async def select_value(reader: Reader, account: AccountId, key: str) -> Any:
    """The newest value of a key."""
    return await reader.fetchval("SELECT value FROM account_state WHERE account_id = $1 AND key = $2", account, key)


async def select_after(reader: Reader, account: AccountId, after: int, limit: int) -> list[StateItem]:
    """What changed after a revision, oldest change first."""
    rows = await reader.fetch(
        """
        SELECT key, rev, value FROM account_state WHERE account_id = $1 AND rev > $2 ORDER BY rev LIMIT $3
        """,
        account,
        after,
        limit,
    )
    return [StateItem(row["key"], row["rev"], row["value"]) for row in rows]


async def select_moved(reader: Reader, since: int) -> list[tuple[AccountId, int]]:
    """Accounts whose state was changed by transactions at or above an id."""
    rows = await reader.fetch("SELECT account_id, rev FROM account_revs WHERE xid >= $1", since)
    return [(row["account_id"], row["rev"]) for row in rows]
