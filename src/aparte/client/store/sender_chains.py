"""SQL of the sender-key chains that other devices gave this one: one record of the newest five for each device."""

from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, ConversationId, DeviceId


def select_sender_chains(tx: Tx, conversation: ConversationId, device: DeviceId) -> bytes | None:
    """Read the chains of a device in a group."""
    row = tx.row(
        "SELECT record FROM sender_chains WHERE conversation_id = ? AND device_id = ?",
        conversation.bytes,
        device.bytes,
    )
    return row[0] if row else None


def select_others(tx: Tx, conversation: ConversationId, device: DeviceId) -> list[tuple[DeviceId, bytes]]:
    """Read the chains of every other device in a group."""
    rows = tx.rows(
        "SELECT device_id, record FROM sender_chains WHERE conversation_id = ? AND device_id <> ?",
        conversation.bytes,
        device.bytes,
    )
    return [(DeviceId(UUID(bytes=other)), record) for other, record in rows]


def upsert_sender_chains(
    tx: Tx, conversation: ConversationId, sender: tuple[AccountId, DeviceId], record: bytes
) -> None:
    """Keep the chains of a device as they are now."""
    tx.run(
        "INSERT OR REPLACE INTO sender_chains (conversation_id, device_id, account_id, record) VALUES (?, ?, ?, ?)",
        conversation.bytes,
        sender[1].bytes,
        sender[0].bytes,
        record,
    )
