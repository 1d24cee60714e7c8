"""SQL of reading: messages as they are now, and the log as it was written. Plans are pinned (`Database.read_log`).

Both tables are merged with an ORDER BY and a LIMIT in each branch; one flat union costs 600 ms for a page of a big
conversation. The newest page begins at the head's id, so that a silent conversation touches no newer month.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from aparte.server.conversations.model import Standing
from aparte.server.kit.db import Reader, Row
from aparte.server.messages.rendering import content_of, entry_of
from aparte.wire.content import MessageContent
from aparte.wire.ids import LAST_ID, AccountId, ConversationId, EntryId, time_of
from aparte.wire.messages import Entry, Message, MessagePage, Version

_PAGE = """
    SELECT m.id, m.seq, m.account_id, m.device_id, m.client_message_id, m.ordinal, m.edit_id, m.edit_count,
           m.deletion_id, m.erased_at, d.account_id AS deleted_by,
           CASE WHEN m.deletion_id IS NULL THEN coalesce(e.body, m.content) END AS content
      FROM messages m
      LEFT JOIN LATERAL (SELECT x.body FROM entries x WHERE x.conversation_id = m.conversation_id
                            AND x.id = m.edit_id LIMIT 1) e ON true
      LEFT JOIN LATERAL (SELECT x.account_id FROM entries x WHERE x.conversation_id = m.conversation_id
                            AND x.id = m.deletion_id LIMIT 1) d ON true
"""
_VISIBLE = """
       AND ($5::boolean OR m.deletion_id IS NULL)
       AND NOT EXISTS (SELECT 1 FROM hidden_messages y WHERE y.account_id = $4
                          AND y.conversation_id = m.conversation_id AND y.id = m.id)
