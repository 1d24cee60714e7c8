"""SQL of what a message on its way in refers to: messages it hangs on, people it names, a message that it forwards."""

from collections.abc import Collection

from aparte.server.kit.db import Reader, Tx
from aparte.server.messages.model import Origin, State
from aparte.server.messages.rendering import content_of
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position


async def select_states(
    reader: Reader, conversation: ConversationId, messages: Collection[EntryId]
) -> dict[EntryId, State]:
    """Which of these messages are of this conversation, and how they stand."""
    rows = await reader.fetch(
        """
        SELECT m.id, m.seq, m.target_id IS NOT NULL AS is_reply,
               m.deletion_id IS NOT NULL OR m.erased_at IS NOT NULL
                 OR coalesce(m.expires_at <= clock_timestamp(), false) AS is_gone
          FROM unnest($2::uuid[]) AS u (id)
         CROSS JOIN LATERAL (SELECT x.id, x.seq, x.target_id, x.deletion_id, x.erased_at, x.expires_at FROM messages x
                              WHERE x.conversation_id = $1 AND x.id = u.id LIMIT 1) m
        """,
        conversation,
        list(messages),
    )
    return {row["id"]: State(Position(row["seq"], row["id"]), row["is_reply"], row["is_gone"]) for row in rows}


async def select_named(
    reader: Reader, conversation: ConversationId, names: Collection[str], by: AccountId
) -> dict[str, AccountId]:
    """Which of these names, in small letters, are of members who have not blocked the one that names them."""
    rows = await reader.fetch(
        """
        SELECT u.name, a.account_id
          FROM unnest($2::text[]) AS u (name)
         CROSS JOIN LATERAL (SELECT x.account_id FROM accounts x WHERE lower(x.username) = u.name LIMIT 1) a
          JOIN members m ON m.conversation_id = $1 AND m.account_id = a.account_id AND m.left_at IS NULL
         WHERE NOT EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = a.account_id AND b.blocked_id = $3)
        """,
        conversation,
        list(names),
        by,
    )
    return {row["name"]: row["account_id"] for row in rows}


async def select_origin(
    reader: Reader, conversation: ConversationId, message: EntryId, asker: AccountId
) -> Origin | None:
    """What a readable message says, for somebody who may read it; None if it is hidden from them or not there."""
    row = await reader.fetchrow(
        """
        SELECT m.account_id, coalesce(e.body, m.content) AS content,
               c.is_public AND c.deleted_at IS NULL AS is_public,
               m.deletion_id IS NOT NULL OR m.erased_at IS NOT NULL
                 OR coalesce(m.expires_at <= clock_timestamp(), false) AS is_gone
          FROM messages m
          JOIN conversations c ON c.conversation_id = m.conversation_id
          LEFT JOIN entries e ON e.conversation_id = m.conversation_id AND e.id = m.edit_id
         WHERE m.conversation_id = $1 AND m.id = $2
           AND NOT EXISTS (SELECT 1 FROM hidden_messages y
                            WHERE y.account_id = $3 AND y.conversation_id = m.conversation_id AND y.id = m.id)
        """,
        conversation,
        message,
        asker,
    )
    if row is None:
        return None
    content = None if row["is_gone"] else content_of(row["content"])
    return Origin(content, row["account_id"], row["is_public"], row["is_gone"])


async def select_is_public(reader: Reader, conversation: ConversationId) -> bool:
    """Whether anybody may read a conversation."""
    return bool(
        await reader.fetchval(
            "SELECT is_public FROM conversations WHERE conversation_id = $1 AND deleted_at IS NULL", conversation
        )
    )


async def insert_mentions(
    tx: Tx, conversation: ConversationId, message: EntryId, accounts: Collection[AccountId]
) -> None:
    """Remember whom an edit of a message mentions; whom it mentioned before stays told."""
    await tx.execute(
        """
        INSERT INTO mentions (account_id, conversation_id, id)
        SELECT u.account, $1, $2 FROM unnest($3::uuid[]) AS u (account) ON CONFLICT DO NOTHING
        """,
        conversation,
        message,
        list(accounts),
    )


async def insert_source(tx: Tx, conversation: ConversationId, entry: EntryId, source: str) -> None:
    """Keep what was typed in an edit, where something else is stored."""
    await tx.execute(
        "INSERT INTO message_sources (conversation_id, id, source) VALUES ($1, $2, $3)", conversation, entry, source
    )
