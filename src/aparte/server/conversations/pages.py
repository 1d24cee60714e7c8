"""SQL of what people are shown: their conversations, the directory."""

from collections.abc import Mapping
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from aparte.server.conversations import rights, settings
from aparte.server.conversations.model import Wanted, WantedRooms
from aparte.server.kit.db import Reader, Row
from aparte.wire.content import ConversationSettings, CustomRole
from aparte.wire.conversations import Conversation, DirectoryRow, LastMessage, Membership, Preferences
from aparte.wire.ids import AccountId, ConversationId, Position, time_of

_COLUMNS: LiteralString = """
    SELECT c.conversation_id, c.kind, c.encryption_mode, c.is_public, c.name, c.topic, c.description, c.welcome,
           c.rules, c.picture, c.creator_id, c.is_nsfw, c.language, c.slow_mode_seconds, c.ttl_seconds,
           c.is_archived, c.metadata, c.member_count, c.max_members, c.created_at, c.updated_at,
           h.epoch, h.last_seq, h.last_id, h.floor_seq, h.floor_id, h.message_count, h.last_message_at,
           m.account_id, m.role, m.joined_seq, m.joined_id, m.joined_at, m.read_seq, m.read_id, m.overrides,
           CASE WHEN m.silenced_until > now() THEN m.silenced_until END AS silenced_until,
           a.kind AS account_kind, a.role AS platform_role, c.metadata -> 'allow_bots' AS allow_bots,
           s.policy, u.permissions AS custom, o.account_id AS owner_id, p.account_id AS peer_id,
           EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = m.account_id
                      AND b.blocked_id = p.account_id) AS is_blocked,
           (SELECT jsonb_agg(jsonb_build_object('id', r.role_id, 'name', r.name, 'permissions', r.permissions,
                                                'colour', r.colour, 'is_default', r.is_default)
                             ORDER BY r.created_at, r.role_id)
              FROM conversation_roles r WHERE r.conversation_id = m.conversation_id) AS roles,
           CASE WHEN f.muted_until > now() THEN f.muted_until END AS muted_until, f.level,
           f.is_pinned AS has_pinned, f.is_archived AS has_archived, f.is_marked_unread, f.labels,
           f.settings AS own_settings,
           (SELECT jsonb_build_object('id', x.id, 'account', x.account_id, 'content', coalesce(e.body, x.content))
              FROM messages x
              LEFT JOIN entries e ON e.conversation_id = x.conversation_id AND e.id = x.edit_id
             WHERE x.conversation_id = m.conversation_id AND x.deletion_id IS NULL AND x.erased_at IS NULL
               AND (x.expires_at IS NULL OR x.expires_at > clock_timestamp())
               AND NOT EXISTS (SELECT 1 FROM hidden_messages y WHERE y.account_id = m.account_id
                                  AND y.conversation_id = x.conversation_id AND y.id = x.id)
             ORDER BY x.id DESC LIMIT 1) AS newest,
           greatest(0, h.last_ordinal - m.read_ordinal
             - (SELECT count(*) FROM messages x WHERE x.conversation_id = m.conversation_id
                   AND x.ordinal > m.read_ordinal AND x.deletion_id IS NOT NULL)
             - (SELECT count(*) FROM disappearing_messages x
                 WHERE x.conversation_id = m.conversation_id AND x.ordinal > m.read_ordinal
                   AND x.expires_at <= clock_timestamp()
                   AND NOT EXISTS (SELECT 1 FROM messages z WHERE z.conversation_id = x.conversation_id
                                      AND z.id = x.id AND z.deletion_id IS NOT NULL))
             - (SELECT count(*) FROM hidden_messages y
                 WHERE y.account_id = m.account_id AND y.conversation_id = m.conversation_id
                   AND y.ordinal > m.read_ordinal
                   AND NOT EXISTS (SELECT 1 FROM messages z WHERE z.conversation_id = y.conversation_id
                                      AND z.id = y.id AND (z.deletion_id IS NOT NULL
                                                           OR z.expires_at <= clock_timestamp())))) AS unread
"""
_BESIDE: LiteralString = """
      FROM members m
      JOIN conversations c ON c.conversation_id = m.conversation_id
      JOIN heads h ON h.conversation_id = m.conversation_id
      JOIN accounts a ON a.account_id = m.account_id
      LEFT JOIN memberships s ON s.conversation_id = m.conversation_id
      LEFT JOIN conversation_roles u ON u.conversation_id = m.conversation_id AND u.role_id = m.role_id
      LEFT JOIN members o ON o.conversation_id = m.conversation_id AND o.role = 'owner' AND o.left_at IS NULL
      LEFT JOIN members p ON c.kind = 'direct' AND p.conversation_id = m.conversation_id
                         AND p.account_id <> m.account_id
      LEFT JOIN preferences f ON f.account_id = m.account_id AND f.conversation_id = m.conversation_id
"""
_SEAT: LiteralString = " WHERE m.account_id = $1 AND m.left_at IS NULL AND c.deleted_at IS NULL"
_IN_ORDER: LiteralString = """
    SELECT r.*
      FROM (SELECT x.conversation_id, y.last_id FROM members x JOIN heads y USING (conversation_id)
             WHERE x.account_id = $1 AND x.left_at IS NULL AND ($2::uuid IS NULL OR y.last_id < $2)
             ORDER BY y.last_id DESC OFFSET 0) q
     CROSS JOIN LATERAL (
"""
_CHOSEN: LiteralString = """
       AND m.conversation_id = q.conversation_id
       AND ($3::conversation_kind IS NULL OR c.kind = $3) AND ($4::boolean IS NULL OR c.is_public = $4)
       AND ($5::boolean IS NULL OR c.is_archived = $5) AND ($6::uuid IS NULL OR c.creator_id = $6)
       AND ($7::uuid IS NULL OR o.account_id = $7) AND ($8::jsonb IS NULL OR c.metadata @> $8)
       AND ($9::text IS NULL OR c.name = $9)
       AND ($10::boolean IS NULL OR coalesce(f.is_pinned, false) = $10)
       AND ($11::boolean IS NULL OR coalesce(f.is_archived, false) = $11)
       AND ($12::text IS NULL OR f.labels @> ARRAY[$12]) LIMIT 1) r
     ORDER BY q.last_id DESC LIMIT $13
"""
MINE: LiteralString = _IN_ORDER + _COLUMNS + _BESIDE + _SEAT + _CHOSEN
"""The conversations of an account: what each is, what the account may do there and has set for itself, the newest
message, and how many are unread: ordinals after the mark but those that are deleted, past or hidden.

Put in order first, of nothing but memberships and heads; the rest is looked up for one after the other until there are
enough, so that a page costs what it shows, in however many conversations somebody is."""
ONE: LiteralString = _COLUMNS + _BESIDE + _SEAT + " AND m.conversation_id = $2"
"""One of them. A statement of its own: planned together with the list it would be planned anew each time, which takes
longer than all it does."""


