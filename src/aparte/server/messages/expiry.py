"""SQL of messages that disappear: which are due, and what is left of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from aparte.server.kit.db import Reader, Tx
from aparte.wire.ids import FIRST_ID, ConversationId, EntryId


class Due(NamedTuple):
    """A message whose time is over, in the order in which they are erased."""

    expires_at: datetime
    conversation: ConversationId
    id: EntryId


BEGINNING = Due(datetime.min.replace(tzinfo=UTC), ConversationId(UUID(int=0)), FIRST_ID)
"""Before every message that disappears."""


async def select_due(reader: Reader, after: Due, limit: int) -> list[Due]:
    """Messages that have expired and are not erased, after one of them."""
    rows = await reader.fetch(
        """
        SELECT expires_at, conversation_id, id FROM disappearing_messages
         WHERE NOT is_erased AND expires_at <= clock_timestamp() AND (expires_at, conversation_id, id) > ($1, $2, $3)
         ORDER BY expires_at, conversation_id, id LIMIT $4
        """,
        *after,
        limit,
    )
    return [Due(row["expires_at"], row["conversation_id"], row["id"]) for row in rows]


async def update_expired(tx: Tx, conversation: ConversationId, messages: Sequence[EntryId]) -> int:
    """Empty messages that have expired, deleted ones too; their skeletons stay. Gives how many of them were there until
    then: what was deleted before has been counted off already."""
    counted: int = await tx.fetchval(
        """
        WITH due AS (
          SELECT z.id FROM messages z
           WHERE z.conversation_id = $1 AND z.id = ANY ($2) AND z.expires_at <= clock_timestamp()
        ), marked AS (
          UPDATE disappearing_messages x SET is_erased = true FROM due d WHERE x.conversation_id = $1 AND x.id = d.id
        ), emptied AS (
          UPDATE messages m SET content = NULL, sealed = NULL, sealed_hash = sha256(m.sealed),
                 erased_at = clock_timestamp()
            FROM due d WHERE m.conversation_id = $1 AND m.id = d.id AND m.erased_at IS NULL
          RETURNING m.id, m.deletion_id IS NULL AS was_there, m.target_id
        ), counted AS (
          UPDATE threads t SET reply_count = t.reply_count - c.n,
                 last_id = coalesce((SELECT l.id FROM message_links l
                                       JOIN messages y ON y.conversation_id = l.conversation_id AND y.id = l.id
                                      WHERE l.conversation_id = $1 AND l.target_id = t.root_id AND l.link = 1
                                        AND y.deletion_id IS NULL AND y.erased_at IS NULL
                                        AND (y.expires_at IS NULL OR y.expires_at > clock_timestamp())
                                      ORDER BY l.id DESC LIMIT 1), t.last_id)
            FROM (SELECT e.target_id, count(*) AS n FROM emptied e
                   WHERE e.was_there AND e.target_id IS NOT NULL GROUP BY e.target_id) c
           WHERE t.conversation_id = $1 AND t.root_id = c.target_id
        )
        SELECT count(*) FROM emptied WHERE was_there
        """,
        conversation,
        messages,
    )
    return counted


async def delete_sources(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Forget what was typed in a message and its edits."""
    await tx.execute(
        """
        DELETE FROM message_sources x
         WHERE x.conversation_id = $1 AND x.id IN (
           SELECT $2 UNION ALL SELECT e.id FROM entries e WHERE e.conversation_id = $1 AND e.target_id = $2)
        """,
        conversation,
        message,
    )


async def delete_mentions(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Forget whom a message mentioned."""
    await tx.execute("DELETE FROM mentions WHERE conversation_id = $1 AND id = $2", conversation, message)
