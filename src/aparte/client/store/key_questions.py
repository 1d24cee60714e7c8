"""SQL of key requests about entries that are not in the store yet: they are answered once the log has come that far."""

from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, DeviceId

KEPT_EACH = 100
"""How many questions of one device are kept."""
KEPT_MS = 86_400_000


def insert_question(tx: Tx, account: AccountId, device: DeviceId, digest: bytes, now: int) -> None:
    """Keep a question, unless its device has as many as it may; those of yesterday are forgotten."""
    tx.run("DELETE FROM key_questions WHERE at < ?", now - KEPT_MS)
    tx.run(
        """
        INSERT OR IGNORE INTO key_questions (hash, account_id, device_id, at)
        SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM key_questions WHERE device_id = ?) < ?
        """,
        digest,
        account.bytes,
        device.bytes,
        now,
        device.bytes,
        KEPT_EACH,
    )


def take_answerable(tx: Tx) -> dict[tuple[AccountId, DeviceId], list[bytes]]:
    """Take the questions about entries that are here by now out of the store, by who has asked."""
    rows = tx.rows(
        """
        SELECT q.hash, q.account_id, q.device_id FROM key_questions q
         WHERE EXISTS (SELECT 1 FROM sealed s WHERE s.hash = q.hash AND s.state <> 'refused')
        """
    )
    found: dict[tuple[AccountId, DeviceId], list[bytes]] = {}
    for digest, account, device in rows:
        asking = AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device))
        found.setdefault(asking, []).append(digest)
        tx.run("DELETE FROM key_questions WHERE hash = ? AND device_id = ?", digest, device)
    return found


def has_answerable(tx: Tx) -> bool:
    """Tell whether there are any."""
    row = tx.row(
        """
        SELECT 1 FROM key_questions q
         WHERE EXISTS (SELECT 1 FROM sealed s WHERE s.hash = q.hash AND s.state <> 'refused') LIMIT 1
        """
    )
    return row is not None
