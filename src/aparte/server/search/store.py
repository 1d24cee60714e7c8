"""SQL of searches: messages span by span, names by how well they fit, rooms as the asker finds them."""

from collections.abc import Sequence
from typing import Any

from aparte.server.kit.db import Reader
from aparte.server.search.model import LANGUAGES, Asked, Question, Stems
from aparte.wire.content import SearchLanguage
from aparte.wire.conversations import DirectoryRow
from aparte.wire.ids import AccountId, ConversationId, EntryId

CANDIDATES = 200
"""Names that one question is answered from, before it is known who may see them."""


async def select_stems(reader: Reader, words: Sequence[str]) -> Stems:
    """The stems of folded words."""
    rows = await reader.fetch(
        """
        SELECT w.word, (ts_lexize('aparte_french', w.word))[1] AS fr, (ts_lexize('aparte_english', w.word))[1] AS en
          FROM unnest($1::text[]) AS w (word)
        """,
        words,
    )
    languages: tuple[SearchLanguage, ...] = ("fr", "en")
    return {row["word"]: {name: row[name] for name in languages if row[name]} for row in rows}


async def search_messages(
    reader: Reader, account: AccountId, question: Question, asked: Asked, limit: int
) -> list[tuple[ConversationId, EntryId]]:
    """The newest messages that answer a question, of those that the asker can read."""
    rows = await reader.fetch(
        """
        SELECT o_conversation, o_id
          FROM search_messages_v1($1, $2, $3, $4::text[]::tsquery[], $5::text[]::tsquery[], $6, $7, $8, $9, $10)
        """,
        account,
        question.filters.conversation,
        LANGUAGES,
        asked.narrow,
        asked.exact,
        question.filters.author,
        dict(question.filters.metadata) or None,
        question.filters.after,
        question.filters.before,
        limit,
    )
    return [(row["o_conversation"], row["o_id"]) for row in rows]


async def select_languages(
    reader: Reader, conversations: Sequence[ConversationId]
) -> dict[ConversationId, SearchLanguage]:
    """By whose rules the words of conversations were stemmed."""
    rows = await reader.fetch(
        "SELECT conversation_id, language FROM search_positions WHERE conversation_id = ANY ($1::uuid[])",
        conversations,
    )
    return {row["conversation_id"]: row["language"] for row in rows}


async def select_people(reader: Reader, username: str, name: str, words: str) -> list[AccountId]:
    """Accounts whose names fit, the best first."""
    rows = await reader.fetch(
        "SELECT account_id FROM search_people_v1($1, $2, $3::text::tsquery, $4) AS account_id",
        username,
        name,
        words,
        CANDIDATES,
    )
    return [row["account_id"] for row in rows]


async def select_open(reader: Reader, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Those of some accounts that are in use at this moment."""
    rows = await reader.fetch(
        """
        SELECT account_id FROM accounts
         WHERE account_id = ANY ($1::uuid[]) AND is_active AND NOT is_suspended AND deleted_at IS NULL
        """,
        accounts,
    )
    return {row["account_id"] for row in rows}


async def select_public_rooms(reader: Reader, name: str, words: str) -> list[ConversationId]:
    """Public rooms whose names or words fit, the best first."""
    return await _select_rooms(reader, name, words, None)


async def select_own_rooms(reader: Reader, account: AccountId, name: str, words: str) -> list[ConversationId]:
    """The same of rooms that somebody is in."""
    return await _select_rooms(reader, name, words, account)


async def _select_rooms(reader: Reader, name: str, words: str, account: AccountId | None) -> list[ConversationId]:
    rows = await reader.fetch(
        """
        WITH mine AS MATERIALIZED (
          SELECT r.conversation_id, r.name, r.words
            FROM members b JOIN room_search r USING (conversation_id)
           WHERE b.account_id = $3 AND b.left_at IS NULL
        ), fitting AS (
          SELECT conversation_id, name, words FROM mine WHERE $3::uuid IS NOT NULL
          UNION ALL
          SELECT r.conversation_id, r.name, r.words
            FROM room_search r JOIN conversations c USING (conversation_id)
           WHERE $3::uuid IS NULL AND c.is_public AND c.deleted_at IS NULL
             AND (r.name ~>=~ $1 AND r.name ~<~ ($1 || chr(1114111)) OR r.words @@ $2::text::tsquery OR r.name % $1)
        )
        SELECT f.conversation_id
          FROM (SELECT conversation_id, name, words, words @@ $2::text::tsquery AS has_words,
                       name ^@ $1 AS begins_so FROM fitting) f
         WHERE f.begins_so OR f.has_words OR f.name % $1
         ORDER BY f.name <> $1, NOT f.begins_so, NOT f.has_words, -ts_rank(f.words, $2::text::tsquery),
                  -similarity(f.name, $1), f.conversation_id
         LIMIT $4
        """,
        name,
        words,
        account,
        CANDIDATES,
    )
    return [row["conversation_id"] for row in rows]


async def select_rooms_holding(
    reader: Reader, account: AccountId, metadata: dict[str, Any], limit: int
) -> list[ConversationId]:
    """Rooms that the asker may see whose metadata hold something, by name."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id
          FROM conversations c
         WHERE c.metadata @> $2 AND c.deleted_at IS NULL AND c.encryption_mode = 'server'
           AND (c.is_public OR EXISTS (SELECT 1 FROM members b WHERE b.conversation_id = c.conversation_id
                                          AND b.account_id = $1 AND b.left_at IS NULL))
         ORDER BY c.name_key, c.conversation_id LIMIT $3
        """,
        account,
        metadata,
        limit,
    )
    return [row["conversation_id"] for row in rows]


async def select_rooms_as_seen(
    reader: Reader, account: AccountId, wanted: Sequence[ConversationId], metadata: dict[str, Any], *, nsfw: bool
) -> list[DirectoryRow]:
    """Those of some rooms that the asker may see at this moment, in the order wanted."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id, c.kind, c.name, c.topic, c.description, c.member_count, c.is_nsfw, c.picture,
               c.language, b.account_id IS NOT NULL AS is_member
          FROM unnest($2::uuid[]) WITH ORDINALITY AS w (conversation_id, place)
          JOIN conversations c USING (conversation_id)
          LEFT JOIN members b ON b.conversation_id = c.conversation_id AND b.account_id = $1 AND b.left_at IS NULL
         WHERE c.deleted_at IS NULL AND c.encryption_mode = 'server' AND (c.is_public OR b.account_id IS NOT NULL)
           AND c.metadata @> $3 AND ($4 OR NOT c.is_nsfw)
         ORDER BY w.place
        """,
        account,
        wanted,
        metadata,
        nsfw,
    )
    return [
        DirectoryRow(
            row["conversation_id"],
            row["kind"],
            row["name"],
            row["topic"],
            row["description"],
            row["member_count"],
            row["is_member"],
            row["is_nsfw"],
            row["picture"],
            row["language"],
        )
        for row in rows
    ]
