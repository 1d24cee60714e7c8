"""SQL of what moved: for a device that comes back, and for a node that may have missed hints.

Both compare transaction ids (`log.model.Marker`): exact however long a COMMIT took, where a time would skip it.
"""

from aparte.server.kit.db import Reader
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Head


async def select_heads(
    reader: Reader, account: AccountId, since: int, before: EntryId | None, limit: int
) -> list[Head]:
    """The account's conversations that moved since a transaction id, newest activity first."""
    rows = await reader.fetch(
        """
        SELECT h.conversation_id, h.last_seq, h.last_id, h.floor_seq, h.floor_id, h.epoch, m.read_seq, m.read_id
          FROM members m JOIN heads h USING (conversation_id)
         WHERE m.account_id = $1 AND m.left_at IS NULL AND h.last_xid >= $2 AND ($3::uuid IS NULL OR h.last_id < $3)
         ORDER BY h.last_id DESC LIMIT $4
        """,
        account,
        since,
        before,
        limit,
    )
    return [
        Head(
            conversation=row["conversation_id"],
            head=Position(row["last_seq"], row["last_id"]),
            floor=Position(row["floor_seq"], row["floor_id"]),
            epoch=row["epoch"],
            read=Position(row["read_seq"], row["read_id"]),
        )
        for row in rows
    ]


async def select_moved(reader: Reader, since: int, recent: EntryId) -> list[tuple[ConversationId, Position]]:
    """Conversations with entries of transactions at or above `since`, among entries newer than `recent`."""
    rows = await reader.fetch(
        """
        SELECT h.conversation_id, h.last_seq, h.last_id
          FROM (SELECT conversation_id FROM messages WHERE xid >= $1 AND id >= $2
                UNION SELECT conversation_id FROM entries WHERE xid >= $1 AND id >= $2) moved
          JOIN heads h USING (conversation_id)
        """,
        since,
        recent,
    )
    return [(row["conversation_id"], Position(row["last_seq"], row["last_id"])) for row in rows]