async def select_conversations(reader: Reader, account: AccountId, wanted: Wanted) -> list[Conversation]:
    """The caller's conversations, newest activity first, with unread counts; one statement for all of them."""
    rows = await reader.fetch(
        MINE,
        account,
        wanted.before,
        wanted.kind,
        wanted.is_public,
        wanted.is_archived,
        wanted.creator,
        wanted.owner,
        *metadata_of(wanted.metadata),
        wanted.is_pinned,
        wanted.is_put_away,
        wanted.label,
        wanted.limit,
    )
    return [conversation_of(row) for row in rows]


async def select_conversation(reader: Reader, account: AccountId, conversation: ConversationId) -> Conversation | None:
    """One of the caller's conversations."""
    row = await reader.fetchrow(ONE, account, conversation)
    return conversation_of(row) if row else None


def metadata_of(wanted: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, Any]:
    """What is looked for in the metadata, and the name, which is only shown there."""
    if wanted is None:
        return None, None
    name = wanted.get(settings.MIRRORED)
    return {key: value for key, value in wanted.items() if key != settings.MIRRORED}, str(name) if name else None


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
        membership=membership_of(row),
        peer=row["peer_id"],
        blocked_by=[row["account_id"]] if row["is_blocked"] else [],
        creator=row["creator_id"],
        welcome=row["welcome"],
        rules=row["rules"],
        picture=row["picture"],
        settings=settings_of(row),
        roles=msgspec.convert(row["roles"] or [], list[CustomRole]),
        last_message=last_message_of(row["newest"]) if row["newest"] else None,
    )


