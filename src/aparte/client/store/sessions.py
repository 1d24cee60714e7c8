"""SQL of the sessions with other devices: one record for each, written before what it encrypted leaves the device."""

from dataclasses import dataclass, field

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, DeviceId


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The sessions with one device, of this identity. `renewed_at`: when one was last begun because of a failure."""

    identity: bytes
    record: bytes = field(repr=False)
    begun_at: int
    renewed_at: int


def select_session(tx: Tx, account: AccountId, device: DeviceId) -> SessionRow | None:
    """Read the sessions with a device."""
    row = tx.row(
        "SELECT identity, record, begun_at, renewed_at FROM sessions WHERE account_id = ? AND device_id = ?",
        account.bytes,
        device.bytes,
    )
    return SessionRow(*row) if row else None


def upsert_session(tx: Tx, account: AccountId, device: DeviceId, identity: bytes, record: bytes, now: int) -> None:
    """Keep the sessions as they are now."""
    tx.run(
        """
        INSERT INTO sessions (account_id, device_id, identity, record, begun_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (account_id, device_id) DO UPDATE SET identity = excluded.identity, record = excluded.record
        """,
        account.bytes,
        device.bytes,
        identity,
        record,
        now,
    )


def update_renewed(tx: Tx, account: AccountId, device: DeviceId, now: int) -> None:
    """Remember that a session was begun afresh because a message could not be read."""
    tx.run(
        "UPDATE sessions SET renewed_at = ? WHERE account_id = ? AND device_id = ?", now, account.bytes, device.bytes
    )
