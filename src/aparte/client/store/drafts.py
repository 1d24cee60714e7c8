"""SQL of drafts that are not at the server yet."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId


@dataclass(frozen=True, slots=True)
class DraftRow:
    """What is to be kept at the server for a conversation; without text it is to be forgotten there."""

    conversation: ConversationId
    text: str | None = field(repr=False)
    at: int


def upsert_draft(tx: Tx, row: DraftRow) -> None:
    """Keep what was written last."""
    tx.run(
        """
        INSERT INTO unsaved_drafts (conversation_id, text, at) VALUES (?, ?, ?)
        ON CONFLICT (conversation_id) DO UPDATE SET text = excluded.text, at = excluded.at
        """,
        row.conversation.bytes,
        row.text,
        row.at,
    )


def select_draft(tx: Tx, conversation: ConversationId) -> DraftRow | None:
    """Read what is not at the server yet."""
    row = tx.row("SELECT text, at FROM unsaved_drafts WHERE conversation_id = ?", conversation.bytes)
    return DraftRow(conversation, row[0], row[1]) if row else None


def select_unsaved(tx: Tx) -> list[DraftRow]:
    """Read all that is not at the server yet, the oldest first."""
    rows = tx.rows("SELECT conversation_id, text, at FROM unsaved_drafts ORDER BY at")
    return [DraftRow(ConversationId(UUID(bytes=conversation)), text, at) for conversation, text, at in rows]


def delete_saved(tx: Tx, row: DraftRow) -> None:
    """The server has a draft, unless another one was written meanwhile."""
    tx.run(
        "DELETE FROM unsaved_drafts WHERE conversation_id = ? AND at = ? AND text IS ?",
        row.conversation.bytes,
        row.at,
        row.text,
    )
