"""SQL of invite links that this device has made: what stands behind the # of each."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId, InviteToken


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The secrets of an invite link."""

    conversation: ConversationId
    link_id: bytes
    seed: bytes = field(repr=False)
    token: InviteToken = field(repr=False)


def insert_link(tx: Tx, row: LinkRow, now: int) -> None:
    """Keep a link before anybody is told of it."""
    tx.run(
        "INSERT OR IGNORE INTO invite_links (conversation_id, link_id, seed, token, at) VALUES (?, ?, ?, ?, ?)",
        row.conversation.bytes,
        row.link_id,
        row.seed,
        row.token.bytes,
        now,
    )


def select_links(tx: Tx, conversation: ConversationId) -> list[LinkRow]:
    """Read the links of a group that were made here, oldest first."""
    rows = tx.rows(
        "SELECT link_id, seed, token FROM invite_links WHERE conversation_id = ? ORDER BY at, rowid",
        conversation.bytes,
    )
    return [LinkRow(conversation, link_id, seed, InviteToken(UUID(bytes=token))) for link_id, seed, token in rows]


def delete_link(tx: Tx, conversation: ConversationId, link_id: bytes) -> None:
    """Forget a link that is closed, or was never opened."""
    tx.run("DELETE FROM invite_links WHERE conversation_id = ? AND link_id = ?", conversation.bytes, link_id)
