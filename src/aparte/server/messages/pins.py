"""SQL of pins. Written under the head's lock; what is pinned is read with the other pages of messages."""

from aparte.server.kit.db import Tx
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position


async def insert(tx: Tx, conversation: ConversationId, message: EntryId, account: AccountId, entry_id: EntryId) -> None:
    """Pin a message by an entry; one that is pinned stays as it was pinned first."""
    await tx.execute(
        """
        INSERT INTO pins (conversation_id, message_id, account_id, id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
        """,
        conversation,
        message,
        account,
        entry_id,
    )


async def delete(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Unpin a message."""
    await tx.execute("DELETE FROM pins WHERE conversation_id = $1 AND message_id = $2", conversation, message)


async def select_place(tx: Tx, conversation: ConversationId, message: EntryId) -> Position | None:
    """The entry that pinned a message; None if it is not pinned."""
    row = await tx.fetchrow(
        """
        SELECT e.seq, e.id FROM pins p JOIN entries e ON e.conversation_id = p.conversation_id AND e.id = p.id
         WHERE p.conversation_id = $1 AND p.message_id = $2
        """,
        conversation,
        message,
    )
    return Position(row["seq"], row["id"]) if row else None
