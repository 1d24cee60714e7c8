"""SQL of threads: how many replies there are, and who follows. Sending counts up (`send_v4`); the rest stands here."""

from aparte.server.kit.db import Reader, Tx
from aparte.wire.ids import AccountId, ConversationId, EntryId


async def update_count(tx: Tx, conversation: ConversationId, reply: EntryId, change: int) -> None:
    """Count a message off its thread, if it belongs to one, or on again; name the newest reply that is there."""
    await tx.execute(
        """
        UPDATE threads t
           SET reply_count = t.reply_count + $3,
               last_id = coalesce(
                 (SELECT l.id FROM message_links l
                    JOIN LATERAL (SELECT 1 FROM messages x WHERE x.conversation_id = l.conversation_id AND x.id = l.id
                                     AND x.deletion_id IS NULL AND x.erased_at IS NULL
                                     AND (x.expires_at IS NULL OR x.expires_at > clock_timestamp()) LIMIT 1) x ON true
                   WHERE l.conversation_id = t.conversation_id AND l.target_id = t.root_id AND l.link = 1
                   ORDER BY l.id DESC LIMIT 1), t.last_id)
          FROM messages m
         WHERE m.conversation_id = $1 AND m.id = $2 AND t.conversation_id = $1 AND t.root_id = m.target_id
        """,
        conversation,
        reply,
        change,
    )


async def upsert_follow(
    tx: Tx, account: AccountId, conversation: ConversationId, root: EntryId, *, is_following: bool
) -> bool:
    """Follow a thread, or no longer; False where it was so already."""
    return bool(
        await tx.execute(
            """
            INSERT INTO thread_follows AS f (account_id, conversation_id, root_id, is_following) VALUES ($1, $2, $3, $4)
            ON CONFLICT (account_id, conversation_id, root_id) DO UPDATE
               SET is_following = excluded.is_following WHERE f.is_following <> excluded.is_following
            """,
            account,
            conversation,
            root,
            is_following,
        )
    )


async def select_busy(reader: Reader, after: ConversationId) -> ConversationId | None:
    """The next conversation that has threads or reactions, in order of ids."""
    found: ConversationId | None = await reader.fetchval(
        """
        SELECT least((SELECT conversation_id FROM threads WHERE conversation_id > $1 ORDER BY 1 LIMIT 1),
                     (SELECT conversation_id FROM reactions WHERE conversation_id > $1 ORDER BY 1 LIMIT 1))
        """,
        after,
    )
    return found


async def update_wrong(tx: Tx, conversation: ConversationId) -> int:
    """Count the replies of every thread of a conversation anew, and correct what is wrong; tells how many were.

    One that is past its end is counted off by who erases it, and so until then counted here.
    """
    return await tx.execute(
        """
        UPDATE threads t SET reply_count = c.n
          FROM (SELECT y.root_id, (SELECT count(*) FROM message_links l
                                     JOIN messages x ON x.conversation_id = l.conversation_id AND x.id = l.id
                                    WHERE l.conversation_id = y.conversation_id AND l.target_id = y.root_id
                                      AND l.link = 1 AND x.deletion_id IS NULL AND x.erased_at IS NULL) AS n
                  FROM threads y WHERE y.conversation_id = $1) c
         WHERE t.conversation_id = $1 AND t.root_id = c.root_id AND t.reply_count <> c.n
        """,
        conversation,
    )
