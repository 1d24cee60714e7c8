"""SQL of what a conversation says of itself, how it is run, and its end."""

from collections.abc import Mapping

import asyncpg

from aparte.server.conversations.model import NewRoom
from aparte.server.kit.db import Reader, Tx
from aparte.wire.content import ConversationSettings, Profile
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, Position


async def insert_room(tx: Tx, new: NewRoom, name_key: str) -> None:
    """Create a room or channel that the server can read. Refuses with `name_taken`."""
    try:
        await tx.execute(
            """
            INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, creator_id, name, name_key,
                                       topic, description, welcome, rules, picture, is_nsfw, language,
                                       slow_mode_seconds, max_members, ttl_seconds, is_archived, metadata)
            VALUES ($1, $2, 'server', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
            """,
            new.id,
            new.kind,
            new.is_public,
            new.creator,
            new.profile.name,
            name_key,
            *said_beside(new.profile),
            *values_of(new.settings),
        )
    except asyncpg.UniqueViolationError as error:
        raise name_taken(error) from None


def said_beside(profile: Profile) -> tuple[str | None, ...]:
    """What a profile says beside the name, in the order of the columns."""
    return profile.topic, profile.description, profile.welcome, profile.rules, profile.picture


def values_of(settings: ConversationSettings) -> tuple[object, ...]:
    """Settings in the order of the columns."""
    return (
        settings.is_nsfw,
        settings.language,
        settings.slow_mode_seconds,
        settings.max_members,
        settings.ttl,
        settings.is_archived,
        settings.metadata,
    )


async def update_profile(tx: Tx, conversation: ConversationId, profile: Profile, name_key: str) -> None:
    """Change what a room says of itself. Refuses with `name_taken`."""
    try:
        await tx.execute(
            """
            UPDATE conversations SET name = $2, name_key = $3, topic = $4, description = $5, welcome = $6, rules = $7,
                   picture = $8
             WHERE conversation_id = $1
            """,
            conversation,
            profile.name,
            name_key,
            *said_beside(profile),
        )
    except asyncpg.UniqueViolationError as error:
        raise name_taken(error) from None


def name_taken(error: asyncpg.UniqueViolationError) -> Exception:
    """Turn the named constraint into its refusal; anything else stays a bug."""
    return Refusal("name_taken") if error.constraint_name == "conversations_name_key" else error


async def update_settings(tx: Tx, conversation: ConversationId, settings: ConversationSettings) -> None:
    """Change how a conversation is run; the log's copies are the caller's to change too."""
    await tx.execute(
        """
        UPDATE conversations SET is_nsfw = $2, language = $3, slow_mode_seconds = $4, max_members = $5,
               ttl_seconds = $6, is_archived = $7, metadata = $8
         WHERE conversation_id = $1
        """,
        conversation,
        *values_of(settings),
    )


async def update_deleted(tx: Tx, conversation: ConversationId) -> None:
    """Delete a conversation for everybody: its row stays, nobody finds it, and its name is free."""
    await tx.execute(
        "UPDATE conversations SET deleted_at = clock_timestamp(), member_count = 0 WHERE conversation_id = $1",
        conversation,
    )


async def update_all_out(tx: Tx, conversation: ConversationId, at: Position) -> Mapping[AccountId, None]:
    """End every membership at a position; names whose it was, as their own devices are told: nothing any more."""
    rows = await tx.fetch(
        """
        UPDATE members SET left_seq = $2, left_id = $3, left_at = clock_timestamp(), role = 'member'
         WHERE conversation_id = $1 AND left_at IS NULL
        RETURNING account_id
        """,
        conversation,
        at.seq,
        at.id,
    )
    return dict.fromkeys(row["account_id"] for row in rows)


async def select_is_empty(reader: Reader) -> bool:
    """Is there no conversation at all?"""
    return bool(await reader.fetchval("SELECT NOT EXISTS (SELECT 1 FROM conversations)"))
