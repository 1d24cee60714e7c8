"""SQL of disappearing messages: when each is over, and the erasing of everything that it said.

What stays is its place in the log: number, hash and what came before it from its device. So the chain holds.
"""

from dataclasses import dataclass

from aparte.client.store.db import Tx
from aparte.wire import kinds
from aparte.wire.ids import ConversationId

EXPIRED = "expired"
"""The code of what has disappeared, beside the state `deleted`."""


@dataclass(frozen=True, slots=True)
class ExpiringRow:
    """How long a message is there, in milliseconds, and until when; None while it was not read."""

    lasts: int
    expires_at: int | None
    is_from_reading: bool = False


def insert_expiring(tx: Tx, conversation: ConversationId, seq: int, row: ExpiringRow) -> None:
    """Keep when a message is over; what was kept first stays."""
    tx.run(
        """
        INSERT OR IGNORE INTO expiring (conversation_id, seq, lasts, expires_at, is_from_reading) VALUES (?, ?, ?, ?, ?)
        """,
        conversation.bytes,
        seq,
        row.lasts,
        row.expires_at,
        int(row.is_from_reading),
    )


def select_expiring(tx: Tx, conversation: ConversationId, seq: int) -> ExpiringRow | None:
    """Read when a message is over; None of one that stays."""
    return select_between(tx, conversation, seq, seq).get(seq)


def select_between(tx: Tx, conversation: ConversationId, first_seq: int, last_seq: int) -> dict[int, ExpiringRow]:
    """Read when the messages from one position to another are over."""
    rows = tx.rows(
        """
        SELECT seq, lasts, expires_at, is_from_reading FROM expiring WHERE conversation_id = ? AND seq BETWEEN ? AND ?
        """,
        conversation.bytes,
        first_seq,
        last_seq,
    )
    return {seq: ExpiringRow(lasts, expires_at, bool(is_read)) for seq, lasts, expires_at, is_read in rows}


def select_over(tx: Tx, now: int, limit: int) -> list[tuple[bytes, int]]:
    """Name the messages that are over: conversation and position, the earliest first."""
    rows = tx.rows(
        "SELECT conversation_id, seq FROM expiring WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, limit
    )
    return [(conversation, seq) for conversation, seq in rows]


def select_next(tx: Tx) -> int | None:
    """Read when the next message is over."""
    row = tx.row("SELECT min(expires_at) FROM expiring WHERE expires_at IS NOT NULL")
    return row[0] if row else None


def update_read(tx: Tx, conversation: ConversationId, up_to_seq: int, now: int) -> None:
    """Let what counts from being read count from now, up to a position; what was read before counts from then."""
    tx.run(
        """
        UPDATE expiring SET expires_at = ? + lasts WHERE conversation_id = ? AND seq <= ? AND expires_at IS NULL
        """,
        now,
        conversation.bytes,
        up_to_seq,
    )


def erase(tx: Tx, conversation: bytes, seq: int) -> None:
    """Forget what a message said, what was said of it, and every key to any of it."""
    spoken = _about(tx, conversation, seq)
    tx.run_many("DELETE FROM content_keys WHERE hash = ?", [(digest,) for _, _, digest in spoken if digest])
    tx.run_many(
        "UPDATE sealed SET sealed = NULL WHERE conversation_id = ? AND seq = ?",
        [(conversation, about) for about, _, _ in spoken],
    )
    said = [(conversation, about) for about, kind, _ in spoken if kind != kinds.DELETION]
    tx.run_many(
        f"UPDATE sealed SET state = 'deleted', code = '{EXPIRED}', is_late = 0"  # noqa: S608 - constant
        " WHERE conversation_id = ? AND seq = ? AND state <> 'refused'",
        said,
    )
    tx.run_many("UPDATE entries SET body = NULL WHERE conversation_id = ? AND seq = ?", said)
    tx.run("DELETE FROM expiring WHERE conversation_id = ? AND seq = ?", conversation, seq)


def delete_expiring(tx: Tx, conversation: ConversationId) -> None:
    """Drop what is known of a conversation's disappearing messages, with its log."""
    tx.run("DELETE FROM expiring WHERE conversation_id = ?", conversation.bytes)


def _about(tx: Tx, conversation: bytes, seq: int) -> list[tuple[int, int, bytes | None]]:
    """Name a message and its edits, deletions and reactions, opened or not: position, kind, hash."""
    rows = tx.rows(
        """
        SELECT e.seq, e.kind, s.hash FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ?1 AND (e.seq = ?2 OR (e.kind IN (?3, ?4, ?5) AND (e.target_seq = ?2
           OR e.seq IN (SELECT a.seq FROM sealed t JOIN sealed a ON a.target = t.hash
                         WHERE t.conversation_id = ?1 AND t.seq = ?2 AND a.conversation_id = ?1))))
        """,
        conversation,
        seq,
        kinds.EDIT,
        kinds.DELETION,
        kinds.REACTION,
    )
    return [(about, kind, digest) for about, kind, digest in rows]
