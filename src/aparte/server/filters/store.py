"""SQL of word lists and held messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from aparte.server.filters.model import COUNTED, HeldRow, Verdict
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, HeldId
from aparte.wire.messages import SendMessage
from aparte.wire.moderation import Word

SERVER = UUID(int=0)
"""Stands for the server's own list, where others have a conversation's id."""


async def select_list(reader: Reader, conversation: ConversationId | None) -> list[Word]:
    """Read the word list of a conversation, or the server's own."""
    words = await reader.fetchval("SELECT words FROM word_lists WHERE list_id = $1", conversation or SERVER)
    return _words(words) if words is not None else []


async def upsert_list(tx: Tx, conversation: ConversationId | None, words: Sequence[Word], by: AccountId) -> None:
    """Keep a word list, whole."""
    await tx.execute(
        """
        INSERT INTO word_lists (list_id, conversation_id, words, account_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (list_id) DO UPDATE SET words = excluded.words, account_id = excluded.account_id
        """,
        conversation or SERVER,
        conversation,
        words,
        by,
    )


async def select_lists(reader: Reader, conversation: ConversationId) -> list[tuple[Word, ...]]:
    """Read what is looked for in a conversation that is screened: its own list, then the server's; none elsewhere."""
    rows = await reader.fetch(
        """
        SELECT l.words FROM heads h JOIN word_lists l ON l.list_id IN ($1, $2)
         WHERE h.conversation_id = $1 AND h.is_screened ORDER BY l.conversation_id NULLS LAST
        """,
        conversation,
        SERVER,
    )
    return [tuple(_words(row["words"])) for row in rows]


def _words(stored: Any) -> list[Word]:
    return msgspec.convert(stored, list[Word])


# Messages that wait ---------------------------------------------------------------------------------------------------


async def insert_held(tx: Tx, row: HeldRow) -> HeldRow:
    """Keep a message that waits; gives it with its id."""
    stored = await tx.fetchrow(
        """
        INSERT INTO held_messages (held_id, conversation_id, account_id, device_id, client_message_id, digest, message,
                                   words, created_at)
        SELECT id_now(t.now), $1, $2, $3, $4, $5, $6, $7, t.now FROM (SELECT clock_timestamp() AS now) t
        RETURNING *
        """,
        row.conversation,
        row.account,
        row.device,
        row.client_message_id,
        row.digest,
        row.message,
        list(row.words),
    )
    assert stored is not None  # noqa: S101 - what was inserted is returned
    return held_row(stored)


async def select_repeat(
    reader: Reader, conversation: ConversationId, device: DeviceId, client_message_id: ClientMessageId
) -> HeldRow | None:
    """What was held under a client id before."""
    row = await reader.fetchrow(
        """
        SELECT * FROM held_messages WHERE conversation_id = $1 AND device_id = $2 AND client_message_id = $3
        """,
        conversation,
        device,
        client_message_id,
    )
    return held_row(row) if row is not None else None


async def select_held(
    reader: Reader, conversation: ConversationId, account: AccountId | None, after: HeldId, limit: int
) -> list[HeldRow]:
    """What waits, or was rejected, of one person or of everybody, the oldest first."""
    rows = await reader.fetch(
        """
        SELECT * FROM held_messages
         WHERE conversation_id = $1 AND ($2::uuid IS NULL OR account_id = $2) AND held_id > $3 AND message IS NOT NULL
         ORDER BY held_id LIMIT $4
        """,
        conversation,
        account,
        after,
        limit,
    )
    return [held_row(row) for row in rows]


async def lock_held(tx: Tx, conversation: ConversationId, held: HeldId) -> HeldRow | None:
    """Lock one."""
    row = await tx.fetchrow(
        "SELECT * FROM held_messages WHERE conversation_id = $1 AND held_id = $2 FOR UPDATE", conversation, held
    )
    return held_row(row) if row is not None else None


async def count_pending(reader: Reader, conversation: ConversationId, account: AccountId | None = None) -> int:
    """Count what waits in a conversation, of one person or of everybody, as far as is counted."""
    count: int = await reader.fetchval(
        """
        SELECT count(*) FROM (
          SELECT 1 FROM held_messages
           WHERE conversation_id = $1 AND status = 'pending' AND ($2::uuid IS NULL OR account_id = $2) LIMIT $3) AS x
        """,
        conversation,
        account,
        COUNTED,
    )
    return count