"""
_BEFORE = _PAGE + " WHERE m.conversation_id = $1 AND m.id < $2" + _VISIBLE + " ORDER BY m.id DESC LIMIT $3"
_AFTER = _PAGE + " WHERE m.conversation_id = $1 AND m.id > $2" + _VISIBLE + " ORDER BY m.id LIMIT $3"
_ONE = _PAGE + " WHERE m.conversation_id = $1 AND m.id = $2" + _VISIBLE + " LIMIT $3"


@dataclass(frozen=True, slots=True)
class Where:
    """Which page: the newest one, or older than, newer than, or around an entry."""

    before: EntryId | None = None
    after: EntryId | None = None
    around: EntryId | None = None
    tombstones: bool = False


async def select_page(reader: Reader, standing: Standing, where: Where, limit: int) -> MessagePage:
    """A page in order of time, and where it goes on in both directions. One row more than asked tells whether."""
    half = limit // 2 if where.around else 0
    older: list[Message] = []
    newer: list[Message] = []
    asked = (standing.account, where.tombstones)
    if where.after is not None:
        newer = await _select(reader, _AFTER, standing.conversation, where.after, limit + 1, asked)
    elif where.around is not None:
        before = id_before(where.around)
        older = await _select(reader, _BEFORE, standing.conversation, where.around, half + 1, asked)
        newer = await _select(reader, _AFTER, standing.conversation, before, limit - half + 1, asked)
    else:
        start = where.before or id_after(standing.head.id)
        older = await _select(reader, _BEFORE, standing.conversation, start, limit + 1, asked)
    room_older = half if where.around else limit
    room_newer = limit - half if where.around else limit
    kept = [*reversed(older[:room_older]), *newer[:room_newer]]
    has_older = len(older) > room_older or (where.after is not None and bool(kept))
    has_newer = len(newer) > room_newer or (where.before is not None and bool(kept))
    return MessagePage(
        kept,
        older=kept[0].id if kept and has_older else None,
        newer=kept[-1].id if kept and has_newer else None,
    )


def id_before(entry: EntryId) -> EntryId:
    """The largest id below another."""
    return EntryId(UUID(int=max(0, entry.int - 1)))


def id_after(entry: EntryId) -> EntryId:
    """The smallest id above another."""
    return EntryId(UUID(int=min(LAST_ID.int, entry.int + 1)))


async def _select(
    reader: Reader,
    statement: LiteralString,
    conversation: ConversationId,
    at: EntryId,
    limit: int,
    asked: tuple[AccountId, bool],
) -> list[Message]:
    rows = await reader.fetch(statement, conversation, at, limit, *asked)
    return [message_of(conversation, row) for row in rows]


async def select_message(
    reader: Reader, conversation: ConversationId, message: EntryId, asker: AccountId
) -> Message | None:
    """One message, a tombstone if it is deleted; None if it is hidden from the asker or not there."""
    row = await reader.fetchrow(_ONE, conversation, message, 1, asker, True)
    return message_of(conversation, row) if row else None


def message_of(conversation: ConversationId, row: Row) -> Message:
    """Render a message as it is now."""
    return Message(
        conversation=conversation,
        seq=row["seq"],
        id=row["id"],
        at=time_of(row["id"]),
        account=row["account_id"],
        ordinal=row["ordinal"],
        device=row["device_id"],
        client_message_id=row["client_message_id"],
        content=content_of(row["content"]),
        edit_count=row["edit_count"],
        edited_at=time_of(row["edit_id"]) if row["edit_id"] else None,
        deleted_at=time_of(row["deletion_id"]) if row["deletion_id"] else None,
        deleted_by=row["deleted_by"],
        erased_at=row["erased_at"],
    )


async def select_content(reader: Reader, conversation: ConversationId, message: EntryId) -> MessageContent | None:
    """What a message says now, whoever asks."""
    row = await reader.fetchrow(
        """
        SELECT coalesce(e.body, m.content) AS content
          FROM messages m LEFT JOIN entries e ON e.conversation_id = m.conversation_id AND e.id = m.edit_id
         WHERE m.conversation_id = $1 AND m.id = $2
        """,
        conversation,
        message,
    )
    return content_of(row["content"]) if row else None


async def select_versions(reader: Reader, conversation: ConversationId, message: EntryId) -> list[Version]:
    """The original and every edit, in order of time."""
    rows = await reader.fetch(
        """
        SELECT id, content FROM messages WHERE conversation_id = $1 AND id = $2
        UNION ALL
        SELECT id, body FROM entries WHERE conversation_id = $1 AND target_id = $2 AND kind = 2
         ORDER BY id
        """,
        conversation,
        message,
    )
    return [Version(time_of(row["id"]), content_of(row["content"])) for row in rows]


async def select_entries(reader: Reader, conversation: ConversationId, after: EntryId, limit: int) -> list[Entry]:
    """The log after an entry: every kind in order, without the words of what is deleted."""
    rows = await reader.fetch(
        """
        SELECT u.id, u.seq, u.kind, u.account_id, u.device_id, u.client_message_id, u.ordinal, u.target_seq,
               u.target_id, t.target_deleted,
               CASE WHEN u.kind = 2 AND t.target_deleted THEN NULL ELSE u.body END AS body,
               CASE WHEN u.kind = 3 AND NOT t.target_deleted THEN t.target_content END AS restored
          FROM (
            (SELECT m.id, m.seq, 1::smallint AS kind, m.account_id, m.device_id, m.client_message_id, m.ordinal,
                    NULL::bigint AS target_seq, NULL::uuid AS target_id,
                    CASE WHEN m.deletion_id IS NULL THEN m.content END AS body
               FROM messages m WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3)
            UNION ALL
            (SELECT e.id, e.seq, e.kind, e.account_id, e.device_id, e.client_message_id, NULL, e.target_seq,
                    e.target_id, e.body
               FROM entries e WHERE e.conversation_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3)
          ) u
          LEFT JOIN LATERAL (
            SELECT m.deletion_id IS NOT NULL AS target_deleted, coalesce(x.body, m.content) AS target_content
              FROM messages m
              LEFT JOIN LATERAL (SELECT y.body FROM entries y WHERE y.conversation_id = $1 AND y.id = m.edit_id
                                  LIMIT 1) x ON true
             WHERE m.conversation_id = $1 AND m.id = u.target_id LIMIT 1) t ON u.target_id IS NOT NULL
         ORDER BY u.id LIMIT $3
        """,
        conversation,
        after,
        limit,
    )
    return [entry_of(row) for row in rows]
