"""SQL of whose keys we know: the newest list of each account, what we think of its key, and lists that were refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from aparte.client.store import epochs, list_versions
from aparte.client.store.db import Tx
from aparte.client.store.list_versions import ListRow
from aparte.wire.ids import AccountId


@dataclass(frozen=True, slots=True)
class PinRow:
    """The newest list of an account that was checked, and its key."""

    account: AccountId
    account_key: bytes
    version: int
    hash: bytes
    list: bytes
    signature: bytes
    verified_key: bytes | None
    changed_at: int | None
    asked_at: int
    dormant: bytes
    previous_signature: bytes | None = None
    """Given with a list that is new here; it is kept with the version."""
    resets: int | None = None
    """Likewise: how often the account has begun anew with another key; None: as far as was known."""


AT_ONCE = 200
"""How many pins are read with one statement."""
_COLUMNS = "account_id, account_key, version, hash, list, signature, verified_key, changed_at, asked_at, dormant"


def select_pin(tx: Tx, account: AccountId) -> PinRow | None:
    """Read what is known of an account."""
    row = tx.row(f"SELECT {_COLUMNS} FROM pins WHERE account_id = ?", account.bytes)  # noqa: S608 - constant columns
    return PinRow(account, *row[1:]) if row else None


def select_pins_of(tx: Tx, accounts: Iterable[AccountId]) -> dict[AccountId, PinRow]:
    """Read what is known of many accounts."""
    found: dict[AccountId, PinRow] = {}
    waiting = iter(accounts)
    while part := [account.bytes for account in islice(waiting, AT_ONCE)]:
        places = ", ".join("?" * len(part))
        for row in tx.rows(f"SELECT {_COLUMNS} FROM pins WHERE account_id IN ({places})", *part):  # noqa: S608 - placeholders
            account = AccountId(UUID(bytes=row[0]))
            found[account] = PinRow(account, *row[1:])
    return found


def select_pins(tx: Tx) -> list[PinRow]:
    """Read everything that is known."""
    rows = tx.rows(f"SELECT {_COLUMNS} FROM pins ORDER BY account_id")  # noqa: S608 - constant columns
    return [PinRow(AccountId(UUID(bytes=row[0])), *row[1:]) for row in rows]


def upsert_pin(tx: Tx, pin: PinRow) -> None:
    """Keep a list that was checked; what we think of its key stays unless it is given here."""
    tx.run(
        """
        INSERT INTO pins (account_id, account_key, version, hash, list, signature, verified_key, changed_at, asked_at,
                          dormant)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (account_id) DO UPDATE SET account_key = excluded.account_key, version = excluded.version,
          hash = excluded.hash, list = excluded.list, signature = excluded.signature,
          verified_key = excluded.verified_key, changed_at = excluded.changed_at, asked_at = excluded.asked_at,
          dormant = excluded.dormant
        """,
        pin.account.bytes,
        pin.account_key,
        pin.version,
        pin.hash,
        pin.list,
        pin.signature,
        pin.verified_key,
        pin.changed_at,
        pin.asked_at,
        pin.dormant,
    )
    if pin.list:
        list_versions.insert_list(tx, pin.account, _version_of(pin))
    epochs.delete_ready(tx)


def _version_of(pin: PinRow) -> ListRow:
    """Give the version to keep; with signatures only if they are all there, for a rotation has two."""
    resets = 0 if pin.version == 1 else pin.resets
    if resets is None:
        return ListRow(pin.version, pin.hash, pin.list)
    return ListRow(pin.version, pin.hash, pin.list, pin.signature, pin.previous_signature, resets)


def update_verified(tx: Tx, account: AccountId, key: bytes) -> None:
    """The person confirmed this account key; there is no change of it to accept any more."""
    tx.run("UPDATE pins SET verified_key = ?, changed_at = NULL WHERE account_id = ?", key, account.bytes)
    epochs.delete_ready(tx)


def update_asked(tx: Tx, account: AccountId, asked_at: int, dormant: bytes) -> None:
    """Remember when the server was asked for newer lists, and which devices it has not seen for long."""
    tx.run("UPDATE pins SET asked_at = ? WHERE account_id = ?", asked_at, account.bytes)
    if tx.run("UPDATE pins SET dormant = ? WHERE account_id = ? AND dormant <> ?", dormant, account.bytes, dormant):
        epochs.delete_ready(tx)


def delete_pin(tx: Tx, account: AccountId) -> None:
    """Forget an account that never came to be."""
    tx.run("DELETE FROM pins WHERE account_id = ?", account.bytes)


def insert_evidence(tx: Tx, account: AccountId, code: str, signed: tuple[bytes, bytes], at: int) -> bool:
    """Keep a list and its signature that were refused; False if they were kept before."""
    return bool(
        tx.run(
            "INSERT OR IGNORE INTO evidence (account_id, code, list, signature, at) VALUES (?, ?, ?, ?, ?)",
            account.bytes,
            code,
            *signed,
            at,
        )
    )


def select_evidence(tx: Tx, account: AccountId) -> list[tuple[str, bytes, bytes]]:
    """Read the refused lists of an account: code, list, signature."""
    rows = tx.rows("SELECT code, list, signature FROM evidence WHERE account_id = ? ORDER BY at", account.bytes)
    return [(code, data, signature) for code, data, signature in rows]
