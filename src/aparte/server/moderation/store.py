"""SQL of flags, and of who the author of a message is by now."""

from aparte.server.kit.db import Reader, Tx
from aparte.server.moderation.model import NOTES, Author, FlagsOf
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.moderation import Flag


async def select_author(reader: Reader, account: AccountId) -> Author | None:
    """Tell an account's role, and whether it is in use."""
    row = await reader.fetchrow(
        """
        SELECT role, is_active AND NOT is_suspended AND deleted_at IS NULL AS is_open FROM accounts
         WHERE account_id = $1
        """,
        account,
    )
    return Author(row["role"], row["is_open"]) if row else None


async def upsert_flag(tx: Tx, conversation: ConversationId, message: EntryId, account: AccountId, flag: Flag) -> None:
    """Keep a flag; one that is open already says from now on what this one does."""
    await tx.execute(
        """
        INSERT INTO flags (conversation_id, message_id, account_id, reason, note)
        VALUES ($1, $2, $3, $4::flag_reason, $5)
        ON CONFLICT (conversation_id, message_id, account_id) WHERE is_open
           DO UPDATE SET reason = excluded.reason, note = excluded.note
        """,
        conversation,
        message,
        account,
        flag.reason,
        flag.note,
    )


async def delete_flag(tx: Tx, conversation: ConversationId, message: EntryId, account: AccountId) -> None:
    """Take an open flag back."""
    await tx.execute(
        "DELETE FROM flags WHERE conversation_id = $1 AND message_id = $2 AND account_id = $3 AND is_open",
        conversation,
        message,
        account,
    )


async def select_flagged(reader: Reader, conversation: ConversationId, before: EntryId, limit: int) -> list[FlagsOf]:
    """Open flags by message, the newest message first."""
    rows = await reader.fetch(
        """
        SELECT p.message_id, r.reasons, n.notes
          FROM (SELECT DISTINCT message_id FROM flags
                 WHERE conversation_id = $1 AND message_id < $2 AND is_open
                 ORDER BY message_id DESC LIMIT $3) p
         CROSS JOIN LATERAL (
           SELECT jsonb_object_agg(c.reason, c.n) AS reasons
             FROM (SELECT f.reason, count(*) AS n FROM flags f
                    WHERE f.conversation_id = $1 AND f.message_id = p.message_id AND f.is_open GROUP BY f.reason) c) r
         CROSS JOIN LATERAL (
           SELECT ARRAY(SELECT f.note FROM flags f
                         WHERE f.conversation_id = $1 AND f.message_id = p.message_id AND f.is_open AND f.note <> ''
                         ORDER BY f.created_at DESC, f.flag_id LIMIT $4) AS notes) n
         ORDER BY p.message_id DESC
        """,
        conversation,
        before,
        limit,
        NOTES,
    )
    return [FlagsOf(row["message_id"], row["reasons"], tuple(row["notes"])) for row in rows]
