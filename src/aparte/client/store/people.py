"""SQL of the names of people, kept so that a message can be shown with its sender at once."""

from collections.abc import Iterable
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.accounts import Person
from aparte.wire.ids import AccountId


def select_usernames(tx: Tx, accounts: Iterable[AccountId]) -> dict[AccountId, str]:
    """Name the accounts that are known."""
    found: dict[AccountId, str] = {}
    for account in accounts:
        row = tx.row("SELECT username FROM people WHERE account_id = ?", account.bytes)
        if row is not None:
            found[account] = row[0]
    return found


def select_account(tx: Tx, username: str) -> AccountId | None:
    """Find an account by its user name."""
    row = tx.row("SELECT account_id FROM people WHERE lower(username) = lower(?)", username)
    return AccountId(UUID(bytes=row[0])) if row else None


def upsert_people(tx: Tx, people: Iterable[Person]) -> None:
    """Keep what people are called."""
    tx.run_many(
        """
        INSERT INTO people (account_id, username, display_name) VALUES (?, ?, ?)
        ON CONFLICT (account_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name
        """,
        [(person.id.bytes, person.username, person.display_name) for person in people],
    )
