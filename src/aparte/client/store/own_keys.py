"""SQL of this device's own keys: one row, written before anything that relies on it leaves the device."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, DeviceId


@dataclass(frozen=True, slots=True)
class OwnKeysRow:
    """The keys as they are kept; private ones never show."""

    account: AccountId
    device: DeviceId
    number: int | None
    registration_id: int
    identity_private: bytes = field(repr=False)
    account_private: bytes | None = field(repr=False)
    next_account_private: bytes | None = field(repr=False)
    prekeys: bytes = field(repr=False)
    uploaded_to: int
    looked_at: int
    stopped: str | None


def select_own_keys(tx: Tx) -> OwnKeysRow | None:
    """Read the keys; None in a profile that has none yet."""
    row = tx.row(
        """
        SELECT account_id, device_id, number, registration_id, identity_private, account_private,
               next_account_private, prekeys, uploaded_to, looked_at, stopped
          FROM own_keys
        """
    )
    if row is None:
        return None
    return OwnKeysRow(AccountId(UUID(bytes=row[0])), DeviceId(UUID(bytes=row[1])), *row[2:])


def insert_own_keys(tx: Tx, keys: OwnKeysRow) -> None:
    """Keep new keys instead of those there may be."""
    tx.run(
        """
        INSERT OR REPLACE INTO own_keys (one, account_id, device_id, number, registration_id, identity_private,
               account_private, next_account_private, prekeys, uploaded_to, looked_at, stopped)
        VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        keys.account.bytes,
        keys.device.bytes,
        keys.number,
        keys.registration_id,
        keys.identity_private,
        keys.account_private,
        keys.next_account_private,
        keys.prekeys,
        keys.uploaded_to,
        keys.looked_at,
        keys.stopped,
    )


def update_prekeys(tx: Tx, prekeys: bytes) -> None:
    """Keep the prekeys as they are now."""
    tx.run("UPDATE own_keys SET prekeys = ?", prekeys)


def update_uploaded(tx: Tx, uploaded_to: int, looked_at: int) -> None:
    """Remember that prekeys with lower ids are at the server, and when its stock was asked for."""
    tx.run("UPDATE own_keys SET uploaded_to = max(uploaded_to, ?), looked_at = ?", uploaded_to, looked_at)


def update_listed(tx: Tx, account: AccountId, number: int, account_private: bytes) -> None:
    """This device is on its account's list."""
    tx.run(
        "UPDATE own_keys SET account_id = ?, number = ?, account_private = ?", account.bytes, number, account_private
    )


def update_next_account_key(tx: Tx, private: bytes | None) -> None:
    """Keep the account key that comes next, before anybody is told of it."""
    tx.run("UPDATE own_keys SET next_account_private = ?", private)


def update_promoted(tx: Tx) -> None:
    """The account key that comes next is in use; it stays marked until it is told."""
    tx.run("UPDATE own_keys SET account_private = next_account_private")


def update_account_key(tx: Tx, private: bytes) -> None:
    """This is the account key; none comes next."""
    tx.run("UPDATE own_keys SET account_private = ?, next_account_private = NULL", private)


def update_stopped(tx: Tx, code: str) -> None:
    """These keys must not be used any more."""
    tx.run("UPDATE own_keys SET stopped = coalesce(stopped, ?)", code)


def delete_device(tx: Tx) -> None:
    """Forget a device that is no more: its keys and sessions, and what it had sealed and not sent; contents stay."""
    for table in ("own_keys", "sessions", "payloads"):
        tx.run(f"DELETE FROM {table}")  # noqa: S608 - the names above
    tx.run("UPDATE outbox_sealed SET body = NULL, epoch = NULL, counter = NULL, hash = NULL, content_key = NULL")
