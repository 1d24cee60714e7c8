"""SQL of reading: pages of messages as they are now, and the log as it was written.

Plans are pinned (`Database.read_log`). The log's two tables are merged with an ORDER BY and a LIMIT in each branch; one
flat union costs 600 ms for a page of a big conversation. The newest page begins at the head's id, so that a silent
conversation touches no newer month.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from aparte.server.conversations.model import Standing
from aparte.server.kit.db import Reader
from aparte.server.messages.current import BY_ID, COLUMNS, JOINS, NOT_EXPIRED, NOT_HIDDEN, messages_of, shows_flags
from aparte.server.messages.rendering import content_of, entry_of
from aparte.wire.content import MessageContent
from aparte.wire.ids import LAST_ID, AccountId, ConversationId, EntryId, time_of
from aparte.wire.messages import Entry, Message, MessagePage, Version

_PAGE: LiteralString = COLUMNS + " FROM messages m" + JOINS + " WHERE m.conversation_id = $2"
_VISIBLE: LiteralString = " AND ($5::boolean OR m.deletion_id IS NULL) AND" + NOT_EXPIRED + " AND" + NOT_HIDDEN
BEFORE: LiteralString = _PAGE + " AND m.id < $3" + _VISIBLE + " ORDER BY m.id DESC LIMIT $4"
AFTER: LiteralString = _PAGE + " AND m.id > $3" + _VISIBLE + " ORDER BY m.id LIMIT $4"
_REPLIES: LiteralString = COLUMNS + " FROM message_links q" + BY_ID + JOINS
_IN_THREAD: LiteralString = " WHERE q.conversation_id = $2 AND q.target_id = $6 AND q.link = 1"
REPLIES_BEFORE: LiteralString = _REPLIES + _IN_THREAD + " AND q.id < $3" + _VISIBLE + " ORDER BY q.id DESC LIMIT $4"
REPLIES_AFTER: LiteralString = _REPLIES + _IN_THREAD + " AND q.id > $3" + _VISIBLE + " ORDER BY q.id LIMIT $4"


@dataclass(frozen=True, slots=True)
class Where:
    """Which page: the newest, or older than, newer than, or around an entry; of a thread, or of all that is said."""

    before: EntryId | None = None
    after: EntryId | None = None
    around: EntryId | None = None
    tombstones: bool = False
    thread: EntryId | None = None


async def select_page(reader: Reader, standing: Standing, where: Where, limit: int) -> MessagePage:
    """A page in order of time, and where it goes on in both directions. One row more than asked tells whether."""
    half = limit // 2 if where.around else 0
    older: list[Message] = []
    newer: list[Message] = []
    if where.after is not None:
        newer = await _select(reader, standing, where, where.after, limit + 1, forward=True)
    elif where.around is not None:
        older = await _select(reader, standing, where, where.around, half + 1)
        newer = await _select(reader, standing, where, id_before(where.around), limit - half + 1, forward=True)
    else:
        older = await _select(reader, standing, where, where.before or id_after(standing.head.id), limit + 1)
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
    reader: Reader, standing: Standing, where: Where, at: EntryId, limit: int, *, forward: bool = False
) -> list[Message]:
    asked = (standing.account, standing.conversation, at, limit, where.tombstones)
    if where.thread is None:
        rows = await reader.fetch(AFTER if forward else BEFORE, *asked)
    else:
        rows = await reader.fetch(REPLIES_AFTER if forward else REPLIES_BEFORE, *asked, where.thread)
    return messages_of(rows, with_flags=shows_flags(standing))


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


async def select_versions(
    reader: Reader, conversation: ConversationId, message: EntryId, asker: AccountId
) -> list[Version]:
    """The original and every edit, in order of time; to the author also as it was typed."""
    rows = await reader.fetch(
        """
        SELECT v.id, v.content, s.source
          FROM (SELECT m.id, m.account_id, m.content FROM messages m WHERE m.conversation_id = $1 AND m.id = $2
                UNION ALL
                SELECT e.id, e.account_id, e.body FROM entries e
                 WHERE e.conversation_id = $1 AND e.target_id = $2 AND e.kind = 2) v
          LEFT JOIN LATERAL (SELECT x.source FROM message_sources x WHERE x.conversation_id = $1 AND x.id = v.id
                                AND v.account_id = $3 LIMIT 1) s ON true
         ORDER BY v.id
        """,
        conversation,
        message,
        asker,
    )
    return [Version(time_of(row["id"]), content_of(row["content"]), row["source"]) for row in rows]


ENTRIES: LiteralString = """
    SELECT u.id, u.seq, u.kind, u.account_id, u.device_id, u.client_message_id, u.ordinal, u.target_seq, u.target_id,
           u.expires_at,
           CASE WHEN u.kind = 2 AND (t.is_deleted OR t.is_expired) OR u.kind = 4 AND t.is_expired THEN NULL
                ELSE u.body END AS body,
           CASE WHEN u.kind = 3 AND NOT t.is_deleted AND NOT t.is_expired THEN t.content END AS restored
      FROM (
        (SELECT m.id, m.seq, 1::smallint AS kind, m.account_id, m.device_id, m.client_message_id, m.ordinal,
                m.target_seq, m.target_id, m.expires_at,
                CASE WHEN m.deletion_id IS NULL AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
                     THEN m.content END AS body
           FROM messages m WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3)
        UNION ALL
        (SELECT e.id, e.seq, e.kind, e.account_id, e.device_id, e.client_message_id, NULL, e.target_seq,
                e.target_id, NULL, e.body
           FROM entries e WHERE e.conversation_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3)
      ) u
      LEFT JOIN LATERAL (
        SELECT m.deletion_id IS NOT NULL AS is_deleted, coalesce(x.body, m.content) AS content,
               coalesce(m.expires_at <= clock_timestamp(), false) AS is_expired
          FROM messages m
          LEFT JOIN LATERAL (SELECT y.body FROM entries y WHERE y.conversation_id = $1 AND y.id = m.edit_id
                              LIMIT 1) x ON true
         WHERE m.conversation_id = $1 AND m.id = u.target_id AND u.kind <> 1 LIMIT 1) t ON u.target_id IS NOT NULL
     ORDER BY u.id LIMIT $3
"""


async def select_entries(reader: Reader, conversation: ConversationId, after: EntryId, limit: int) -> list[Entry]:
    """The log after an entry: every kind in order, without the words of what is deleted or has expired."""
    return [entry_of(row) for row in await reader.fetch(ENTRIES, conversation, after, limit)]
