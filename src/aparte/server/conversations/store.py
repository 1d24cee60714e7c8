"""SQL of conversations and members."""

from collections.abc import Sequence

from aparte.server.conversations.model import MemberRow, RoomRow, Standing
from aparte.server.conversations.rights import beside_policy, denied, effective, place_of
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.content import ConversationKind, Role
from aparte.wire.ids import AccountId, ConversationId, Position


async def insert_private(
    tx: Tx, conversation: ConversationId, kind: ConversationKind, creator: AccountId, member_count: int
) -> None:
    """Create an end-to-end encrypted conversation of so many members; it has no name."""
    await tx.execute(
        """
        INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, creator_id, member_count,
                                   max_members)
        VALUES ($1, $2, 'e2ee', false, $3, $4, $4)
        """,
        conversation,
        kind,
        creator,
        member_count,
    )


async def select_encrypted_ids(reader: Reader, account: AccountId) -> list[ConversationId]:
    """Every end-to-end encrypted conversation an account is in."""
    rows = await reader.fetch(
        """
        SELECT m.conversation_id FROM members m JOIN conversations c USING (conversation_id)
         WHERE m.account_id = $1 AND m.left_at IS NULL AND c.encryption_mode = 'e2ee' AND c.deleted_at IS NULL
        """,
        account,
    )
    return [row["conversation_id"] for row in rows]


async def select_member_ids(
    reader: Reader, conversations: Sequence[ConversationId]
) -> dict[ConversationId, list[AccountId]]:
    """Who is in each of these conversations."""
    rows = await reader.fetch(
        """
        SELECT conversation_id, array_agg(account_id) AS accounts FROM members
         WHERE conversation_id = ANY ($1::uuid[]) AND left_at IS NULL GROUP BY conversation_id
        """,
        conversations,
    )
    return {row["conversation_id"]: row["accounts"] for row in rows}


async def select_standing(reader: Reader, conversation: ConversationId, account: AccountId) -> Standing | None:
    """Load a conversation through the membership of the asker; None for absent and not theirs alike."""
    row = await reader.fetchrow(
        """
        SELECT c.kind, c.encryption_mode, c.is_public, c.is_archived, c.member_count, m.role,
               m.overrides, r.permissions AS custom, s.policy,
               c.metadata -> 'allow_bots' AS allow_bots, a.kind AS account_kind, a.role AS platform_role,
               CASE WHEN m.silenced_until > clock_timestamp() THEN m.silenced_until END AS silenced_until,
               m.silence_reason, h.last_seq, h.last_id, h.floor_seq, h.floor_id
          FROM members m
          JOIN conversations c USING (conversation_id)
          JOIN heads h USING (conversation_id)
          JOIN accounts a USING (account_id)
          LEFT JOIN conversation_roles r ON r.conversation_id = m.conversation_id AND r.role_id = m.role_id
          LEFT JOIN memberships s ON s.conversation_id = m.conversation_id
         WHERE m.conversation_id = $1 AND m.account_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL
        """,
        conversation,
        account,
    )
    if row is None:
        return None
    place = place_of(row)
    return Standing(
        conversation,
        row["kind"],
        row["encryption_mode"],
        row["is_public"],
        account,
        row["role"],
        row["member_count"],
        Position(row["last_seq"], row["last_id"]),
        Position(row["floor_seq"], row["floor_id"]),
        effective(beside_policy(place)),
        row["silenced_until"],
        row["silence_reason"] or "",
        row["is_archived"],
        denied(place),
    )


async def select_room(reader: Reader, conversation: ConversationId) -> RoomRow | None:
    """What joining needs to know."""
    row = await reader.fetchrow(
        """
        SELECT conversation_id, kind, is_public, member_count, max_members FROM conversations
         WHERE conversation_id = $1 AND deleted_at IS NULL
        """,
        conversation,
    )
    return (
        RoomRow(row["conversation_id"], row["kind"], row["is_public"], row["member_count"], row["max_members"])
        if row
        else None
    )


async def select_member(reader: Reader, conversation: ConversationId, account: AccountId) -> MemberRow | None:
    """A membership, current or past."""
    row = await reader.fetchrow(
        """
        SELECT account_id, role, joined_seq, joined_id, joined_at, left_at IS NULL AS is_current
          FROM members WHERE conversation_id = $1 AND account_id = $2
        """,
        conversation,
        account,
    )
    return member_row(row) if row else None


