"""SQL of content keys: what opens an entry, by the entry's hash, with who gave it."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire import kinds
from aparte.wire.ids import AccountId, DeviceId


@dataclass(frozen=True, slots=True)
class ContentKey:
    """The key of an entry, and the device that gave it."""

    hash: bytes
    key: bytes = field(repr=False)
    account: AccountId
    device: DeviceId


def insert_key(tx: Tx, found: ContentKey, now: int) -> None:
    """Keep a key; the first that a device gave for an entry stays."""
    tx.run(
        "INSERT OR IGNORE INTO content_keys (hash, account_id, device_id, content_key, at) VALUES (?, ?, ?, ?, ?)",
        found.hash,
        found.account.bytes,
        found.device.bytes,
        found.key,
        now,
    )


def select_keys(tx: Tx, digest: bytes) -> list[ContentKey]:
    """Read what was given for an entry, by whomever."""
    rows = tx.rows("SELECT content_key, account_id, device_id FROM content_keys WHERE hash = ?", digest)
    return [
        ContentKey(digest, key, AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device)))
        for key, account, device in rows
    ]


def delete_expired(tx: Tx, before: int) -> int:
    """Forget the keys of messages, and of their edits, that were deleted before a moment: nobody restores them now."""
    return tx.run(
        """
        DELETE FROM content_keys WHERE hash IN (
          SELECT t.hash FROM sealed t
           WHERE t.state = 'deleted' AND NOT EXISTS (
             SELECT 1 FROM sealed d JOIN entries e ON e.conversation_id = d.conversation_id AND e.seq = d.seq
              WHERE d.conversation_id = t.conversation_id AND d.target IN (t.hash, t.target) AND e.kind = ?
                AND e.at >= ?))
        """,
        kinds.DELETION,
        before,
    )


def delete_keys(tx: Tx, digest: bytes) -> None:
    """Forget the key of an entry."""
    tx.run("DELETE FROM content_keys WHERE hash = ?", digest)
