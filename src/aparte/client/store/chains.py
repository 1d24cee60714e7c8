"""SQL of chains: each sending device's newest entry in each encrypted conversation, one's own included."""

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId, DeviceId


def select_chain(tx: Tx, conversation: ConversationId, device: DeviceId) -> tuple[int, bytes] | None:
    """Read counter and hash of a device's newest entry."""
    row = tx.row(
        "SELECT counter, hash FROM chains WHERE conversation_id = ? AND device_id = ?",
        conversation.bytes,
        device.bytes,
    )
    return (row[0], row[1]) if row else None


def upsert_chain(tx: Tx, conversation: ConversationId, device: DeviceId, counter: int, digest: bytes) -> None:
    """Move a chain forward; it never goes back."""
    tx.run(
        """
        INSERT INTO chains (conversation_id, device_id, counter, hash) VALUES (?, ?, ?, ?)
        ON CONFLICT (conversation_id, device_id) DO UPDATE SET counter = excluded.counter, hash = excluded.hash
         WHERE excluded.counter > chains.counter
        """,
        conversation.bytes,
        device.bytes,
        counter,
        digest,
    )
