"""SQL of what rosters are made of: newest lists by their hashes, and which account keys follow from each other."""

from collections.abc import Sequence
from uuid import UUID

from aparte.server.keys.model import NewestList
from aparte.server.kit.db import Reader
from aparte.wire.ids import AccountId, DeviceId

LISTED_BYTES = 54
"""A device as a list names it."""


async def select_hashes(reader: Reader, accounts: Sequence[AccountId]) -> dict[AccountId, NewestList]:
    """Read what stands for each account's newest list, cut out of its bytes: nothing of it is parsed."""
    rows = await reader.fetch(
        """
        SELECT l.account_id, l.version, l.hash, substring(l.list FROM 35 FOR 33) AS account_key,
               substring(l.list FROM 109) AS devices
          FROM unnest($1::uuid[]) AS a (account_id)
         CROSS JOIN LATERAL (SELECT * FROM device_lists d WHERE d.account_id = a.account_id
                              ORDER BY d.version DESC LIMIT 1) l
        """,
        accounts,
    )
    return {
        row["account_id"]: NewestList(row["version"], row["hash"], row["account_key"], _devices(row["devices"]))
        for row in rows
    }


def _devices(listed: bytes) -> tuple[DeviceId, ...]:
    """The ids out of the rows of a list: a number, 16 bytes of id, and 37 more."""
    return tuple(DeviceId(UUID(bytes=listed[at + 1 : at + 17])) for at in range(0, len(listed), LISTED_BYTES))


async def select_lines(reader: Reader, accounts: Sequence[AccountId]) -> dict[AccountId, frozenset[bytes]]:
    """Read the account keys that lead to each account's present one by rotations: those since the last reset."""
    rows = await reader.fetch(
        """
        WITH versions AS (
          SELECT account_id, version, substring(list FROM 35 FOR 33) AS account_key, previous_signature
            FROM device_lists WHERE account_id = ANY ($1::uuid[])
        ), marked AS (
          SELECT account_id, version, account_key,
                 account_key <> lag(account_key) OVER w AND previous_signature IS NULL AS is_reset
            FROM versions WINDOW w AS (PARTITION BY account_id ORDER BY version)
        )
        SELECT m.account_id, array_agg(DISTINCT m.account_key) AS line FROM marked m
         WHERE NOT EXISTS (SELECT 1 FROM marked x
                            WHERE x.account_id = m.account_id AND x.version > m.version AND x.is_reset)
         GROUP BY m.account_id
        """,
        accounts,
    )
    return {row["account_id"]: frozenset(row["line"]) for row in rows}
