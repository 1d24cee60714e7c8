"""SQL of what is found of rooms and people: names, and what is said beside them.

A row has the `updated_at` of what it was made of; where they differ it is made anew.
"""

from collections.abc import Sequence
from datetime import datetime

from aparte.server.kit.db import Reader, Tx
from aparte.server.search.model import Named
from aparte.wire.content import SearchLanguage
from aparte.wire.ids import AccountId, ConversationId

Words = tuple[str, str, SearchLanguage, datetime]
"""Words with their weights, as text of a `tsvector`; those whose stems are kept too; their language; when it was so."""


async def select_room(reader: Reader, conversation: ConversationId) -> Named | None:
    """A room whose names the index does not know as they are."""
    row = await reader.fetchrow(
        """
        SELECT c.name, c.topic, c.description, c.language, c.updated_at
          FROM conversations c LEFT JOIN room_search r USING (conversation_id)
         WHERE c.conversation_id = $1 AND c.encryption_mode = 'server' AND c.deleted_at IS NULL
           AND r.updated_at IS DISTINCT FROM c.updated_at
        """,
        conversation,
    )
    if row is None:
        return None
    about = f"{row['topic']} {row['description']}"
    return Named(conversation, (row["name"],), about, row["language"], row["updated_at"])


async def select_accounts(reader: Reader, accounts: Sequence[AccountId]) -> list[Named]:
    """Those of some accounts that the index does not know as they are."""
    rows = await reader.fetch(
        """
        SELECT a.account_id, a.username, a.display_name, a.bio, a.language, a.updated_at
          FROM accounts a LEFT JOIN account_search s USING (account_id)
         WHERE a.account_id = ANY ($1::uuid[]) AND a.kind IN ('person', 'bot') AND a.deleted_at IS NULL
           AND s.updated_at IS DISTINCT FROM a.updated_at
        """,
        accounts,
    )
    return [
        Named(
            row["account_id"],
            (row["username"], row["display_name"]),
            row["bio"] or "",
            language_of(row["language"]),
            row["updated_at"],
        )
        for row in rows
    ]


def language_of(code: str) -> SearchLanguage:
    """By which rules the words of somebody who speaks a language are searched (C-38)."""
    first = code.lower()[:2]
    return "fr" if first == "fr" else "en" if first == "en" else "simple"


async def upsert_room(tx: Tx, room: ConversationId, name: str, words: Words) -> None:
    """Keep what is found of a room."""
    await tx.execute(
        """
        INSERT INTO room_search (conversation_id, name, words, updated_at)
        SELECT $1, $2, $3::text::tsvector || array_to_tsvector(search_stems($4, $5)), $6
        ON CONFLICT (conversation_id) DO UPDATE
           SET name = excluded.name, words = excluded.words, updated_at = excluded.updated_at
        """,
        room,
        name,
        *words,
    )


async def upsert_account(tx: Tx, account: AccountId, username: str, name: str, words: Words) -> None:
    """Keep what is found of a person."""
    await tx.execute(
        """
        INSERT INTO account_search (account_id, username, name, words, updated_at)
        SELECT $1, $2, $3, $4::text::tsvector || array_to_tsvector(search_stems($5, $6)), $7
        ON CONFLICT (account_id) DO UPDATE
           SET username = excluded.username, name = excluded.name, words = excluded.words,
               updated_at = excluded.updated_at
        """,
        account,
        username,
        name,
        *words,
    )


async def select_unread_accounts(reader: Reader, limit: int) -> list[AccountId]:
    """Some accounts that the index does not know as they are."""
    rows = await reader.fetch(
        """
        SELECT a.account_id FROM accounts a LEFT JOIN account_search s USING (account_id)
         WHERE a.kind IN ('person', 'bot') AND a.deleted_at IS NULL AND s.updated_at IS DISTINCT FROM a.updated_at
         LIMIT $1
        """,
        limit,
    )
    return [row["account_id"] for row in rows]


async def delete_closed_accounts(tx: Tx, limit: int) -> int:
    """Forget some people whose accounts are no longer there."""
    return await tx.execute(
        """
        DELETE FROM account_search s
         USING (SELECT k.account_id FROM account_search k JOIN accounts a USING (account_id)
                 WHERE a.deleted_at IS NOT NULL LIMIT $1) AS w
         WHERE s.account_id = w.account_id
        """,
        limit,
    )
