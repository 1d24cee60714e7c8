"""SQL of receipts."""

from datetime import datetime

from aparte.server.kit.db import Reader, Tx
from aparte.server.receipts.model import MarkKind
from aparte.wire.conversations import Receipt
from aparte.wire.ids import AccountId, ConversationId, DeviceId


async def insert_receipt(tx: Tx, conversation: ConversationId, kind: MarkKind, device: DeviceId, up_to: int) -> bool:
    """Write a receipt unless the device has said as much already; tells whether it is new."""
    return bool(
        await tx.execute(
            """
            INSERT INTO receipts (conversation_id, kind, device_id, up_to_seq)
            SELECT $1, $2, $3, $4
             WHERE NOT EXISTS (SELECT 1 FROM receipts WHERE conversation_id = $1 AND kind = $2 AND device_id = $3
                                  AND up_to_seq >= $4)
            ON CONFLICT DO NOTHING
            """,
            conversation,
            kind,
            device,
            up_to,
        )
    )


async def select_receipts(reader: Reader, conversation: ConversationId, seq: int) -> list[Receipt]:
    """When each current member's devices first had a position stored, and first read; reading implies storing."""
    rows = await reader.fetch(
        """
        SELECT m.account_id, min(r.at) AS delivered_at, min(r.at) FILTER (WHERE r.kind = 'read') AS read_at
          FROM members m
          JOIN devices d ON d.account_id = m.account_id
          JOIN LATERAL (
            SELECT k.kind, (SELECT min(x.at) FROM receipts x WHERE x.conversation_id = m.conversation_id
                               AND x.kind = k.kind AND x.device_id = d.device_id AND x.up_to_seq >= $2) AS at
              FROM unnest(enum_range(NULL::receipt_kind)) AS k (kind)) r ON r.at IS NOT NULL
         WHERE m.conversation_id = $1 AND m.left_at IS NULL
         GROUP BY m.account_id ORDER BY m.account_id
        """,
        conversation,
        seq,
    )
    return [Receipt(row["account_id"], row["delivered_at"], row["read_at"]) for row in rows]


async def select_readers(reader: Reader, conversation: ConversationId, seq: int) -> list[AccountId]:
    """Who has read a position, by the marks."""
    rows = await reader.fetch(
        """
        SELECT account_id FROM members WHERE conversation_id = $1 AND left_at IS NULL AND read_seq >= $2
         ORDER BY account_id
        """,
        conversation,
        seq,
    )
    return [row["account_id"] for row in rows]


async def delete_collapsed(tx: Tx, before: datetime, limit: int) -> int:
    """Drop old receipts that a later one of the same device and kind implies."""
    return await tx.execute(
        """
        DELETE FROM receipts r USING (
          SELECT x.conversation_id, x.kind, x.device_id, x.up_to_seq FROM receipts x
           WHERE x.at < $1 AND EXISTS (SELECT 1 FROM receipts y WHERE y.conversation_id = x.conversation_id
                                          AND y.kind = x.kind AND y.device_id = x.device_id
                                          AND y.up_to_seq > x.up_to_seq)
           LIMIT $2) old
         WHERE r.conversation_id = old.conversation_id AND r.kind = old.kind AND r.device_id = old.device_id
           AND r.up_to_seq = old.up_to_seq
        """,
        before,
        limit,
    )
