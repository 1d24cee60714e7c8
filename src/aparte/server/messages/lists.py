"""SQL of lists of messages beside the pages: what is pinned, what quotes a message, roots of threads, mentions.

Plans are pinned (`Database.read_log`), and messages are fetched one by one in the order of the list: joined freely,
fifty of them read the whole conversation. Only what is there is listed: not deleted, expired, or hidden from the asker.
"""

from collections.abc import Sequence
from typing import LiteralString

from aparte.server.conversations.model import Standing
from aparte.server.kit.db import Reader
from aparte.server.messages.current import (
    BY_ID,
    COLUMNS,
    JOINS,
    NOT_EXPIRED,
    NOT_HIDDEN,
    THERE,
    messages_of,
    shows_flags,
)
from aparte.wire import limits
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.messages import Message

_PINS: LiteralString = """
      FROM pins q JOIN LATERAL (SELECT x.* FROM messages x WHERE x.conversation_id = q.conversation_id
                                   AND x.id = q.message_id LIMIT 1) m ON true
"""
_IN_PINS: LiteralString = " WHERE q.conversation_id = $2 AND"
PINNED: LiteralString = COLUMNS + _PINS + JOINS + _IN_PINS + THERE + " ORDER BY q.id DESC LIMIT $3"

_QUOTES: LiteralString = " FROM message_links q" + BY_ID
_QUOTING: LiteralString = " WHERE q.conversation_id = $2 AND q.target_id = $3 AND q.link = 2 AND q.id > $4 AND"
QUOTING: LiteralString = COLUMNS + _QUOTES + JOINS + _QUOTING + THERE + " ORDER BY q.id LIMIT $5"

_PLACE: LiteralString = ", q.last_id AS place"
_ROOT: LiteralString = """
      JOIN LATERAL (SELECT x.* FROM messages x WHERE x.conversation_id = q.conversation_id
                       AND x.id = q.root_id LIMIT 1) m ON true
"""
_ROOTS: LiteralString = " FROM threads q" + _ROOT
_ANSWERED: LiteralString = " WHERE q.conversation_id = $2 AND q.last_id < $3 AND q.reply_count > 0 AND"
_ORDER: LiteralString = NOT_EXPIRED + " AND" + NOT_HIDDEN + " ORDER BY q.last_id DESC LIMIT $4"
THREADS: LiteralString = COLUMNS + _PLACE + _ROOTS + JOINS + _ANSWERED + _ORDER

_FOLLOWS: LiteralString = """
      FROM thread_follows w
      JOIN LATERAL (SELECT x.* FROM threads x WHERE x.conversation_id = w.conversation_id
                       AND x.root_id = w.root_id LIMIT 1) q ON true
"""
_FOLLOWING: LiteralString = " w.account_id = $1 AND w.conversation_id = $2 AND w.is_following AND"
FOLLOWED: LiteralString = COLUMNS + _PLACE + _FOLLOWS + _ROOT + JOINS + _ANSWERED + _FOLLOWING + _ORDER

_NAMING: LiteralString = """
      FROM mentions q
      JOIN LATERAL (SELECT 1 FROM members b JOIN conversations c ON c.conversation_id = b.conversation_id
                     WHERE b.conversation_id = q.conversation_id AND b.account_id = $1 AND b.left_at IS NULL
                       AND c.deleted_at IS NULL LIMIT 1) b ON true
"""
_NAMED: LiteralString = """
     WHERE q.account_id = $1 AND q.id < $2
       AND (SELECT k.blocked_id FROM blocks k
             WHERE k.blocker_id = $1 AND k.blocked_id = m.account_id LIMIT 1) IS NULL AND
"""
MENTIONING: LiteralString = COLUMNS + _NAMING + BY_ID + JOINS + _NAMED + THERE + " ORDER BY q.id DESC LIMIT $3"

_SEVERAL: LiteralString = """
      FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS q (conversation_id, id, place)
      JOIN LATERAL (SELECT 1 FROM members b JOIN conversations c ON c.conversation_id = b.conversation_id
                     WHERE b.conversation_id = q.conversation_id AND b.account_id = $1 AND b.left_at IS NULL
                       AND c.deleted_at IS NULL AND c.encryption_mode = 'server' LIMIT 1) b ON true
"""
SOME: LiteralString = COLUMNS + _SEVERAL + BY_ID + JOINS + " WHERE" + THERE + " ORDER BY q.place"


async def select_some(
    reader: Reader, account: AccountId, wanted: Sequence[tuple[ConversationId, EntryId]], *, with_flags: bool
) -> list[Message]:
    """Those of some readable messages that are there for somebody, in the order wanted."""
    conversations, messages = [place[0] for place in wanted], [place[1] for place in wanted]
    return messages_of(await reader.fetch(SOME, account, conversations, messages), with_flags=with_flags)


async def select_pinned(reader: Reader, standing: Standing) -> list[Message]:
    """What is pinned, the newest pin first."""
    rows = await reader.fetch(PINNED, standing.account, standing.conversation, limits.PINS)
    return messages_of(rows, with_flags=shows_flags(standing))


async def select_quoting(
    reader: Reader, standing: Standing, message: EntryId, after: EntryId, limit: int
) -> list[Message]:
    """What answers a message by quoting it, in order of time."""
    rows = await reader.fetch(QUOTING, standing.account, standing.conversation, message, after, limit)
    return messages_of(rows, with_flags=shows_flags(standing))


async def select_threads(
    reader: Reader, standing: Standing, before: EntryId, limit: int, *, followed: bool
) -> tuple[list[Message], EntryId | None]:
    """Roots of threads that have replies, the newest reply first, and where it goes on; deleted ones as tombstones."""
    statement = FOLLOWED if followed else THREADS
    rows = await reader.fetch(statement, standing.account, standing.conversation, before, limit)
    return messages_of(rows, with_flags=shows_flags(standing)), rows[-1]["place"] if len(rows) == limit else None


async def select_mentioning(reader: Reader, account: AccountId, before: EntryId, limit: int) -> list[Message]:
    """What mentions somebody in the conversations that they are in, newest first, but for people they block."""
    return messages_of(await reader.fetch(MENTIONING, account, before, limit))


async def count_pins(reader: Reader, conversation: ConversationId) -> int:
    """How many pinned messages are there for everybody."""
    count: int = await reader.fetchval(
        """
        SELECT count(*) FROM pins p
          JOIN LATERAL (SELECT 1 FROM messages m WHERE m.conversation_id = p.conversation_id AND m.id = p.message_id
                           AND m.deletion_id IS NULL AND m.erased_at IS NULL
                           AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp()) LIMIT 1) m ON true
         WHERE p.conversation_id = $1
        """,
        conversation,
    )
    return count
