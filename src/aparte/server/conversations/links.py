"""SQL of who may come in beside those who are added: invite links, and who is banned."""

import hmac
from collections.abc import Mapping, Sequence

import asyncpg

from aparte.e2ee.members import Link
from aparte.server.conversations.model import LinkRow
from aparte.server.conversations.rules import ROLES
from aparte.server.kit.db import Reader, Tx
from aparte.wire.errors import Refusal
from aparte.wire.groups import Ban
from aparte.wire.ids import FIRST_ID, AccountId, ConversationId


async def upsert_link(
    tx: Tx, conversation: ConversationId, link_id: bytes, link: Link, by: AccountId, token_hash: bytes | None
) -> None:
    """Keep a link that somebody opens, or gives other terms: without a token it keeps the one it has.

    Refuses with `invalid` a token that finds another link.
    """
    try:
        await tx.execute(
            """
            INSERT INTO invite_links AS l (conversation_id, link_id, link_key, account_id, role, expires, uses, used,
                                           token_hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (conversation_id, link_id) DO UPDATE
               SET account_id = excluded.account_id, role = excluded.role, expires = excluded.expires,
                   uses = excluded.uses, used = excluded.used, is_open = true,
                   token_hash = coalesce(excluded.token_hash, l.token_hash)
            """,
            conversation,
            link_id,
            link.key33,
            by,
            ROLES[link.role],
            link.expires,
            link.uses,
            link.used,
            token_hash,
        )
    except asyncpg.UniqueViolationError:
        raise Refusal("invalid", "this token belongs to another link") from None


async def update_used(tx: Tx, conversation: ConversationId, used: Mapping[bytes, int]) -> None:
    """Count who came by links."""
    await tx.execute(
        """
        UPDATE invite_links l SET used = u.used FROM unnest($2::bytea[], $3::bigint[]) AS u (link_id, used)
         WHERE l.conversation_id = $1 AND l.link_id = u.link_id
        """,
        conversation,
        list(used),
        list(used.values()),
    )


async def update_closed(tx: Tx, conversation: ConversationId, closed: Sequence[bytes]) -> None:
    """Close links; their tokens lead nowhere from here on, and to nobody else. What they say of the group is erased."""
    await tx.execute(
        """
        UPDATE invite_links SET is_open = false, card = NULL
         WHERE conversation_id = $1 AND link_id = ANY ($2::bytea[])
        """,
        conversation,
        closed,
    )


async def update_card(tx: Tx, conversation: ConversationId, link_id: bytes, card: bytes) -> bool:
    """Keep what an open link says of its group; tells whether there is such a link."""
    found = await tx.fetchval(
        """
        UPDATE invite_links SET card = $3 WHERE conversation_id = $1 AND link_id = $2 AND is_open
        RETURNING true
        """,
        conversation,
        link_id,
        card,
    )
    return bool(found)


async def select_link(reader: Reader, token_hash: bytes) -> LinkRow | None:
    """Find a link, open or closed, by the hash of its token."""
    row = await reader.fetchrow(
        """
        SELECT l.conversation_id, l.link_id, l.is_open, l.expires, l.uses, l.used, l.token_hash, l.card,
               c.kind, c.member_count, s.number
          FROM invite_links l JOIN conversations c USING (conversation_id) JOIN memberships s USING (conversation_id)
         WHERE l.token_hash = $1 AND c.deleted_at IS NULL
        """,
        token_hash,
    )
    if row is None or not hmac.compare_digest(row["token_hash"], token_hash):
        return None
    return LinkRow(
        row["conversation_id"],
        row["link_id"],
        row["is_open"],
        row["expires"],
        row["uses"],
        row["used"],
        row["kind"],
        row["member_count"],
        row["number"],
        row["card"],
    )


# Bans -----------------------------------------------------------------------------------------------------------------


async def update_banned(tx: Tx, conversation: ConversationId, banned: Sequence[AccountId], by: AccountId) -> None:
    """Ban people; whoever is banned already stays so, as it was."""
    await tx.execute(
        """
        UPDATE members SET banned_at = clock_timestamp(), banned_by = $3
         WHERE conversation_id = $1 AND account_id = ANY ($2::uuid[]) AND banned_at IS NULL
        """,
        conversation,
        banned,
        by,
    )


async def upsert_banned(tx: Tx, conversation: ConversationId, account: AccountId, by: AccountId, reason: str) -> bool:
    """Ban one person, who is out or was never in; tells whether they were not banned already.

    Who was never in has a row that says so: a membership that ended before the first entry.
    """
    return bool(
        await tx.execute(
            """
            INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, left_seq, left_id, left_at,
                                 read_seq, read_id, read_ordinal, banned_at, banned_by, ban_reason)
            VALUES ($1, $2, 0, $5, 0, $5, clock_timestamp(), 0, $5, 0, clock_timestamp(), $3, $4)
            ON CONFLICT (conversation_id, account_id) DO UPDATE
               SET banned_at = excluded.banned_at, banned_by = excluded.banned_by, ban_reason = excluded.ban_reason
             WHERE members.banned_at IS NULL
            """,
            conversation,
            account,
            by,
            reason,
            FIRST_ID,
        )
    )


async def update_ban_lifted(tx: Tx, conversation: ConversationId, account: AccountId) -> bool:
    """Lift a ban; tells whether there was one."""
    return bool(
        await tx.execute(
            """
            UPDATE members SET banned_at = NULL, banned_by = NULL, ban_reason = NULL
             WHERE conversation_id = $1 AND account_id = $2 AND banned_at IS NOT NULL
            """,
            conversation,
            account,
        )
    )


async def select_banned(
    reader: Reader, conversation: ConversationId, among: Sequence[AccountId]
) -> frozenset[AccountId]:
    """Tell who of these people is banned."""
    rows = await reader.fetch(
        """
        SELECT account_id FROM members
         WHERE conversation_id = $1 AND account_id = ANY ($2::uuid[]) AND banned_at IS NOT NULL
        """,
        conversation,
        among,
    )
    return frozenset(row["account_id"] for row in rows)


async def select_ban_count(reader: Reader, conversation: ConversationId) -> int:
    """How many people are banned."""
    count: int = await reader.fetchval(
        "SELECT count(*) FROM members WHERE conversation_id = $1 AND banned_at IS NOT NULL", conversation
    )
    return count


async def select_bans(reader: Reader, conversation: ConversationId) -> list[Ban]:
    """Who is banned, the oldest ban first."""
    rows = await reader.fetch(
        """
        SELECT account_id, banned_by, banned_at, ban_reason FROM members
         WHERE conversation_id = $1 AND banned_at IS NOT NULL ORDER BY banned_at, account_id
        """,
        conversation,
    )
    return [Ban(row["account_id"], row["banned_by"], row["banned_at"], row["ban_reason"] or "") for row in rows]
