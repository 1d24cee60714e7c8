"""SQL of preferences."""

from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.conversations import Preferences
from aparte.wire.ids import AccountId, ConversationId


async def select_preferences(reader: Reader, account: AccountId, conversation: ConversationId) -> Preferences:
    """Read what somebody has set; the defaults where that is nothing."""
    return preferences_of(
        await reader.fetchrow(
            """
            SELECT level, muted_until, is_pinned, is_archived, is_marked_unread, labels, settings
              FROM preferences WHERE account_id = $1 AND conversation_id = $2
            """,
            account,
            conversation,
        )
    )


async def lock_preferences(tx: Tx, account: AccountId, conversation: ConversationId) -> Preferences:
    """Read what somebody has set, and let nobody else change it meanwhile."""
    return preferences_of(
        await tx.fetchrow(
            """
            SELECT level, muted_until, is_pinned, is_archived, is_marked_unread, labels, settings
              FROM preferences WHERE account_id = $1 AND conversation_id = $2 FOR NO KEY UPDATE
            """,
            account,
            conversation,
        )
    )


async def upsert_preferences(tx: Tx, account: AccountId, conversation: ConversationId, new: Preferences) -> None:
    """Write what somebody sets."""
    await tx.execute(
        """
        INSERT INTO preferences (account_id, conversation_id, level, muted_until, is_pinned, is_archived,
                                 is_marked_unread, labels, settings)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (account_id, conversation_id) DO UPDATE
           SET level = excluded.level, muted_until = excluded.muted_until, is_pinned = excluded.is_pinned,
               is_archived = excluded.is_archived, is_marked_unread = excluded.is_marked_unread,
               labels = excluded.labels, settings = excluded.settings
        """,
        account,
        conversation,
        new.level,
        new.muted_until,
        new.is_pinned,
        new.is_archived,
        new.is_marked_unread,
        new.labels,
        new.settings,
    )


async def update_seen(tx: Tx, account: AccountId, conversation: ConversationId) -> Preferences | None:
    """Take the mark of something unread away; None where there is none."""
    row = await tx.fetchrow(
        """
        UPDATE preferences SET is_marked_unread = false
         WHERE account_id = $1 AND conversation_id = $2 AND is_marked_unread
        RETURNING level, muted_until, is_pinned, is_archived, is_marked_unread, labels, settings
        """,
        account,
        conversation,
    )
    return preferences_of(row) if row else None


def preferences_of(row: Row | None) -> Preferences:
    """Build Preferences; the defaults of no row."""
    if row is None:
        return Preferences()
    return Preferences(
        row["level"],
        row["muted_until"],
        row["is_pinned"],
        row["is_archived"],
        row["is_marked_unread"],
        row["labels"],
        row["settings"],
    )
