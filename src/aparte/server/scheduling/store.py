"""SQL of scheduled messages."""

from datetime import datetime
from typing import Any

import msgspec

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.scheduling.model import Due, Outcome, ScheduledRow
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, ScheduledId
from aparte.wire.messages import ScheduledSeal, SendMessage
from aparte.wire.sealed import SealedTarget

ROUND = 7_240_024
"""Names the lock of whoever sends what is due: one process at a time."""


async def insert_scheduled(tx: Tx, row: ScheduledRow) -> None:
    """Keep a message that is due later."""
    await tx.execute(
        """
        INSERT INTO scheduled_messages (scheduled_id, conversation_id, account_id, device_id, client_message_id, digest,
                                        due_at, look_at, created_at, message, sealed, epoch, roster, thread_id,
                                        thread_hash, mentions, ttl_seconds, chain_id, group_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        row.id,
        row.conversation,
        row.account,
        row.device,
        row.client_message_id,
        row.digest,
        row.due,
        row.created_at,
        row.message,
        *columns(row.sealed),
    )


async def update_scheduled(tx: Tx, row: ScheduledRow) -> None:
    """Give a message another time or other words, or keep it as it was sealed again: it waits from now on."""
    await tx.execute(
        """
        UPDATE scheduled_messages
           SET device_id = $2, due_at = $3, look_at = $3, status = 'waiting', message = $4, sealed = $5, epoch = $6,
               roster = $7, thread_id = $8, thread_hash = $9, mentions = $10, ttl_seconds = $11, chain_id = $12,
               group_key = $13
         WHERE scheduled_id = $1
        """,
        row.id,
        row.device,
        row.due,
        row.message,
        *columns(row.sealed),
    )


async def select_own(reader: Reader, account: AccountId, conversation: ConversationId) -> list[ScheduledRow]:
    """What somebody has scheduled in a conversation and is not sent or put away, in order of its time."""
    rows = await reader.fetch(
        """
        SELECT * FROM scheduled_messages
         WHERE account_id = $1 AND conversation_id = $2 AND NOT is_sent AND NOT is_cancelled
         ORDER BY due_at, scheduled_id
        """,
        account,
        conversation,
    )
    return [scheduled_row(row) for row in rows]


async def select_scheduled(
    reader: Reader, account: AccountId, conversation: ConversationId, scheduled: ScheduledId
) -> ScheduledRow | None:
    """Read one of somebody's own."""
    row = await reader.fetchrow(
        "SELECT * FROM scheduled_messages WHERE scheduled_id = $1 AND account_id = $2 AND conversation_id = $3",
        scheduled,
        account,
        conversation,
    )
    return scheduled_row(row) if row is not None else None


async def lock_scheduled(
    tx: Tx, account: AccountId, conversation: ConversationId, scheduled: ScheduledId
) -> ScheduledRow | None:
    """Lock one of somebody's own; waits for the round that sends it."""
    row = await tx.fetchrow(
        """
        SELECT * FROM scheduled_messages WHERE scheduled_id = $1 AND account_id = $2 AND conversation_id = $3 FOR UPDATE
        """,
        scheduled,
        account,
        conversation,
    )
    return scheduled_row(row) if row is not None else None


async def select_repeat(
    reader: Reader, account: AccountId, conversation: ConversationId, client_message_id: ClientMessageId
) -> ScheduledRow | None:
    """What was scheduled under a client id before."""
    row = await reader.fetchrow(
        """
        SELECT * FROM scheduled_messages
         WHERE account_id = $1 AND conversation_id = $2 AND client_message_id = $3
        """,
        account,
        conversation,
        client_message_id,
    )
    return scheduled_row(row) if row is not None else None


async def count_open(reader: Reader, account: AccountId, conversation: ConversationId) -> int:
    """Count what somebody's list of a conversation has: what waits, and what was refused and is not put away."""
    count: int = await reader.fetchval(
        """
        SELECT count(*) FROM scheduled_messages
         WHERE account_id = $1 AND conversation_id = $2 AND NOT is_sent AND NOT is_cancelled
        """,
        account,
        conversation,
    )
    return count


async def lock_round(tx: Tx) -> bool:
    """Be the one process that sends what is due, until the transaction ends; False if another one is."""
    got: bool = await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", ROUND)
    return got


async def lock_due(tx: Tx, limit: int) -> list[Due]:
    """Take what is due, in order of its time, but for what its author holds at this moment."""
    rows = await tx.fetch(
        """
        SELECT s.*, a.role, a.is_active AND NOT a.is_suspended AND a.deleted_at IS NULL AS is_open,
               extract(epoch FROM clock_timestamp() - s.due_at)::float8 AS late_seconds
          FROM scheduled_messages s JOIN accounts a USING (account_id)
         WHERE s.status = 'waiting' AND s.look_at <= clock_timestamp() AND s.due_at <= clock_timestamp()
         ORDER BY s.due_at, s.scheduled_id LIMIT $1
           FOR UPDATE OF s SKIP LOCKED
        """,
        limit,
    )
    return [Due(scheduled_row(row), row["role"], row["is_open"], row["late_seconds"]) for row in rows]


async def update_outcome(tx: Tx, scheduled: ScheduledId, outcome: Outcome) -> None:
    """Write down what became of one; words that were said or taken back are not kept."""
    await tx.execute(
        """
        UPDATE scheduled_messages SET status = $2::scheduled_status, sent_id = $3, refused = $4,
               message = CASE WHEN $5 THEN NULL ELSE message END, sealed = CASE WHEN $5 THEN NULL ELSE sealed END,
               epoch = CASE WHEN $5 THEN NULL ELSE epoch END, roster = CASE WHEN $5 THEN NULL ELSE roster END,
               thread_id = CASE WHEN $5 THEN NULL ELSE thread_id END,
               thread_hash = CASE WHEN $5 THEN NULL ELSE thread_hash END,
               mentions = CASE WHEN $5 THEN '{}' ELSE mentions END,
               ttl_seconds = CASE WHEN $5 THEN NULL ELSE ttl_seconds END,
               chain_id = CASE WHEN $5 THEN NULL ELSE chain_id END,
               group_key = CASE WHEN $5 THEN NULL ELSE group_key END
         WHERE scheduled_id = $1
        """,
        scheduled,
        outcome.status,
        outcome.sent,
        outcome.refused,
        outcome.status in {"sent", "cancelled"},
    )


async def update_look(tx: Tx, scheduled: ScheduledId, seconds: float) -> None:
    """Try one again after a while."""
    await tx.execute(
        """
        UPDATE scheduled_messages SET look_at = clock_timestamp() + make_interval(secs => $2) WHERE scheduled_id = $1
        """,
        scheduled,
        seconds,
    )


async def update_stale(tx: Tx, limit: int) -> list[ScheduledRow]:
    """Mark what is sealed for an epoch that is over, or under a chain that its device has followed by another one.

    Only what is not due: of that the attempt to send it decides, which knows whether it was sent before.
    """
    rows = await tx.fetch(
        """
        UPDATE scheduled_messages SET status = 'stale' WHERE scheduled_id = ANY (ARRAY(
          SELECT s.scheduled_id FROM scheduled_messages s JOIN heads h USING (conversation_id)
            LEFT JOIN sender_chains c ON c.conversation_id = s.conversation_id AND c.device_id = s.device_id
           WHERE s.status = 'waiting' AND s.epoch IS NOT NULL AND s.due_at > clock_timestamp() + interval '5 seconds'
             AND (s.epoch <> h.epoch OR s.roster <> h.roster
                  OR s.chain_id <> c.chain_id AND NOT EXISTS (
                       SELECT 1 FROM distributions z
                        WHERE z.conversation_id = s.conversation_id AND z.sender_device_id = s.device_id
                          AND z.chain_id = s.chain_id AND z.seq IS NULL))
           LIMIT $1 FOR UPDATE OF s SKIP LOCKED))
           AND status = 'waiting'
        RETURNING *
        """,
        limit,
    )
    return [scheduled_row(row) for row in rows]


async def delete_over(tx: Tx, before: datetime, limit: int) -> list[ScheduledRow]:
    """Forget what is over since before a moment."""
    rows = await tx.fetch(
        """
        DELETE FROM scheduled_messages WHERE scheduled_id = ANY (ARRAY(
          SELECT scheduled_id FROM scheduled_messages
           WHERE status IN ('sent', 'cancelled', 'refused') AND updated_at < $1
           ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING *
        """,
        before,
        limit,
    )
    return [scheduled_row(row) for row in rows]


def columns(seal: ScheduledSeal | None) -> tuple[Any, ...]:
    """Lay out what was sealed, from `sealed` to `group_key`."""
    if seal is None:
        return (None, None, None, None, None, [], None, None, None)
    thread = (seal.thread.id, seal.thread.hash) if seal.thread else (None, None)
    return (seal.sealed, seal.epoch, seal.roster, *thread, seal.mentions, seal.ttl, seal.chain, seal.key)


def scheduled_row(row: Row) -> ScheduledRow:
    """Read a row."""
    message = row["message"]
    return ScheduledRow(
        row["scheduled_id"],
        row["conversation_id"],
        row["account_id"],
        row["device_id"],
        row["client_message_id"],
        row["digest"],
        row["due_at"],
        row["status"],
        row["created_at"],
        msgspec.convert(message, SendMessage) if message is not None else None,
        _seal(row) if row["sealed"] is not None else None,
        row["sent_id"],
        row["refused"],
    )


def _seal(row: Row) -> ScheduledSeal:
    thread = SealedTarget(row["thread_id"], row["thread_hash"]) if row["thread_id"] is not None else None
    return ScheduledSeal(
        epoch=row["epoch"],
        roster=row["roster"],
        sealed=row["sealed"],
        thread=thread,
        mentions=row["mentions"],
        ttl=row["ttl_seconds"],
        chain=row["chain_id"],
        key=row["group_key"],
    )
