"""SQL of reactions: who has set which, and how many of each there are. Written under the head's lock."""

from datetime import datetime
from typing import LiteralString, NamedTuple

from aparte.server.kit.db import Reader, Tx
from aparte.server.messages.marks import Mine, Setting
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position, time_of

_SET: LiteralString = """
    INSERT INTO reactions (conversation_id, message_id, mark, account_id, id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
"""
_TAKEN: LiteralString = """
    DELETE FROM reactions
     WHERE conversation_id = $1 AND message_id = $2 AND mark = $3 AND account_id = $4 AND id < $5
"""


class Reactor(NamedTuple):
    """Who has set a reaction, and when."""

    id: EntryId
    account: AccountId
    at: datetime


async def upsert(tx: Tx, setting: Setting, entry_id: EntryId, *, on: bool) -> bool:
    """Write what an entry sets or takes back; False where it was so already."""
    statement = _SET if on else _TAKEN
    return bool(
        await tx.execute(statement, setting.conversation, setting.message, setting.mark, setting.account, entry_id)
    )


async def add_one(tx: Tx, setting: Setting, entry_id: EntryId) -> None:
    """Count one more of an emoji; the first brings it."""
    await tx.execute(
        """
        INSERT INTO reaction_counts (conversation_id, message_id, mark, first_id, reaction_count)
        VALUES ($1, $2, $3, $4, 1)
        ON CONFLICT (conversation_id, message_id, mark) DO UPDATE
           SET reaction_count = reaction_counts.reaction_count + 1
        """,
        setting.conversation,
        setting.message,
        setting.mark,
        entry_id,
    )


async def take_one(tx: Tx, setting: Setting) -> None:
    """Count one less of an emoji; with the last one it is gone."""
    last = await tx.execute(
        """
        DELETE FROM reaction_counts
         WHERE conversation_id = $1 AND message_id = $2 AND mark = $3 AND reaction_count = 1
        """,
        setting.conversation,
        setting.message,
        setting.mark,
    )
    if not last:
        await tx.execute(
            """
            UPDATE reaction_counts SET reaction_count = reaction_count - 1
             WHERE conversation_id = $1 AND message_id = $2 AND mark = $3
            """,
            setting.conversation,
            setting.message,
            setting.mark,
        )


async def select_mine(tx: Tx, setting: Setting) -> Mine:
    """What one person has set on a message, beside one reaction that they set or take back."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM reactions r
                 WHERE r.conversation_id = $1 AND r.message_id = $2 AND r.account_id = $4) AS mine,
               (SELECT count(*) FROM reaction_counts c WHERE c.conversation_id = $1 AND c.message_id = $2) AS different,
               EXISTS (SELECT 1 FROM reaction_counts c
                        WHERE c.conversation_id = $1 AND c.message_id = $2 AND c.mark = $3) AS is_there,
               e.seq, e.id
          FROM (SELECT 1) one
          LEFT JOIN (SELECT x.seq, x.id FROM reactions r JOIN entries x USING (conversation_id, id)
                      WHERE r.conversation_id = $1 AND r.message_id = $2 AND r.mark = $3 AND r.account_id = $4) e
            ON true
        """,
        setting.conversation,
        setting.message,
        setting.mark,
        setting.account,
    )
    assert row is not None  # noqa: S101 - a row of its own
    at = Position(row["seq"], row["id"]) if row["id"] else None
    return Mine(row["mine"], row["is_there"], row["different"], at)


async def select_reactors(reader: Reader, setting: Setting, after: EntryId, limit: int) -> list[Reactor]:
    """Who has set a reaction after an entry, in order of time."""
    rows = await reader.fetch(
        """
        SELECT id, account_id FROM reactions
         WHERE conversation_id = $1 AND message_id = $2 AND mark = $3 AND id > $4 ORDER BY id LIMIT $5
        """,
        setting.conversation,
        setting.message,
        setting.mark,
        after,
        limit,
    )
    return [Reactor(row["id"], row["account_id"], time_of(row["id"])) for row in rows]


async def delete_all(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Forget the reactions to a message whose words are erased."""
    await tx.execute(
        """
        WITH counts AS (DELETE FROM reaction_counts WHERE conversation_id = $1 AND message_id = $2)
        DELETE FROM reactions WHERE conversation_id = $1 AND message_id = $2
        """,
        conversation,
        message,
    )


async def update_wrong(tx: Tx, conversation: ConversationId) -> int:
    """Count the reactions of every readable message of a conversation anew, and correct what is wrong; tells how many
    were."""
    return await tx.execute(
        """
        WITH counted AS (
          SELECT r.message_id, r.mark, count(*) AS n, (array_agg(r.id ORDER BY r.id))[1] AS first_id
            FROM reactions r JOIN heads h ON h.conversation_id = r.conversation_id AND h.roster IS NULL
           WHERE r.conversation_id = $1 GROUP BY r.message_id, r.mark
        ), gone AS (
          DELETE FROM reaction_counts c WHERE c.conversation_id = $1
             AND NOT EXISTS (SELECT 1 FROM counted n WHERE n.message_id = c.message_id AND n.mark = c.mark)
          RETURNING 1
        ), written AS (
          INSERT INTO reaction_counts AS c (conversation_id, message_id, mark, first_id, reaction_count)
          SELECT $1, n.message_id, n.mark, n.first_id, n.n FROM counted n
          ON CONFLICT (conversation_id, message_id, mark) DO UPDATE SET reaction_count = excluded.reaction_count
           WHERE c.reaction_count <> excluded.reaction_count
          RETURNING 1
        )
        SELECT 1 FROM gone UNION ALL SELECT 1 FROM written
        """,
        conversation,
    )
