"""SQL of payloads: those that must go out, those that were taken in, and the key requests that were answered."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, DeviceId, PayloadId

SEEN_MS = 61 * 86_400_000
"""How long a payload that was taken in is remembered: the server keeps it for 60 days."""


@dataclass(frozen=True, slots=True)
class PayloadRow:
    """A pairwise message that waits to be sent: its exact bytes."""

    payload: PayloadId
    account: AccountId
    device: DeviceId
    type: int
    body: bytes = field(repr=False)


def insert_payload(tx: Tx, row: PayloadRow, now: int) -> None:
    """Keep a payload before it is sent."""
    tx.run(
        "INSERT INTO payloads (payload_id, account_id, device_id, type, body, at) VALUES (?, ?, ?, ?, ?, ?)",
        row.payload.bytes,
        row.account.bytes,
        row.device.bytes,
        row.type,
        row.body,
        now,
    )


def select_payloads(tx: Tx, limit: int) -> list[PayloadRow]:
    """Read what waits to be sent, oldest first."""
    rows = tx.rows(
        "SELECT payload_id, account_id, device_id, type, body FROM payloads ORDER BY at, rowid LIMIT ?", limit
    )
    return [
        PayloadRow(
            PayloadId(UUID(bytes=payload)), AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device)), kind, body
        )
        for payload, account, device, kind, body in rows
    ]


def delete_payload(tx: Tx, payload: PayloadId) -> None:
    """Forget a payload that the server has, or will never take."""
    tx.run("DELETE FROM payloads WHERE payload_id = ?", payload.bytes)


def insert_seen(tx: Tx, payload: PayloadId, now: int) -> bool:
    """Remember that a payload was taken in; False if it was before."""
    tx.run("DELETE FROM payloads_seen WHERE at < ?", now - SEEN_MS)
    return bool(tx.run("INSERT OR IGNORE INTO payloads_seen (payload_id, at) VALUES (?, ?)", payload.bytes, now))


def select_answers(tx: Tx, device: DeviceId, since: int) -> int:
    """Count the keys that a device was given on request since a moment."""
    row = tx.row("SELECT coalesce(sum(times), 0) FROM answered WHERE device_id = ? AND at >= ?", device.bytes, since)
    return int(row[0]) if row else 0


def delete_answered(tx: Tx, before: int) -> int:
    """Forget answers that were given before a moment: what they were about is asked for no more."""
    return tx.run("DELETE FROM answered WHERE at < ?", before)


def upsert_answered(tx: Tx, digest: bytes, device: DeviceId, most: int, now: int) -> bool:
    """Count one more answer for an entry and device; False once there were as many as there may be."""
    return bool(
        tx.run(
            """
            INSERT INTO answered (hash, device_id, times, at) VALUES (?, ?, 1, ?)
            ON CONFLICT (hash, device_id) DO UPDATE SET times = answered.times + 1, at = excluded.at
             WHERE answered.times < ?
            """,
            digest,
            device.bytes,
            now,
            most,
        )
    )