async def update_verdict(tx: Tx, held: HeldId, verdict: Verdict) -> HeldRow:
    """Write down what is decided; what its author takes back is not kept."""
    row = await tx.fetchrow(
        """
        UPDATE held_messages
           SET status = $2::held_status, decided_by = $3, decided_at = clock_timestamp(), reason = $4,
               message = CASE WHEN $5 THEN NULL ELSE message END
         WHERE held_id = $1 RETURNING *
        """,
        held,
        verdict.status,
        verdict.by,
        verdict.reason,
        verdict.status == "withdrawn",
    )
    assert row is not None  # noqa: S101 - the caller has locked it
    return held_row(row)


async def update_sent(tx: Tx, held: HeldId, entry: EntryId) -> HeldRow:
    """Name the message that it has become; its words stand there."""
    row = await tx.fetchrow(
        "UPDATE held_messages SET sent_id = $2, message = NULL WHERE held_id = $1 RETURNING *", held, entry
    )
    assert row is not None  # noqa: S101 - the caller has locked it
    return held_row(row)


async def select_unsent(reader: Reader, seconds: float, limit: int) -> list[HeldRow]:
    """What was approved so many seconds ago and is not sent yet, the oldest first."""
    rows = await reader.fetch(
        """
        SELECT * FROM held_messages
         WHERE status = 'approved' AND sent_id IS NULL AND decided_at <= clock_timestamp() - make_interval(secs => $1)
         ORDER BY decided_at LIMIT $2
        """,
        seconds,
        limit,
    )
    return [held_row(row) for row in rows]


async def delete_over(tx: Tx, before: datetime, limit: int) -> list[HeldRow]:
    """Forget what was decided before a moment, but for what is being sent."""
    rows = await tx.fetch(
        """
        DELETE FROM held_messages WHERE held_id = ANY (ARRAY(
          SELECT held_id FROM held_messages
           WHERE decided_at < $1 AND (status <> 'approved' OR sent_id IS NOT NULL)
           ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING *
        """,
        before,
        limit,
    )
    return [held_row(row) for row in rows]


async def delete_closed(tx: Tx, limit: int) -> list[HeldRow]:
    """Forget what was said in conversations that are deleted: nobody can decide it."""
    rows = await tx.fetch(
        """
        DELETE FROM held_messages WHERE held_id = ANY (ARRAY(
          SELECT m.held_id FROM held_messages m JOIN heads h USING (conversation_id)
           WHERE m.status = 'pending' AND h.closed = 2 LIMIT $1 FOR UPDATE OF m SKIP LOCKED))
        RETURNING *
        """,
        limit,
    )
    return [held_row(row) for row in rows]


async def select_moderators(reader: Reader, conversation: ConversationId, limit: int) -> list[AccountId]:
    """Name members who may manage messages, those of the highest base role first."""
    rows = await reader.fetch(
        """
        SELECT m.account_id FROM members m JOIN accounts a USING (account_id)
          LEFT JOIN conversation_roles r ON r.conversation_id = m.conversation_id AND r.role_id = m.role_id
         WHERE m.conversation_id = $1 AND m.left_at IS NULL AND a.role <> 'guest'
           AND (m.role = 'owner' OR coalesce((m.overrides ->> 'manage_messages')::boolean,
                                             (r.permissions ->> 'manage_messages')::boolean, m.role <> 'member'))
         ORDER BY m.role, m.account_id LIMIT $2
        """,
        conversation,
        limit,
    )
    return [row["account_id"] for row in rows]


def held_row(row: Row) -> HeldRow:
    """Read a row."""
    message = row["message"]
    return HeldRow(
        row["held_id"],
        row["conversation_id"],
        row["account_id"],
        row["device_id"],
        row["client_message_id"],
        row["digest"],
        row["status"],
        row["created_at"],
        tuple(row["words"]),
        msgspec.convert(message, SendMessage) if message is not None else None,
        row["decided_by"],
        row["decided_at"],
        row["reason"],
        row["sent_id"],
    )
