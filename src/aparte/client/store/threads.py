"""SQL of what hangs together in the local logs: threads, answers, mentions, pins."""

from collections.abc import Sequence
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.client.store.entries import COLUMNS, entry_of
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.messages import Entry


def select_answers(tx: Tx, conversation: ConversationId, root_seq: int, before_seq: int, limit: int) -> list[Entry]:
    """Read the newest messages of a thread before a position, oldest first, but for those that have disappeared."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.target_seq = ? AND e.kind = ? AND e.seq < ? AND s.code IS NOT 'expired'
         ORDER BY e.seq DESC LIMIT ?
        """,  # noqa: S608 - constant
        conversation.bytes,
        root_seq,
        kinds.MESSAGE,
        before_seq,
        limit,
    )
    return [entry_of(row) for row in reversed(rows)]


def select_threads(
    tx: Tx, conversation: ConversationId, roots: tuple[int, int], before_seq: int, limit: int
) -> list[tuple[int, int, int, EntryId]]:
    """Count the open messages of threads whose root is between two positions, the thread with the newest one first.

    Gives the root's position, how many there are, and position and id of the newest, which is before `before_seq`.
    """
    rows = tx.rows(
        """
        SELECT e.target_seq, count(*), max(e.seq), e.id FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.target_seq BETWEEN ? AND ? AND e.kind = ?
           AND (s.state IS NULL OR s.state = 'open') AND e.body IS NOT NULL
         GROUP BY e.target_seq HAVING max(e.seq) < ? ORDER BY max(e.seq) DESC LIMIT ?
        """,
        conversation.bytes,
        *roots,
        kinds.MESSAGE,
        before_seq,
        limit,
    )
    return [(root, count, last, EntryId(UUID(bytes=last_id))) for root, count, last, last_id in rows]


def has_answered(tx: Tx, conversation: ConversationId, root_seq: int, account: AccountId) -> bool:
    """Tell whether somebody has written in a thread."""
    row = tx.row(
        "SELECT 1 FROM entries WHERE conversation_id = ? AND target_seq = ? AND kind = ? AND account_id = ? LIMIT 1",
        conversation.bytes,
        root_seq,
        kinds.MESSAGE,
        account.bytes,
    )
    return row is not None


def select_saying(tx: Tx, conversation: ConversationId, said: bytes, after_seq: int, limit: int) -> list[Entry]:
    """Read the first messages after a position whose body has these bytes in it: what they name, for instance."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e
         WHERE e.conversation_id = ? AND e.seq > ? AND e.kind = ? AND instr(e.body, ?) > 0 ORDER BY e.seq LIMIT ?
        """,  # noqa: S608 - constant
        conversation.bytes,
        after_seq,
        kinds.MESSAGE,
        said,
        limit,
    )
    return [entry_of(row) for row in rows]


def select_naming(
    tx: Tx, said: Sequence[bytes], before_id: EntryId, limit: int
) -> list[tuple[ConversationId, int, EntryId]]:
    """Name the newest messages of encrypted conversations that have any of these bytes in them, or in an edit of
    theirs: conversation, position and id."""
    either = " OR ".join("instr(e.body, ?) > 0" for _ in said)
    rows = tx.rows(
        f"""
        SELECT DISTINCT e.conversation_id, CASE e.kind WHEN {kinds.EDIT} THEN e.target_seq ELSE e.seq END AS place,
               CASE e.kind WHEN {kinds.EDIT} THEN e.target_id ELSE e.id END AS message_id
          FROM conversations c JOIN entries e USING (conversation_id)
         WHERE c.encryption_mode = 'e2ee' AND c.role IS NOT NULL AND e.kind IN ({kinds.MESSAGE}, {kinds.EDIT})
           AND place IS NOT NULL AND message_id < ? AND ({either}) ORDER BY message_id DESC LIMIT ?
        """,  # noqa: S608 - constants and question marks
        before_id.bytes,
        *said,
        limit,
    )
    return [(ConversationId(UUID(bytes=where)), seq, EntryId(UUID(bytes=at))) for where, seq, at in rows]


def select_pinned(tx: Tx, conversation: ConversationId, limit: int) -> list[int]:
    """Name the messages that were ever pinned, the one that was pinned or unpinned last first."""
    rows = tx.rows(
        """
        SELECT e.target_seq FROM entries e JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.kind = 5 AND e.target_seq IS NOT NULL AND s.state = 'open'
         GROUP BY e.target_seq ORDER BY max(e.seq) DESC LIMIT ?
        """,
        conversation.bytes,
        limit,
    )
    return [seq for (seq,) in rows]
