"""SQL of a message as it is now, for whoever asks (always `$1`): what every page and list of messages selects.

Plans are pinned (`Database.read_log`). What stands in other tables is joined row by row, each with a LIMIT: a page
costs what its messages cost, however many reactions and replies there are.
"""

from collections.abc import Sequence
from typing import LiteralString

import msgspec

from aparte.server.conversations.model import Standing
from aparte.server.kit.db import Reader, Row
from aparte.server.messages.rendering import content_of
from aparte.wire import limits
from aparte.wire.ids import AccountId, ConversationId, EntryId, time_of
from aparte.wire.messages import Message, Reaction, Thread

COLUMNS: LiteralString = """
    SELECT m.conversation_id, m.id, m.seq, m.account_id, m.device_id, m.client_message_id, m.ordinal, m.edit_id,
           m.edit_count, m.deletion_id, m.erased_at, m.expires_at, m.target_id AS root_id, d.account_id AS deleted_by,
           CASE WHEN m.deletion_id IS NULL THEN coalesce(e.body, m.content) END AS content, s.source,
           t.reply_count, t.last_id AS last_reply_id, f.is_following, p.id AS pin_id, p.account_id AS pinned_by,
           g.reactions, (SELECT count(*) FROM flags x WHERE x.conversation_id = m.conversation_id
                            AND x.message_id = m.id AND x.is_open) AS flag_count
"""
_REACTIONS: LiteralString = """
      LEFT JOIN LATERAL (
        SELECT json_object_agg(convert_from(c.mark, 'UTF8'), json_build_object('count', c.reaction_count,
                 'accounts', a.accounts, 'is_mine', a.is_mine) ORDER BY c.first_id) AS reactions
          FROM (SELECT x.mark, x.reaction_count, x.first_id FROM reaction_counts x
                 WHERE x.conversation_id = m.conversation_id AND x.message_id = m.id LIMIT 50) c
          CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT y.account_id FROM reactions y WHERE y.conversation_id = m.conversation_id
                            AND y.message_id = m.id AND y.mark = c.mark ORDER BY y.id LIMIT 50) AS accounts,
                   EXISTS (SELECT 1 FROM reactions y WHERE y.conversation_id = m.conversation_id
                              AND y.message_id = m.id AND y.account_id = $1 AND y.mark = c.mark) AS is_mine) a
      ) g ON true
"""
_BESIDE: LiteralString = """
      LEFT JOIN LATERAL (SELECT x.body FROM entries x WHERE x.conversation_id = m.conversation_id
                            AND x.id = m.edit_id LIMIT 1) e ON true
      LEFT JOIN LATERAL (SELECT x.account_id FROM entries x WHERE x.conversation_id = m.conversation_id
                            AND x.id = m.deletion_id LIMIT 1) d ON true
      LEFT JOIN LATERAL (SELECT x.source FROM message_sources x WHERE x.conversation_id = m.conversation_id
                            AND x.id = coalesce(m.edit_id, m.id) AND m.account_id = $1 AND m.deletion_id IS NULL
                          LIMIT 1) s ON true
      LEFT JOIN LATERAL (
        SELECT x.reply_count, (
                 SELECT l.id FROM message_links l
                   JOIN LATERAL (
                     SELECT 1 FROM messages y WHERE y.conversation_id = l.conversation_id AND y.id = l.id
                        AND y.deletion_id IS NULL AND (y.expires_at IS NULL OR y.expires_at > clock_timestamp())
                        AND (SELECT z.id FROM hidden_messages z WHERE z.account_id = $1
                                AND z.conversation_id = y.conversation_id AND z.id = y.id LIMIT 1) IS NULL
                      LIMIT 1) y ON true
                  WHERE l.conversation_id = x.conversation_id AND l.target_id = x.root_id AND l.link = 1
                  ORDER BY l.id DESC LIMIT 1) AS last_id
          FROM threads x WHERE x.conversation_id = m.conversation_id AND x.root_id = m.id LIMIT 1) t ON true
      LEFT JOIN LATERAL (SELECT x.is_following FROM thread_follows x WHERE x.account_id = $1
                            AND x.conversation_id = m.conversation_id AND x.root_id = m.id
                            AND t.reply_count IS NOT NULL LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT x.id, x.account_id FROM pins x WHERE x.conversation_id = m.conversation_id
                            AND x.message_id = m.id LIMIT 1) p ON true
"""
JOINS: LiteralString = _BESIDE + _REACTIONS
BY_ID: LiteralString = """
      JOIN LATERAL (SELECT x.* FROM messages x WHERE x.conversation_id = q.conversation_id
                       AND x.id = q.id LIMIT 1) m ON true
"""
"""The message of a row of a list, `q`."""
NOT_EXPIRED: LiteralString = " (m.expires_at IS NULL OR m.expires_at > clock_timestamp())"
NOT_HIDDEN: LiteralString = """
       (SELECT y.id FROM hidden_messages y WHERE y.account_id = $1
           AND y.conversation_id = m.conversation_id AND y.id = m.id LIMIT 1) IS NULL
"""
"""Asked row by row: an anti-join goes through all that somebody has hidden, for each message."""
THERE: LiteralString = " m.deletion_id IS NULL AND m.erased_at IS NULL AND" + NOT_EXPIRED + " AND" + NOT_HIDDEN
"""For lists that show no tombstones."""
_ONE: LiteralString = (
    COLUMNS
    + " FROM messages m"
    + JOINS
    + " WHERE m.conversation_id = $2 AND m.id = $3 AND"
    + NOT_EXPIRED
    + " AND"
    + NOT_HIDDEN
    + " LIMIT 1"
)

_REACTIONS_OF = msgspec.json.Decoder(dict[str, Reaction])


async def select_message(
    reader: Reader, conversation: ConversationId, message: EntryId, asker: AccountId, *, with_flags: bool = False
) -> Message | None:
    """One message, a tombstone if it is deleted; None if it has expired, is hidden from the asker or not there."""
    row = await reader.fetchrow(_ONE, asker, conversation, message)
    return message_of(row, with_flags=with_flags) if row else None


def shows_flags(standing: Standing) -> bool:
    """Whether somebody is told how often messages are flagged: moderators alone are."""
    return "manage_messages" in standing.rights


def messages_of(rows: Sequence[Row], *, with_flags: bool = False) -> list[Message]:
    """Render messages as they are now, in the order of their rows."""
    return [message_of(row, with_flags=with_flags) for row in rows]


def message_of(row: Row, *, with_flags: bool = False) -> Message:
    """Render a message as it is now; with what others have told moderators of it, where the reader is one.

    A tombstone keeps its reactions and its pin: a restore brings them back, and says nothing of them to copies.
    """
    return Message(
        conversation=row["conversation_id"],
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
        expires_at=row["expires_at"],
        root=row["root_id"],
        thread=thread_of(row),
        reactions=_REACTIONS_OF.decode(row["reactions"]) if row["reactions"] else {},
        pinned_at=time_of(row["pin_id"]) if row["pin_id"] else None,
        pinned_by=row["pinned_by"],
        source=row["source"],
        flag_count=row["flag_count"] if with_flags else 0,
        moderation="flagged" if with_flags and row["flag_count"] >= limits.FLAGS_UNTIL_SHOWN else "approved",
    )


def thread_of(row: Row) -> Thread | None:
    """Render what hangs under a message, once anything has."""
    if row["reply_count"] is None:
        return None
    return Thread(row["reply_count"], row["last_reply_id"], is_followed=bool(row["is_following"]))
