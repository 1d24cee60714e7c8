"""SQL of the names of people, kept so that a message can be shown with its sender at once.

Names are the server's word. Whoever was verified keeps theirs, and nobody else is shown or found under it: a comparison
of keys would be worth nothing if the name could be given to another key afterwards.
"""

from collections.abc import Iterable
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.accounts import Person
from aparte.wire.ids import AccountId


def select_usernames(tx: Tx, accounts: Iterable[AccountId]) -> dict[AccountId, str]:
    """Name the accounts that are known, but for those who have the name of somebody verified."""
    verified = tx.rows(
        """
        SELECT lower(p.username), p.account_id FROM pins v JOIN people p USING (account_id)
         WHERE v.verified_key IS NOT NULL
        """
    )
    taken: dict[str, bytes] = {name: account for name, account in verified}  # noqa: C416 - rows of any width
    found: dict[AccountId, str] = {}
    for account in accounts:
        row = tx.row("SELECT username, lower(username) FROM people WHERE account_id = ?", account.bytes)
        if row is not None and taken.get(row[1], account.bytes) == account.bytes:
            found[account] = row[0]
    return found


def select_account(tx: Tx, username: str) -> AccountId | None:
    """Find an account by its user name."""
    row = tx.row(
        """
        SELECT p.account_id FROM people p LEFT JOIN pins v USING (account_id)
         WHERE lower(p.username) = lower(?) ORDER BY v.verified_key IS NULL LIMIT 1
        """,
        username,
    )
    return AccountId(UUID(bytes=row[0])) if row else None


def upsert_people(tx: Tx, people: Iterable[Person]) -> None:
    """Keep what people are called; the name of somebody verified stays."""
    tx.run_many(
        """
        INSERT INTO people (account_id, username, display_name) VALUES (?, ?, ?)
        ON CONFLICT (account_id) DO UPDATE SET display_name = excluded.display_name,
          username = CASE WHEN EXISTS (SELECT 1 FROM pins v
                                        WHERE v.account_id = people.account_id AND v.verified_key IS NOT NULL)
                          THEN people.username ELSE excluded.username END
        """,
        [(person.id.bytes, person.username, person.display_name) for person in people],
    )
