"""SQL of what people are shown: their conversations, the directory, the members of a conversation."""

from aparte.server.kit.db import Reader, Row
from aparte.wire.accounts import Person
from aparte.wire.conversations import Conversation, DirectoryRow, Member, Membership
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position


async def select_conversations(
    reader: Reader,
    account: AccountId,
    *,
    only: ConversationId | None = None,
    before: EntryId | None = None,
    limit: int = 1,
) -> list[Conversation]:
    """The caller's conversations, newest activity first, with unread counts; one statement for all of them."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id, c.kind, c.encryption_mode, c.is_public, c.name, c.topic, c.description,
               c.member_count, c.max_members, c.created_at, c.updated_at,
               h.epoch, h.last_seq, h.last_id, h.floor_seq, h.floor_id, h.message_count, h.last_message_at,
               m.role, m.joined_seq, m.joined_id, m.joined_at, m.read_seq, m.read_id,
               o.account_id AS owner_id, p.account_id AS peer_id,
               greatest(0, h.last_ordinal - m.read_ordinal
                 - (SELECT count(*) FROM messages x WHERE x.conversation_id = m.conversation_id
                       AND x.ordinal > m.read_ordinal AND x.deletion_id IS NOT NULL)
                 - (SELECT count(*) FROM hidden_messages y
                     WHERE y.account_id = m.account_id AND y.conversation_id = m.conversation_id
                       AND y.ordinal > m.read_ordinal
                       AND NOT EXISTS (SELECT 1 FROM messages z WHERE z.conversation_id = y.conversation_id
                                          AND z.id = y.id AND z.deletion_id IS NOT NULL))) AS unread
          FROM members m
          JOIN conversations c USING (conversation_id)
          JOIN heads h USING (conversation_id)
          LEFT JOIN members o ON o.conversation_id = m.conversation_id AND o.role = 'owner' AND o.left_at IS NULL
          LEFT JOIN members p ON c.kind = 'direct' AND p.conversation_id = m.conversation_id
                             AND p.account_id <> m.account_id
         WHERE m.account_id = $1 AND m.left_at IS NULL AND c.deleted_at IS NULL
           AND ($2::uuid IS NULL OR m.conversation_id = $2) AND ($3::uuid IS NULL OR h.last_id < $3)
         ORDER BY h.last_id DESC LIMIT $4
        """,
        account,
        only,
        before,
        limit,
    )
    return [conversation_of(row) for row in rows]


def conversation_of(row: Row) -> Conversation:
    """Render a conversation for its member."""
    return Conversation(
        id=row["conversation_id"],
        kind=row["kind"],
        encryption_mode=row["encryption_mode"],
        is_public=row["is_public"],
        name=row["name"] or "",
        topic=row["topic"],
        description=row["description"],
        owner=row["owner_id"],
        member_count=row["member_count"],
        message_count=row["message_count"],
        max_members=row["max_members"],
        epoch=row["epoch"],
        head=Position(row["last_seq"], row["last_id"]),
        floor=Position(row["floor_seq"], row["floor_id"]),
        last_message_at=row["last_message_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        membership=Membership(
            role=row["role"],
            joined=Position(row["joined_seq"], row["joined_id"]),
            joined_at=row["joined_at"],
            read=Position(row["read_seq"], row["read_id"]),
            unread=row["unread"],
        ),
        peer=row["peer_id"],
    )


async def select_directory(
    reader: Reader, account: AccountId, *, key: str | None, pattern: str | None, after: str, limit: int
) -> list[tuple[str, DirectoryRow]]:
    """Public rooms by name: exactly `key`, or containing `pattern` (LIKE, escaped), each with its key for paging."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id, c.kind, c.name, c.name_key, c.topic, c.description, c.member_count,
               EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = c.conversation_id AND m.account_id = $1
                          AND m.left_at IS NULL) AS is_member
          FROM conversations c
         WHERE c.is_public AND c.deleted_at IS NULL AND ($2::text IS NULL OR c.name_key = $2)
           AND ($3::text IS NULL OR c.name_key LIKE $3) AND c.name_key > $4
         ORDER BY c.name_key LIMIT $5
        """,
        account,
        key,
        pattern,
        after,
        limit,
    )
    return [
        (
            row["name_key"],
            DirectoryRow(
                row["conversation_id"],
                row["kind"],
                row["name"],
                row["topic"],
                row["description"],
                row["member_count"],
                row["is_member"],
            ),
        )
        for row in rows
    ]


async def select_members(
    reader: Reader, conversation: ConversationId, after: AccountId | None, limit: int
) -> list[Member]:
    """Current members in order of their ids."""
    rows = await reader.fetch(
        """
        SELECT m.account_id, m.role, m.joined_seq, m.joined_id, m.joined_at, a.kind, a.username, a.display_name,
               a.avatar_url
          FROM members m JOIN accounts a USING (account_id)
         WHERE m.conversation_id = $1 AND m.left_at IS NULL AND ($2::uuid IS NULL OR m.account_id > $2)
         ORDER BY m.account_id LIMIT $3
        """,
        conversation,
        after,
        limit,
    )
    return [
        Member(
            person=Person(row["account_id"], row["kind"], row["username"], row["display_name"], row["avatar_url"]),
            role=row["role"],
            joined=Position(row["joined_seq"], row["joined_id"]),
            joined_at=row["joined_at"],
        )
        for row in rows
    ]
