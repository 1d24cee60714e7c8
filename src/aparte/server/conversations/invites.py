"""SQL of links into rooms and channels that the server can read. (Those of encrypted ones: `links`.)"""

import hmac
from dataclasses import replace

from aparte.server.conversations.model import InviteRow
from aparte.server.conversations.rights import place_of
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.content import Profile
from aparte.wire.ids import ConversationId, InviteId


async def insert_invite(tx: Tx, new: InviteRow, token_hash: bytes) -> InviteRow:
    """Keep a new link, in place of one that is over for good if there is any, so that there are never more rows than
    links that may be open; gives it as it is kept."""
    row = await tx.fetchrow(
        """
        WITH replaced AS (
          UPDATE invites x
             SET invite_id = $2, token_hash = $3, account_id = $4, role = $5, expires_at = $6, uses = $7, used = 0,
                 revoked_at = NULL, created_at = clock_timestamp()
           WHERE x.conversation_id = $1 AND x.invite_id = (
             SELECT i.invite_id FROM invites i
              WHERE i.conversation_id = $1
                AND (i.revoked_at IS NOT NULL OR i.expires_at <= clock_timestamp() OR i.used >= nullif(i.uses, 0)
                     OR NOT EXISTS (SELECT 1 FROM members m
                                     WHERE m.conversation_id = $1 AND m.account_id = i.account_id
                                       AND m.left_at IS NULL AND m.joined_at <= i.created_at))
              ORDER BY i.created_at LIMIT 1)
          RETURNING x.created_at
        ), added AS (
          INSERT INTO invites (conversation_id, invite_id, token_hash, account_id, role, expires_at, uses)
          SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM replaced)
          RETURNING created_at
        )
        SELECT created_at FROM replaced UNION ALL SELECT created_at FROM added
        """,
        new.conversation,
        new.id,
        token_hash,
        new.by,
        new.role,
        new.expires_at,
        new.uses,
    )
    assert row is not None  # noqa: S101 - the one or the other returns its row, or raises
    return replace(new, created_at=row["created_at"])


async def select_invites(
    reader: Reader, *, conversation: ConversationId | None = None, token_hash: bytes | None = None
) -> list[InviteRow]:
    """The links of a conversation, or the one of a token, that nobody has closed, with what their makers may do at
    present; the oldest first."""
    rows = await reader.fetch(
        """
        SELECT i.conversation_id, i.invite_id, i.token_hash, i.account_id, i.role AS given, i.expires_at, i.uses,
               i.used, i.created_at, c.kind, c.encryption_mode, c.member_count, c.name, c.topic, c.description,
               c.welcome, c.rules, c.picture, c.metadata -> 'allow_bots' AS allow_bots, NULL AS policy, m.role,
               m.overrides, r.permissions AS custom, a.kind AS account_kind, a.role AS platform_role,
               coalesce(m.left_at IS NULL AND m.joined_at <= i.created_at, false) AS is_in
          FROM invites i
          JOIN conversations c USING (conversation_id)
          LEFT JOIN members m ON m.conversation_id = i.conversation_id AND m.account_id = i.account_id
          LEFT JOIN conversation_roles r ON r.conversation_id = m.conversation_id AND r.role_id = m.role_id
          LEFT JOIN accounts a ON a.account_id = m.account_id
         WHERE (i.conversation_id = $1 OR i.token_hash = $2) AND i.revoked_at IS NULL AND c.deleted_at IS NULL
         ORDER BY i.created_at, i.invite_id
        """,
        conversation,
        token_hash,
    )
    return [
        invite_row_of(row) for row in rows if token_hash is None or hmac.compare_digest(row["token_hash"], token_hash)
    ]


def invite_row_of(row: Row) -> InviteRow:
    """Build an InviteRow."""
    return InviteRow(
        row["conversation_id"],
        row["invite_id"],
        row["account_id"],
        row["given"],
        row["expires_at"],
        row["uses"],
        row["used"],
        row["created_at"],
        place_of(row) if row["is_in"] else None,
        row["kind"],
        row["member_count"],
        Profile(row["name"], row["topic"], row["description"], row["welcome"], row["rules"], row["picture"]),
    )


async def update_invite_used(tx: Tx, conversation: ConversationId, invite: InviteId) -> None:
    """Count somebody who came by a link; the head's lock is held."""
    await tx.execute(
        "UPDATE invites SET used = used + 1 WHERE conversation_id = $1 AND invite_id = $2", conversation, invite
    )


async def update_revoked(tx: Tx, conversation: ConversationId, invite: InviteId) -> None:
    """Close a link for good."""
    await tx.execute(
        """
        UPDATE invites SET revoked_at = clock_timestamp()
         WHERE conversation_id = $1 AND invite_id = $2 AND revoked_at IS NULL
        """,
        conversation,
        invite,
    )
