"""SQL of members beside their base role: custom role, overrides, silences, nicknames, who invited them; their list."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import structs

from aparte.server.conversations.model import Kept, Seat, WantedMembers
from aparte.server.conversations.rights import effective, place_of
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.accounts import Person
from aparte.wire.content import Permissions
from aparte.wire.conversations import Member, SilenceShown
from aparte.wire.ids import AccountId, ConversationId, Position, RoleId

BEFORE_ALL = AccountId(UUID(int=0))
"""Below every account: a page from the beginning is asked for as any other, and planned so."""


async def select_seats(
    reader: Reader,
    conversation: ConversationId,
    accounts: Sequence[AccountId] | None = None,
    role_id: RoleId | None = None,
) -> list[Seat]:
    """What is said of current members: of these alone, of those with this custom role, or of all."""
    rows = await reader.fetch(
        """
        SELECT m.account_id, m.role_id, m.nickname, m.cannot_post, c.kind, c.encryption_mode, m.role, m.overrides,
               r.permissions AS custom, s.policy, c.metadata -> 'allow_bots' AS allow_bots, a.kind AS account_kind,
               a.role AS platform_role
          FROM members m
          JOIN conversations c USING (conversation_id)
          JOIN accounts a USING (account_id)
          LEFT JOIN conversation_roles r ON r.conversation_id = m.conversation_id AND r.role_id = m.role_id
          LEFT JOIN memberships s ON s.conversation_id = m.conversation_id
         WHERE m.conversation_id = $1 AND m.left_at IS NULL
           AND ($2::uuid[] IS NULL OR m.account_id = ANY ($2)) AND ($3::uuid IS NULL OR m.role_id = $3)
        """,
        conversation,
        accounts,
        role_id,
    )
    return [Seat(row["account_id"], place_of(row), row["role_id"], row["nickname"], row["cannot_post"]) for row in rows]


async def update_cannot_post(tx: Tx, conversation: ConversationId, said: Mapping[AccountId, bool]) -> None:
    """Keep beside these members whether they may post."""
    await tx.execute(
        """
        UPDATE members m SET cannot_post = s.cannot_post
          FROM unnest($2::uuid[], $3::boolean[]) AS s (account_id, cannot_post)
         WHERE m.conversation_id = $1 AND m.account_id = s.account_id
        """,
        conversation,
        list(said),
        list(said.values()),
    )


async def update_rights(
    tx: Tx, conversation: ConversationId, account: AccountId, role_id: RoleId | None, overrides: Permissions
) -> None:
    """Give a member a custom role, or none, and overrides."""
    await tx.execute(
        "UPDATE members SET role_id = $3, overrides = $4 WHERE conversation_id = $1 AND account_id = $2",
        conversation,
        account,
        role_id,
        overrides,
    )


async def update_kept(tx: Tx, conversation: ConversationId, accounts: Sequence[AccountId]) -> list[Kept]:
    """Give newcomers the default role; of what was said of them before only what is against them stays, and tell it.

    Otherwise leaving and coming back would end a silence.
    """
    rows = await tx.fetch(
        """
        UPDATE members m
           SET role_id = CASE WHEN m.role <> 'owner' THEN d.role_id END,
               overrides = (SELECT coalesce(jsonb_object_agg(o.key, o.value), '{}') FROM jsonb_each(m.overrides) o
                             WHERE o.value = 'false'),
               silenced_until = CASE WHEN m.silenced_until > clock_timestamp() THEN m.silenced_until END,
               silenced_by = CASE WHEN m.silenced_until > clock_timestamp() THEN m.silenced_by END,
               silence_reason = CASE WHEN m.silenced_until > clock_timestamp() THEN m.silence_reason END,
               nickname = NULL
          FROM (SELECT 1) AS one LEFT JOIN conversation_roles d ON d.conversation_id = $1 AND d.is_default
         WHERE m.conversation_id = $1 AND m.account_id = ANY ($2::uuid[])
        RETURNING m.account_id, m.role_id, m.overrides, m.silenced_until
        """,
        conversation,
        accounts,
    )
    return sorted(
        (Kept(row["account_id"], row["role_id"], row["overrides"], row["silenced_until"]) for row in rows),
        key=lambda kept: kept.account,
    )


async def update_invited_by(tx: Tx, conversation: ConversationId, account: AccountId, by: AccountId) -> None:
    """Keep who invited a member."""
    await tx.execute(
        "UPDATE members SET invited_by = $3 WHERE conversation_id = $1 AND account_id = $2", conversation, account, by
    )


async def update_owner(tx: Tx, conversation: ConversationId) -> Kept | None:
    """Take from the owner whatever was said against them before they were it; tells what it was, if there was any."""
    row = await tx.fetchrow(
        """
        UPDATE members m SET overrides = '{}', silenced_until = NULL, silenced_by = NULL, silence_reason = NULL
          FROM members b
         WHERE m.conversation_id = $1 AND m.role = 'owner' AND m.left_at IS NULL
           AND (m.overrides <> '{}' OR m.silenced_until IS NOT NULL)
           AND b.conversation_id = m.conversation_id AND b.account_id = m.account_id
        RETURNING m.account_id, m.role_id, b.overrides, b.silenced_until
        """,
        conversation,
    )
    return Kept(row["account_id"], row["role_id"], row["overrides"], row["silenced_until"]) if row else None


# Silences and nicknames -----------------------------------------------------------------------------------------------


async def update_silence(
    tx: Tx, conversation: ConversationId, account: AccountId, until: datetime, by: AccountId, reason: str
) -> None:
    """Silence a member until a moment."""
    await tx.execute(
        """
        UPDATE members SET silenced_until = $3, silenced_by = $4, silence_reason = $5
         WHERE conversation_id = $1 AND account_id = $2
        """,
        conversation,
        account,
        until,
        by,
        reason,
    )


async def update_silence_lifted(tx: Tx, conversation: ConversationId, account: AccountId) -> bool:
    """Let a member speak again; tells whether they were silenced."""
    return bool(
        await tx.execute(
            """
            UPDATE members SET silenced_until = NULL, silenced_by = NULL, silence_reason = NULL
             WHERE conversation_id = $1 AND account_id = $2 AND silenced_until IS NOT NULL
            """,
            conversation,
            account,
        )
    )


async def select_silences(reader: Reader, conversation: ConversationId) -> list[SilenceShown]:
    """Who is silenced at this moment, in order of their ids."""
    rows = await reader.fetch(
        """
        SELECT account_id, silenced_by, silenced_until, silence_reason FROM members
         WHERE conversation_id = $1 AND left_at IS NULL AND silenced_until > clock_timestamp() ORDER BY account_id
        """,
        conversation,
    )
    return [
        SilenceShown(row["account_id"], row["silenced_by"], row["silenced_until"], row["silence_reason"])
        for row in rows
    ]


async def update_nickname(tx: Tx, conversation: ConversationId, account: AccountId, nickname: str | None) -> None:
    """Call a member by another name here."""
    await tx.execute(
        "UPDATE members SET nickname = $3 WHERE conversation_id = $1 AND account_id = $2",
        conversation,
        account,
        nickname,
    )


# Their list -----------------------------------------------------------------------------------------------------------


async def select_members(reader: Reader, conversation: ConversationId, wanted: WantedMembers) -> list[Member]:
    """Current members in order of their ids, or those of one base role; one more than wanted, if there are more."""
    rows = await reader.fetch(
        """
        SELECT m.account_id, m.joined_seq, m.joined_id, m.joined_at, m.role_id, m.nickname, m.silenced_until,
               m.invited_by, m.message_count, a.username, a.display_name, a.avatar_url,
               c.kind, c.encryption_mode, m.role, m.overrides, r.permissions AS custom, s.policy,
               c.metadata -> 'allow_bots' AS allow_bots, a.kind AS account_kind, a.role AS platform_role
          FROM (SELECT x.* FROM members x
                 WHERE x.conversation_id = $1 AND x.left_at IS NULL AND ($2::base_role IS NULL OR x.role = $2)
                   AND x.account_id > $3 ORDER BY x.account_id LIMIT $4) m
          JOIN conversations c USING (conversation_id)
          JOIN accounts a USING (account_id)
          LEFT JOIN conversation_roles r ON r.conversation_id = m.conversation_id AND r.role_id = m.role_id
          LEFT JOIN memberships s ON s.conversation_id = m.conversation_id
         ORDER BY m.account_id
        """,
        conversation,
        wanted.role,
        wanted.after or BEFORE_ALL,
        wanted.limit + 1,
    )
    return [member_of(row) for row in rows]


def without_profile(member: Member) -> Member:
    """Show no more of a member than what the room must call them."""
    person = member.person
    return structs.replace(member, person=Person(person.id, person.kind, person.username, person.display_name))


def member_of(row: Row) -> Member:
    """Render a member for the others."""
    rights = effective(place_of(row))
    return Member(
        person=Person(row["account_id"], row["account_kind"], row["username"], row["display_name"], row["avatar_url"]),
        role=row["role"],
        joined=Position(row["joined_seq"], row["joined_id"]),
        joined_at=row["joined_at"],
        role_id=row["role_id"],
        permissions=msgspec.convert(row["overrides"], Permissions),
        can_invite="invite" in rights,
        can_manage_messages="manage_messages" in rights,
        can_manage_members="manage_members" in rights,
        nickname=row["nickname"],
        silenced_until=row["silenced_until"],
        invited_by=row["invited_by"],
        message_count=row["message_count"],
    )
