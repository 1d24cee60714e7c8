"""SQL of what the index is made of: how far each conversation was read, messages to read again, rooms, people.

One reader at a time has a conversation's row in `search_positions`; what it reads was committed before, in the order of
ids, so "everything up to this entry" is exact.
"""

from collections.abc import Sequence

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.search import model
from aparte.server.search.model import Claim, Found, Unread
from aparte.wire.codec import convert
from aparte.wire.content import MessageContent
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.search import Has


async def pin_plans(tx: Tx) -> None:
    """Have a page of a big conversation read by its index, in this transaction."""
    await tx.fetch(
        "SELECT set_config(name, 'off', true) FROM unnest('{enable_seqscan,enable_bitmapscan}'::text[]) AS name"
    )


async def claim(tx: Tx, conversation: ConversationId) -> Claim | None:
    """Lock how far a conversation was read; None unless the server can read it. A new one is read from its end back."""
    await tx.execute(
        """
        INSERT INTO search_positions (conversation_id, language, id, behind)
        SELECT c.conversation_id, c.language, h.last_id, h.last_id
          FROM conversations c JOIN heads h USING (conversation_id)
         WHERE c.conversation_id = $1 AND c.encryption_mode = 'server' AND c.deleted_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM search_positions p WHERE p.conversation_id = $1)
        ON CONFLICT DO NOTHING
        """,
        conversation,
    )
    if await tx.fetchval("SELECT 1 FROM search_positions WHERE conversation_id = $1 FOR UPDATE", conversation) is None:
        return None
    row = await tx.fetchrow(
        """
        SELECT p.id, p.behind, p.language AS was, c.language, h.last_id
          FROM search_positions p JOIN conversations c USING (conversation_id) JOIN heads h USING (conversation_id)
         WHERE p.conversation_id = $1 AND c.deleted_at IS NULL
        """,
        conversation,
    )
    if row is None:
        return None
    behind = row["behind"] if row["was"] == row["language"] else row["last_id"]
    return Claim(conversation, row["language"], row["id"], behind, row["last_id"])


async def update_position(tx: Tx, claimed: Claim, at: EntryId, behind: EntryId | None) -> None:
    """Note how far a conversation is read."""
    await tx.execute(
        "UPDATE search_positions SET id = $2, behind = $3, language = $4 WHERE conversation_id = $1",
        claimed.conversation,
        at,
        behind,
        claimed.language,
    )


async def select_unread(reader: Reader, claimed: Claim, limit: int) -> Unread:
    """What entries after the position say of messages: new ones, those aimed at, roots of threads."""
    rows = await reader.fetch(
        """
        SELECT u.id, u.is_message, u.target_id, t.target_id AS root_id
          FROM (
            (SELECT m.id, m.target_id, true AS is_message FROM messages m
              WHERE m.conversation_id = $1 AND m.id > $2 AND m.id <= $3 ORDER BY m.id LIMIT $4)
            UNION ALL
            (SELECT e.id, e.target_id, false FROM entries e
              WHERE e.conversation_id = $1 AND e.id > $2 AND e.id <= $3 ORDER BY e.id LIMIT $4)
          ) u
          LEFT JOIN LATERAL (SELECT m.target_id FROM messages m WHERE m.conversation_id = $1 AND m.id = u.target_id
                              LIMIT 1) t ON u.target_id IS NOT NULL
         ORDER BY u.id LIMIT $4
        """,
        claimed.conversation,
        claimed.at,
        claimed.end,
        limit,
    )
    named = [(row["id"] if row["is_message"] else None, row["target_id"], row["root_id"]) for row in rows]
    messages = dict.fromkeys(message for names in named for message in names if message is not None)
    is_all = len(rows) < limit
    return Unread(list(messages), claimed.end if is_all else rows[-1]["id"], is_all)