async def select_successors(reader: Reader, conversation: ConversationId) -> list[MemberRow]:
    """The members who come into question as the next owner: the first of each role."""
    rows = await reader.fetch(
        """
        SELECT DISTINCT ON (role) account_id, role, joined_seq, joined_id, joined_at, true AS is_current
          FROM members WHERE conversation_id = $1 AND left_at IS NULL AND role <> 'owner'
         ORDER BY role, joined_at, account_id
        """,
        conversation,
    )
    return [member_row(row) for row in rows]


def member_row(row: Row) -> MemberRow:
    """Build a MemberRow."""
    return MemberRow(
        row["account_id"],
        row["role"],
        Position(row["joined_seq"], row["joined_id"]),
        row["joined_at"],
        row["is_current"],
    )


async def upsert_member(
    tx: Tx,
    conversation: ConversationId,
    account: AccountId,
    role: Role,
    at: Position,
    ordinal: int,
) -> None:
    """Let somebody in at a position, with everything before it read; one who comes back keeps the row."""
    await tx.execute(
        """
        INSERT INTO members (conversation_id, account_id, role, joined_seq, joined_id, read_seq, read_id, read_ordinal)
        VALUES ($1, $2, $3, $4, $5, $4, $5, $6)
        ON CONFLICT (conversation_id, account_id) DO UPDATE
           SET role = excluded.role, joined_seq = excluded.joined_seq, joined_id = excluded.joined_id,
               joined_at = clock_timestamp(), left_seq = NULL, left_id = NULL, left_at = NULL,
               read_seq = excluded.read_seq, read_id = excluded.read_id, read_ordinal = excluded.read_ordinal,
               invited_by = NULL
        """,
        conversation,
        account,
        role,
        at.seq,
        at.id,
        ordinal,
    )


async def update_left(tx: Tx, conversation: ConversationId, account: AccountId, at: Position) -> None:
    """End a membership at a position; the row stays."""
    await tx.execute(
        """
        UPDATE members SET left_seq = $3, left_id = $4, left_at = clock_timestamp(), role = 'member', role_id = NULL,
                           nickname = NULL
         WHERE conversation_id = $1 AND account_id = $2
        """,
        conversation,
        account,
        at.seq,
        at.id,
    )


async def update_role(tx: Tx, conversation: ConversationId, account: AccountId, role: Role) -> None:
    """Change a base role."""
    await tx.execute(
        "UPDATE members SET role = $3 WHERE conversation_id = $1 AND account_id = $2", conversation, account, role
    )


async def update_member_count(tx: Tx, conversation: ConversationId, change: int) -> None:
    """Count current members; the head's lock is held."""
    await tx.execute(
        "UPDATE conversations SET member_count = member_count + $2 WHERE conversation_id = $1", conversation, change
    )


async def select_conversation_ids(reader: Reader, account: AccountId) -> list[ConversationId]:
    """Every conversation an account is in."""
    rows = await reader.fetch("SELECT conversation_id FROM members WHERE account_id = $1 AND left_at IS NULL", account)
    return [row["conversation_id"] for row in rows]


async def select_owned(reader: Reader, account: AccountId) -> list[ConversationId]:
    """Every conversation that an account owns and the server can read."""
    rows = await reader.fetch(
        """
        SELECT m.conversation_id FROM members m JOIN conversations c USING (conversation_id)
         WHERE m.account_id = $1 AND m.left_at IS NULL AND m.role = 'owner' AND c.encryption_mode = 'server'
           AND c.deleted_at IS NULL ORDER BY m.conversation_id
        """,
        account,
    )
    return [row["conversation_id"] for row in rows]


async def update_read_mark(
    tx: Tx, conversation: ConversationId, account: AccountId, mark: Position, ordinal: int
) -> bool:
    """Move a read mark forward, never back; tells whether it moved."""
    return bool(
        await tx.execute(
            """
            UPDATE members SET read_seq = $3, read_id = $4, read_ordinal = $5
             WHERE conversation_id = $1 AND account_id = $2 AND left_at IS NULL AND read_seq < $3
            """,
            conversation,
            account,
            mark.seq,
            mark.id,
            ordinal,
        )
    )
