"""SQL of what is to be passed on: to whom still, what already, and which entries can be."""

from dataclasses import dataclass
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.client.store.sealed import COLUMNS, SealedRow, sealed_row
from aparte.wire.ids import AccountId, ConversationId

EVERYTHING = 2**53 - 1
"""The `before_seq` of somebody to whom nothing of the history was passed on yet."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """Somebody to whom something is to be passed on: with `history`, what stands before `before_seq` is left."""

    conversation: ConversationId
    account: AccountId
    history: bool
    before_seq: int


def upsert_due(tx: Tx, conversation: ConversationId, account: AccountId, *, history: bool) -> None:
    """Remember that something is to be passed on to somebody; history that was begun goes on where it is."""
    tx.run(
        """
        INSERT INTO passing_due (conversation_id, account_id, history, before_seq, look_at) VALUES (?, ?, ?, ?, 0)
        ON CONFLICT (conversation_id, account_id) DO UPDATE SET history = max(history, excluded.history), look_at = 0
        """,
        conversation.bytes,
        account.bytes,
        int(history),
        EVERYTHING,
    )


def upsert_due_everywhere(tx: Tx, account: AccountId) -> None:
    """Remember it of every group that one is in."""
    tx.run(
        """
        INSERT INTO passing_due (conversation_id, account_id, history, before_seq, look_at)
        SELECT conversation_id, ?, 0, ?, 0 FROM conversations WHERE has_chain AND role IS NOT NULL
        ON CONFLICT (conversation_id, account_id) DO UPDATE SET look_at = 0
        """,
        account.bytes,
        EVERYTHING,
    )


def select_due(tx: Tx, now: int) -> list[DueRow]:
    """Read who waits."""
    rows = tx.rows(
        """
        SELECT conversation_id, account_id, history, before_seq FROM passing_due WHERE look_at <= ?
         ORDER BY history, rowid
        """,
        now,
    )
    return [
        DueRow(ConversationId(UUID(bytes=conversation)), AccountId(UUID(bytes=account)), bool(history), before)
        for conversation, account, history, before in rows
    ]


def update_progress(tx: Tx, due: DueRow, before_seq: int) -> None:
    """Remember how far back the history was passed on."""
    tx.run(
        "UPDATE passing_due SET before_seq = ? WHERE conversation_id = ? AND account_id = ?",
        before_seq,
        due.conversation.bytes,
        due.account.bytes,
    )


def update_look_at(tx: Tx, due: DueRow, moment: int) -> None:
    """Try again later."""
    tx.run(
        "UPDATE passing_due SET look_at = ? WHERE conversation_id = ? AND account_id = ?",
        moment,
        due.conversation.bytes,
        due.account.bytes,
    )


def delete_due(tx: Tx, due: DueRow) -> None:
    """Everything was passed on, or nothing can be; unless more was asked for meanwhile."""
    tx.run(
        "DELETE FROM passing_due WHERE conversation_id = ? AND account_id = ? AND history = ?",
        due.conversation.bytes,
        due.account.bytes,
        int(due.history),
    )


def insert_passed(tx: Tx, due: DueRow, digest: bytes) -> None:
    """Remember that an entry was passed on to somebody."""
    tx.run(
        "INSERT OR IGNORE INTO passed_to (conversation_id, account_id, hash) VALUES (?, ?, ?)",
        due.conversation.bytes,
        due.account.bytes,
        digest,
    )


def has_passed(tx: Tx, due: DueRow, digest: bytes) -> bool:
    """Tell whether an entry was passed on to somebody."""
    return bool(
        tx.row(
            "SELECT 1 FROM passed_to WHERE conversation_id = ? AND account_id = ? AND hash = ?",
            due.conversation.bytes,
            due.account.bytes,
            digest,
        )
    )


def delete_passed(tx: Tx, conversation: ConversationId, account: AccountId) -> None:
    """Forget what was passed on to somebody."""
    tx.run("DELETE FROM passed_to WHERE conversation_id = ? AND account_id = ?", conversation.bytes, account.bytes)


def select_said(tx: Tx, conversation: ConversationId, kind: int) -> SealedRow | None:
    """Read the newest open entry of what the group says of itself: kind 6 or 7."""
    row = tx.row(
        f"""
        SELECT {COLUMNS} FROM sealed
         WHERE conversation_id = ? AND state = 'open' AND seq IN (
           SELECT seq FROM entries WHERE conversation_id = ? AND kind IN (6, 7) AND kind = ?)
         ORDER BY seq DESC LIMIT 1
        """,  # noqa: S608 - constant
        conversation.bytes,
        conversation.bytes,
        kind,
    )
    return sealed_row(row) if row else None


def select_open(tx: Tx, conversation: ConversationId, before_seq: int, limit: int) -> list[SealedRow]:
    """Read entries that are open here before a position, the newest first."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM sealed WHERE conversation_id = ? AND seq < ? AND state = 'open'
         ORDER BY seq DESC LIMIT ?
        """,  # noqa: S608 - constant
        conversation.bytes,
        before_seq,
        limit,
    )
    return [sealed_row(row) for row in rows]


def select_links(tx: Tx, conversation: ConversationId, account: AccountId) -> list[bytes]:
    """Read the statements by which an account has made or closed invite links."""
    rows = tx.rows(
        """
        SELECT statement FROM statements
         WHERE conversation_id = ? AND substr(statement, 74, 1) = x'06' AND substr(statement, 75, 16) = ?
        """,
        conversation.bytes,
        account.bytes,
    )
    return [row[0] for row in rows]