async def select_behind(reader: Reader, conversation: ConversationId, behind: EntryId, limit: int) -> list[EntryId]:
    """Messages up to an entry, the newest first."""
    rows = await reader.fetch(
        "SELECT id FROM messages WHERE conversation_id = $1 AND id <= $2 ORDER BY id DESC LIMIT $3",
        conversation,
        behind,
        limit,
    )
    return [row["id"] for row in rows]


async def select_found(reader: Reader, conversation: ConversationId, messages: Sequence[EntryId]) -> list[Found]:
    """Messages as they are now."""
    rows = await reader.fetch(
        """
        SELECT m.id, m.ordinal, m.account_id, m.expires_at,
               CASE WHEN m.deletion_id IS NULL AND m.erased_at IS NULL
                     AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
                    THEN coalesce(e.body, m.content) END AS content,
               EXISTS (SELECT 1 FROM reactions x WHERE x.conversation_id = $1 AND x.message_id = m.id) AS reaction,
               EXISTS (SELECT 1 FROM pins x WHERE x.conversation_id = $1 AND x.message_id = m.id) AS pin,
               EXISTS (SELECT 1 FROM threads x WHERE x.conversation_id = $1 AND x.root_id = m.id
                          AND x.reply_count > 0) AS thread
          FROM unnest($2::uuid[]) AS w (id)
          JOIN LATERAL (SELECT * FROM messages m WHERE m.conversation_id = $1 AND m.id = w.id LIMIT 1) m ON true
          LEFT JOIN LATERAL (SELECT e.body FROM entries e WHERE e.conversation_id = $1 AND e.id = m.edit_id
                              LIMIT 1) e ON true
        """,
        conversation,
        messages,
    )
    return [found_of(row) for row in rows]


def found_of(row: Row) -> Found:
    """Build a Found."""
    things: tuple[Has, ...] = ("reaction", "pin", "thread")
    content = convert(row["content"], MessageContent) if row["content"] is not None else None
    has = tuple(thing for thing in things if row[thing])
    return Found(row["id"], row["ordinal"], row["account_id"], row["expires_at"], content, has)


async def upsert_rows(tx: Tx, claimed: Claim, rows: Sequence[model.Row]) -> None:
    """Keep messages; what is the same already is left alone."""
    await tx.execute(
        """
        INSERT INTO message_search AS k (conversation_id, id, month, expires_at, words)
        SELECT $1::uuid, r.id, month_of(r.id), r.expires_at,
               r.words::tsvector || array_to_tsvector(ARRAY['/s' || left($1::uuid::text, 13) || '-' || r.span,
                                                        '/t' || left($1::uuid::text, 13) || '-' || r.span / 8]
                 || string_to_array(r.marks, ' ') || search_stems(r.plain, $2))
          FROM unnest($3::uuid[], $4::integer[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
               AS r (id, span, expires_at, words, plain, marks)
        ON CONFLICT (conversation_id, id, month) DO UPDATE SET words = excluded.words, expires_at = excluded.expires_at
         WHERE k.words <> excluded.words OR k.expires_at IS DISTINCT FROM excluded.expires_at
        """,
        claimed.conversation,
        claimed.language,
        [row.id for row in rows],
        [row.span for row in rows],
        [row.expires_at for row in rows],
        [row.words for row in rows],
        [row.plain for row in rows],
        [" ".join(row.marks) for row in rows],
    )


async def upsert_spans(tx: Tx, conversation: ConversationId, rows: Sequence[model.Row]) -> None:
    """Stretch spans over the messages that were read into them."""
    await tx.execute(
        """
        INSERT INTO search_spans AS s (conversation_id, span, month, first_id, last_id)
        SELECT DISTINCT ON (r.span, month_of(r.id)) $1, r.span, month_of(r.id),
               first_value(r.id) OVER w, last_value(r.id) OVER w
          FROM unnest($2::uuid[], $3::integer[]) AS r (id, span)
        WINDOW w AS (PARTITION BY r.span, month_of(r.id) ORDER BY r.id
                     ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ON CONFLICT (conversation_id, span, month) DO UPDATE
           SET first_id = least(s.first_id, excluded.first_id), last_id = greatest(s.last_id, excluded.last_id)
         WHERE s.first_id > excluded.first_id OR s.last_id < excluded.last_id
        """,
        conversation,
        [row.id for row in rows],
        [row.span for row in rows],
    )


