"""SQL of receipts."""

from collections.abc import Sequence
from datetime import datetime

from aparte.server.kit.db import Reader, Tx
from aparte.server.receipts.model import ROWS_UP_TO, ROWS_UP_TO_SEALED, Delivered, Mark
from aparte.wire.conversations import Receipt
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position

_DELIVERED = """
    WITH marks AS (
      SELECT u.conversation_id, u.account_id, u.device_id, least(u.seq, h.last_seq) AS seq, c.member_count,
             c.is_sealed, c.is_group, s.before
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
             AS u (conversation_id, account_id, device_id, seq)
        JOIN LATERAL (SELECT 1 FROM members x WHERE x.conversation_id = u.conversation_id
                         AND x.account_id = u.account_id AND x.left_at IS NULL LIMIT 1) m ON true
        JOIN LATERAL (SELECT x.member_count, x.encryption_mode = 'e2ee' AS is_sealed,
                             x.kind NOT IN ('direct', 'self') AS is_group
                        FROM conversations x WHERE x.conversation_id = u.conversation_id
                         AND x.member_count <= CASE x.encryption_mode WHEN 'e2ee' THEN $6::integer ELSE $5 END
                       LIMIT 1) c ON true
        JOIN LATERAL (SELECT x.last_seq FROM heads x WHERE x.conversation_id = u.conversation_id LIMIT 1) h ON true
        JOIN LATERAL (SELECT coalesce(max(x.up_to_seq), 0) AS before
                        FROM unnest(enum_range(NULL::receipt_kind)) AS k (kind)
                        JOIN receipts x ON x.conversation_id = u.conversation_id AND x.kind = k.kind
                         AND x.device_id = u.device_id) s ON true
    ), written AS (
      INSERT INTO receipts (conversation_id, kind, device_id, up_to_seq)
      SELECT k.conversation_id, 'delivered', k.device_id, k.seq FROM marks k
       WHERE NOT EXISTS (SELECT 1 FROM receipts r WHERE r.conversation_id = k.conversation_id
                            AND r.kind = 'delivered' AND r.device_id = k.device_id AND r.up_to_seq >= k.seq)
      ON CONFLICT DO NOTHING
      RETURNING conversation_id, device_id
    )
    SELECT k.conversation_id, k.account_id, k.device_id, k.seq, k.member_count, k.is_sealed, k.is_group, k.before
      FROM marks k JOIN written USING (conversation_id, device_id)
"""


async def select_stored(reader: Reader, conversation: ConversationId, device: DeviceId) -> int:
    """Up to where a device has said that everything is stored or read."""
    seq: int = await reader.fetchval(
        """
        SELECT coalesce(max(r.up_to_seq), 0) FROM unnest(enum_range(NULL::receipt_kind)) AS k (kind)
          JOIN receipts r ON r.conversation_id = $1 AND r.kind = k.kind AND r.device_id = $2
        """,
        conversation,
        device,
    )
    return seq


async def insert_read(tx: Tx, conversation: ConversationId, device: DeviceId, up_to: int) -> bool:
    """Write that a position was read, unless the device has said as much already; tells whether it is new."""
    return bool(
        await tx.execute(
            """
            INSERT INTO receipts (conversation_id, kind, device_id, up_to_seq)
            SELECT $1, 'read', $2, $3
             WHERE NOT EXISTS (SELECT 1 FROM receipts WHERE conversation_id = $1 AND kind = 'read' AND device_id = $2
                                  AND up_to_seq >= $3)
            ON CONFLICT DO NOTHING
            """,
            conversation,
            device,
            up_to,
        )
    )


async def insert_delivered(tx: Tx, marks: Sequence[Mark]) -> list[Delivered]:
    """Write what devices have stored, all marks in one statement: of current members, never beyond the head.

    Conversations of too many members keep no rows (`model.keeps_rows`). Returns what is new.
    """
    rows = await tx.fetch(
        _DELIVERED,
        [m.conversation for m in marks],
        [m.caller.account for m in marks],
        [m.caller.device for m in marks],
        [m.up_to.seq for m in marks],
        ROWS_UP_TO,
        ROWS_UP_TO_SEALED,
    )
    return [
        Delivered(
            row["conversation_id"],
            row["account_id"],
            row["seq"],
            row["member_count"],
            row["device_id"],
            row["is_group"],
            row["before"] if row["is_sealed"] else None,
        )
        for row in rows
    ]


async def select_members(
    reader: Reader, conversations: Sequence[ConversationId]
) -> dict[ConversationId, set[AccountId]]:
    """Who is in each of these conversations."""
    rows = await reader.fetch(
        "SELECT conversation_id, account_id FROM members WHERE conversation_id = ANY ($1::uuid[]) AND left_at IS NULL",
        list(set(conversations)),
    )
    found: dict[ConversationId, set[AccountId]] = {conversation: set() for conversation in conversations}
    for row in rows:
        found[row["conversation_id"]].add(row["account_id"])
    return found


async def select_receipts(reader: Reader, conversation: ConversationId, place: Position) -> list[Receipt]:
    """When each member's devices first had a message stored, and first read it; reading implies storing.

    Of members who were there when it was said, and did not say it: whoever came later marks what was before as well.
    """
    rows = await reader.fetch(
        """
        SELECT m.account_id, min(r.at) AS delivered_at, min(r.at) FILTER (WHERE r.kind = 'read') AS read_at
          FROM members m
          JOIN devices d ON d.account_id = m.account_id
          JOIN LATERAL (
            SELECT k.kind, (SELECT min(x.at) FROM receipts x WHERE x.conversation_id = m.conversation_id
                               AND x.kind = k.kind AND x.device_id = d.device_id AND x.up_to_seq >= $2) AS at
              FROM unnest(enum_range(NULL::receipt_kind)) AS k (kind)) r ON r.at IS NOT NULL
         WHERE m.conversation_id = $1 AND m.left_at IS NULL AND m.joined_seq < $2
           AND NOT EXISTS (SELECT 1 FROM messages x WHERE x.conversation_id = $1 AND x.id = $3
                              AND x.account_id = m.account_id)
         GROUP BY m.account_id ORDER BY m.account_id
        """,
        conversation,
        place.seq,
        place.id,
    )
    return [Receipt(row["account_id"], row["delivered_at"], row["read_at"]) for row in rows]


async def select_readers(reader: Reader, conversation: ConversationId, place: Position) -> list[AccountId]:
    """Who has read a message, by the marks, of those for whom there are receipts."""
    rows = await reader.fetch(
        """
        SELECT m.account_id FROM members m
         WHERE m.conversation_id = $1 AND m.left_at IS NULL AND m.read_seq >= $2 AND m.joined_seq < $2
           AND NOT EXISTS (SELECT 1 FROM messages x WHERE x.conversation_id = $1 AND x.id = $3
                              AND x.account_id = m.account_id)
         ORDER BY m.account_id
        """,
        conversation,
        place.seq,
        place.id,
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
