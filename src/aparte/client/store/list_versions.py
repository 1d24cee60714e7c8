"""SQL of every version of a device list that was checked: what the epochs of the past were made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId

AT_ONCE = 200
"""How many lists are read with one statement."""
NO_VERSION = 2**53
"""In place of every version that is too large to be one: nothing is kept under it."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """A version of a device list that was checked; without signatures where they were not kept."""

    version: int
    hash: bytes
    list: bytes
    signature: bytes | None = field(default=None, repr=False)
    previous_signature: bytes | None = field(default=None, repr=False)
    resets: int | None = None
    """How often the account has begun anew with another key; None: as far as was known."""


def insert_list(tx: Tx, account: AccountId, row: ListRow) -> None:
    """Keep a version of a device list that was checked; of one that is known, what an older Aparté left out."""
    tx.run(
        """
        INSERT INTO list_versions (account_id, version, hash, list, signature, previous_signature, resets)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, 0))
        ON CONFLICT (account_id, version) DO UPDATE SET signature = coalesce(excluded.signature, signature),
          previous_signature = coalesce(excluded.previous_signature, previous_signature), resets = coalesce(?7, resets)
         WHERE list_versions.hash = excluded.hash
        """,
        account.bytes,
        row.version,
        row.hash,
        row.list,
        row.signature,
        row.previous_signature,
        row.resets,
    )


def select_versions(tx: Tx, account: AccountId) -> list[tuple[int, bytes]]:
    """Read version and hash of every list of an account, the newest first."""
    rows = tx.rows("SELECT version, hash FROM list_versions WHERE account_id = ? ORDER BY version DESC", account.bytes)
    return [(version, digest) for version, digest in rows]


def select_list(tx: Tx, account: AccountId, version: int) -> bytes | None:
    """Read a version of a list."""
    row = tx.row(
        "SELECT list FROM list_versions WHERE account_id = ? AND version = ?", account.bytes, min(version, NO_VERSION)
    )
    return row[0] if row else None


def select_signed(tx: Tx, account: AccountId) -> list[ListRow]:
    """Read the versions of an account's list with their signatures, the newest first."""
    rows = tx.rows(
        """
        SELECT version, hash, list, signature, previous_signature, resets FROM list_versions
         WHERE account_id = ? ORDER BY version DESC
        """,
        account.bytes,
    )
    return [ListRow(*row) for row in rows]


def select_lists(tx: Tx, wanted: Iterable[tuple[AccountId, int]]) -> Iterator[tuple[bytes, int, bytes, bytes]]:
    """Read many versions at once: account, version, hash and list of those that are here."""
    waiting = iter(wanted)
    while part := list(islice(waiting, AT_ONCE)):
        values = ", ".join(["(?, ?)"] * len(part))
        flat = [value for account, version in part for value in (account.bytes, min(version, NO_VERSION))]
        yield from tx.rows(
            f"""
            WITH wanted (account_id, version) AS (VALUES {values})
            SELECT l.account_id, l.version, l.hash, l.list
              FROM wanted JOIN list_versions l USING (account_id, version)
            """,  # noqa: S608 - as many placeholders as values
            *flat,
        )


def select_newest_version(tx: Tx, account: AccountId) -> int:
    """Read the newest version of an account's list; 0 if none is here."""
    row = tx.row("SELECT coalesce(max(version), 0) FROM list_versions WHERE account_id = ?", account.bytes)
    return int(row[0]) if row else 0


def select_resets(tx: Tx, account: AccountId, version: int) -> int | None:
    """Tell how often the account had begun anew with another key by this version; None if that is not known."""
    row = tx.row(
        "SELECT resets FROM list_versions WHERE account_id = ? AND version = ? AND resets >= 0",
        account.bytes,
        min(version, NO_VERSION),
    )
    return row[0] if row else None


def select_line(tx: Tx, account: AccountId, key: bytes) -> int | None:
    """Tell after how many new beginnings the account first had this account key; None if that is not known."""
    row = tx.row(
        """
        SELECT min(resets) FROM list_versions WHERE account_id = ? AND substr(list, 35, 33) = ? AND resets >= 0
        """,
        account.bytes,
        key,
    )
    return row[0] if row else None


def select_first(tx: Tx, account: AccountId, key: bytes) -> tuple[int, int] | None:
    """Read in which line, and then in which version, an account first had this account key; None if not known."""
    row = tx.row(
        """
        SELECT resets, version FROM list_versions WHERE account_id = ? AND substr(list, 35, 33) = ? AND resets >= 0
         ORDER BY version LIMIT 1
        """,
        account.bytes,
        key,
    )
    return (row[0], row[1]) if row else None


def has_gaps(tx: Tx, account: AccountId) -> bool:
    """Tell whether versions before the first that is here exist, or what happened to the key was not kept."""
    row = tx.row("SELECT min(version), min(resets) FROM list_versions WHERE account_id = ?", account.bytes)
    return row is not None and row[0] is not None and (row[0] > 1 or row[1] < 0)