def membership_of(row: Row) -> Membership:
    """Render the asker's own place."""
    return Membership(
        role=row["role"],
        joined=Position(row["joined_seq"], row["joined_id"]),
        joined_at=row["joined_at"],
        read=Position(row["read_seq"], row["read_id"]),
        unread=row["unread"],
        permissions=sorted(rights.effective(rights.place_of(row))),
        silenced_until=row["silenced_until"],
        preferences=preferences_of(row) if row["level"] else Preferences(),
    )


def preferences_of(row: Row) -> Preferences:
    """Render what the asker has set for oneself."""
    return Preferences(
        row["level"],
        row["muted_until"],
        row["has_pinned"],
        row["has_archived"],
        row["is_marked_unread"],
        row["labels"],
        row["own_settings"],
    )


def last_message_of(found: Mapping[str, Any]) -> LastMessage:
    """Render the newest message that is there for the asker; sealed words are not the server's."""
    message = UUID(found["id"])
    return msgspec.convert({**found, "at": time_of(message)}, LastMessage)


def settings_of(row: Row) -> ConversationSettings:
    """Render how a conversation is run; its metadata shows its name."""
    shown: dict[str, Any] = {**row["metadata"], settings.MIRRORED: row["name"]} if row["name"] else row["metadata"]
    return ConversationSettings(
        is_nsfw=row["is_nsfw"],
        language=row["language"],
        slow_mode_seconds=row["slow_mode_seconds"],
        max_members=row["max_members"],
        ttl=row["ttl_seconds"],
        is_archived=row["is_archived"],
        metadata=shown,
    )


async def select_directory(reader: Reader, account: AccountId, wanted: WantedRooms) -> list[tuple[str, DirectoryRow]]:
    """Public rooms and channels by name, each with its key for paging. Archived ones only by their exact name, and so
    those that are not for everybody's eyes, unless they are asked for."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id, c.kind, c.name, c.name_key, c.topic, c.description, c.member_count, c.is_nsfw,
               c.picture, c.language,
               EXISTS (SELECT 1 FROM members m WHERE m.conversation_id = c.conversation_id AND m.account_id = $1
                          AND m.left_at IS NULL) AS is_member
          FROM conversations c
         WHERE c.is_public AND c.deleted_at IS NULL AND c.name_key > $2
           AND ($3::text IS NULL OR c.name_key = $3) AND ($4::text IS NULL OR c.name_key LIKE $4)
           AND ($5::conversation_kind IS NULL OR c.kind = $5) AND ($6::jsonb IS NULL OR c.metadata @> $6)
           AND ($7::text IS NULL OR c.name = $7)
           AND ($3 IS NOT NULL OR NOT c.is_archived) AND ($3 IS NOT NULL OR $8 OR NOT c.is_nsfw)
         ORDER BY c.name_key LIMIT $9
        """,
        account,
        wanted.after,
        wanted.name,
        wanted.part,
        wanted.kind,
        *metadata_of(wanted.metadata),
        wanted.nsfw,
        wanted.limit,
    )
    return [(row["name_key"], directory_row_of(row)) for row in rows]


def directory_row_of(row: Row) -> DirectoryRow:
    """Render a public room for whoever looks."""
    return DirectoryRow(
        row["conversation_id"],
        row["kind"],
        row["name"],
        row["topic"],
        row["description"],
        row["member_count"],
        row["is_member"],
        is_nsfw=row["is_nsfw"],
        picture=row["picture"],
        language=row["language"],
    )