async def delete_rows(tx: Tx, conversation: ConversationId, messages: Sequence[EntryId]) -> int:
    """Forget messages that are gone."""
    return await tx.execute(
        """
        DELETE FROM message_search k USING unnest($2::uuid[]) AS w (id)
         WHERE k.conversation_id = $1 AND k.id = w.id AND k.month = month_of(w.id)
        """,
        conversation,
        messages,
    )


async def delete_expired(tx: Tx, limit: int) -> int:
    """Forget some messages that have disappeared."""
    return await tx.execute(
        """
        DELETE FROM message_search k
         USING (SELECT conversation_id, id, month FROM message_search WHERE expires_at <= clock_timestamp()
                 ORDER BY expires_at LIMIT $1) AS w
         WHERE k.conversation_id = w.conversation_id AND k.id = w.id AND k.month = w.month
        """,
        limit,
    )


async def delete_closed(tx: Tx, limit: int) -> int:
    """Forget some messages of conversations that are no longer there, and then how far these were read."""
    gone = await tx.execute(
        """
        DELETE FROM message_search k
         USING (SELECT i.conversation_id, i.id, i.month
                  FROM conversations c JOIN search_positions p USING (conversation_id)
                  JOIN message_search i USING (conversation_id)
                 WHERE c.deleted_at IS NOT NULL LIMIT $1) AS w
         WHERE k.conversation_id = w.conversation_id AND k.id = w.id AND k.month = w.month
        """,
        limit,
    )
    if gone:
        return gone
    return await tx.execute(
        """
        WITH closed AS (
          SELECT p.conversation_id FROM search_positions p JOIN conversations c USING (conversation_id)
           WHERE c.deleted_at IS NOT NULL LIMIT $1
        ), spans AS (
          DELETE FROM search_spans s USING closed WHERE s.conversation_id = closed.conversation_id
        )
        DELETE FROM search_positions p USING closed WHERE p.conversation_id = closed.conversation_id
        """,
        limit,
    )


# What was missed ------------------------------------------------------------------------------------------------------


async def select_lagging(reader: Reader, conversations: Sequence[ConversationId]) -> list[ConversationId]:
    """Those of some conversations whose log goes on after what was read."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id
          FROM conversations c
          JOIN heads h USING (conversation_id)
          LEFT JOIN search_positions p USING (conversation_id)
         WHERE c.conversation_id = ANY ($1::uuid[]) AND c.encryption_mode = 'server' AND c.deleted_at IS NULL
           AND (p.id IS NULL OR p.id < h.last_id)
        """,
        conversations,
    )
    return [row["conversation_id"] for row in rows]


async def select_all_lagging(reader: Reader) -> list[ConversationId]:
    """Every conversation whose log goes on after what was read, or that is new or in another language to the index."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id
          FROM conversations c
          JOIN heads h USING (conversation_id)
          LEFT JOIN search_positions p USING (conversation_id)
          LEFT JOIN room_search r USING (conversation_id)
         WHERE c.encryption_mode = 'server' AND c.deleted_at IS NULL
           AND (p.id IS NULL OR p.id < h.last_id OR p.language <> c.language
                OR r.updated_at IS DISTINCT FROM c.updated_at)
        """
    )
    return [row["conversation_id"] for row in rows]


async def select_one_behind(reader: Reader, after: ConversationId) -> ConversationId | None:
    """The next conversation, in the order of ids and round, of which older messages are still to be read."""
    found: ConversationId | None = await reader.fetchval(
        """
        SELECT conversation_id FROM search_positions WHERE behind IS NOT NULL
         ORDER BY conversation_id <= $1, conversation_id LIMIT 1
        """,
        after,
    )
    return found
