"""SQL of messages: the batch, single messages, and the housekeeping of what is past its time."""

from collections.abc import Sequence
from typing import Any

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.messages.model import Outgoing, Repeat, Target, Verdict
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position

SEND = "SELECT o_outcome, o_id, o_seq, o_ordinal FROM send_v1($1, $2, $3, $4, $5, $6, $7)"


async def send(connection: Any, batch: Sequence[Outgoing], *, wait: bool) -> list[Verdict]:
    """Write a batch: one function, one round trip, one commit, one verdict for each message in order.

    `connection` is one of the writer's own, whose jsonb codec takes JSON bytes as they are. With `wait` the function
    waits for locked conversations; without, it answers `again` for them.
    """
    rows: list[Row] = await connection.fetch(
        SEND,
        [m.conversation for m in batch],
        [m.account for m in batch],
        [m.device for m in batch],
        [m.client_message_id for m in batch],
        [m.digest for m in batch],
        [m.content for m in batch],
        wait,
    )
    return [Verdict(row["o_outcome"], row["o_id"], row["o_seq"], row["o_ordinal"]) for row in rows]


async def select_target(tx: Tx, conversation: ConversationId, message: EntryId) -> Target | None:
    """The message that somebody wants to change; the head is locked, so it holds still."""
    row = await tx.fetchrow(
        """
        SELECT m.seq, m.id, m.account_id, m.ordinal, m.deletion_id, m.erased_at IS NOT NULL AS is_erased,
               d.account_id AS deleted_by
          FROM messages m
          LEFT JOIN entries d ON d.conversation_id = m.conversation_id AND d.id = m.deletion_id
         WHERE m.conversation_id = $1 AND m.id = $2
        """,
        conversation,
        message,
    )
    if row is None:
        return None
    return Target(
        Position(row["seq"], row["id"]),
        row["account_id"],
        row["ordinal"],
        row["deletion_id"],
        row["deleted_by"],
        row["is_erased"],
    )


async def select_repeat(
    tx: Tx, conversation: ConversationId, device: DeviceId, client_message_id: ClientMessageId
) -> Repeat | None:
    """What this client id did before, if it did anything in the last 30 days."""
    row = await tx.fetchrow(
        """
        SELECT id, seq, digest FROM sends WHERE conversation_id = $1 AND device_id = $2 AND client_message_id = $3
        """,
        conversation,
        device,
        client_message_id,
    )
    return Repeat(Position(row["seq"], row["id"]), row["digest"]) if row else None


async def insert_send(
    tx: Tx, conversation: ConversationId, device: DeviceId, client_message_id: ClientMessageId, done: Repeat
) -> None:
    """Remember what a client id did."""
    await tx.execute(
        """
        INSERT INTO sends (conversation_id, device_id, client_message_id, id, seq, digest)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        conversation,
        device,
        client_message_id,
        done.position.id,
        done.position.seq,
        done.digest,
    )


async def update_edited(tx: Tx, conversation: ConversationId, message: EntryId, edit: EntryId) -> None:
    """Name the newest edit of a message."""
    await tx.execute(
        """
        UPDATE messages SET edit_id = $3, edit_count = edit_count + 1 WHERE conversation_id = $1 AND id = $2
        """,
        conversation,
        message,
        edit,
    )


async def update_deleted(tx: Tx, conversation: ConversationId, message: EntryId, deletion: EntryId | None) -> None:
    """Mark a message as deleted for everyone by an entry, or take the mark off."""
    await tx.execute(
        "UPDATE messages SET deletion_id = $3 WHERE conversation_id = $1 AND id = $2", conversation, message, deletion
    )


async def insert_hidden(
    tx: Tx, account: AccountId, conversation: ConversationId, message: EntryId, ordinal: int
) -> bool:
    """Hide a message from one person; tells whether it was visible before."""
    return bool(
        await tx.execute(
            """
            INSERT INTO hidden_messages (account_id, conversation_id, id, ordinal) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            """,
            account,
            conversation,
            message,
            ordinal,
        )
    )


async def select_mark(reader: Reader, conversation: ConversationId, at: EntryId) -> tuple[Position, int] | None:
    """Find the position of an entry and the ordinal that is read when one has read up to it."""
    row = await reader.fetchrow(
        """
        SELECT x.seq, (SELECT m.ordinal FROM messages m WHERE m.conversation_id = $1 AND m.id <= $2
                        ORDER BY m.id DESC LIMIT 1) AS ordinal
          FROM (SELECT seq FROM messages WHERE conversation_id = $1 AND id = $2
                UNION ALL SELECT seq FROM entries WHERE conversation_id = $1 AND id = $2) AS x
        """,
        conversation,
        at,
    )
    return (Position(row["seq"], at), row["ordinal"] or 0) if row else None


async def select_erasable(reader: Reader, before: EntryId, limit: int) -> list[tuple[ConversationId, EntryId]]:
    """Deleted messages whose recovery window is over."""
    rows = await reader.fetch(
        """
        SELECT conversation_id, id FROM messages
         WHERE deletion_id IS NOT NULL AND deletion_id < $1 AND erased_at IS NULL LIMIT $2
        """,
        before,
        limit,
    )
    return [(row["conversation_id"], row["id"]) for row in rows]


async def update_erased(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Empty a message, leaving its skeleton."""
    await tx.execute(
        """
        UPDATE messages SET content = NULL, erased_at = clock_timestamp()
         WHERE conversation_id = $1 AND id = $2 AND erased_at IS NULL
        """,
        conversation,
        message,
    )


async def delete_sends(tx: Tx, before: EntryId, limit: int) -> int:
    """Forget client ids older than an entry id."""
    return await tx.execute(
        "DELETE FROM sends WHERE ctid = ANY (ARRAY(SELECT ctid FROM sends WHERE id < $1 LIMIT $2))", before, limit
    )
