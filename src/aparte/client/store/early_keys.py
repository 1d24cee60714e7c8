"""SQL of content keys that came before their entries, with who gave them."""

from uuid import UUID

from aparte.client.store.content_keys import ContentKey
from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, DeviceId

KEPT_EACH = 2_000
"""Keys of one device that are kept: the oldest go."""


def insert_early(tx: Tx, found: ContentKey, now: int) -> None:
    """Keep a key until its entry comes; the first that a device gave for an entry stays."""
    tx.run(
        "INSERT OR IGNORE INTO early_keys (hash, account_id, device_id, content_key, at) VALUES (?, ?, ?, ?, ?)",
        found.hash,
        found.account.bytes,
        found.device.bytes,
        found.key,
        now,
    )
    tx.run(
        """
        DELETE FROM early_keys WHERE device_id = ?1 AND rowid IN (
          SELECT rowid FROM early_keys WHERE device_id = ?1 ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?2)
        """,
        found.device.bytes,
        KEPT_EACH,
    )


def select_early(tx: Tx, digest: bytes) -> list[ContentKey]:
    """Read what was given for an entry that is not here, by whomever."""
    rows = tx.rows("SELECT content_key, account_id, device_id FROM early_keys WHERE hash = ?", digest)
    return [
        ContentKey(digest, key, AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device)))
        for key, account, device in rows
    ]


def delete_early(tx: Tx, digest: bytes) -> None:
    """Forget what was given for an entry."""
    tx.run("DELETE FROM early_keys WHERE hash = ?", digest)


def delete_old(tx: Tx, before: int) -> int:
    """Forget keys whose entries have not come since before a moment."""
    return tx.run("DELETE FROM early_keys WHERE at < ?", before)
