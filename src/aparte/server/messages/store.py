"""SQL of messages: the batch, single messages, and the housekeeping of what is past its time."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.messages.envelopes import pack
from aparte.server.messages.model import REFUSED, STORED, Outgoing, Repeat, Target, Verdict
from aparte.server.messages.rendering import hash_of
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.kinds import MESSAGE

SEND = """
    SELECT o_outcome, o_id, o_seq, o_ordinal, o_known, o_known_hash, o_commits, o_expires_at
      FROM send_v4($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                   $23, $24, $25, $26, $27, $28, $29, $30, $31)
"""


def columns(batch: Sequence[Outgoing]) -> list[Sequence[Any] | None]:
    """Lay a batch out as the arrays of `send_v4`, but for its last argument; one that would say nothing is no array."""
    laid = zip(*(row_of(message) for message in batch), strict=True)
    return [None if column[0] is None and column.count(None) == len(column) else column for column in laid]


def row_of(m: Outgoing) -> tuple[Any, ...]:
    """One message as `send_v4` takes it; a readable one has nothing in the columns of sealed ones."""
    told = (m.conversation, m.account, m.device, m.client_message_id, m.digest, m.content)
    s, beside = m.sealing, beside_of(m)
    if s is None:
        root = (m.bonds.root.seq, m.bonds.root.id) if m.bonds and m.bonds.root else (None, None)
        refused = REFUSED if m.refusal else STORED
        return (*told, MESSAGE, *(None,) * 7, refused, None, *root, *(None,) * 6, *beside)
    target = (s.target.seq, s.target.id, s.target_hash) if s.target else (None, None, None)
    head = (s.kind, s.sealed, s.epoch, s.roster, s.counter, s.prev, s.hash)
    cover = (s.cover.uncovered, pack(s.cover.envelopes))
    group = (s.group_key, s.chain, listed(s.cover.commits))
    return (*told, *head, s.peer, *cover, *target, s.tag, s.is_on, *group, *beside)


def beside_of(m: Outgoing) -> tuple[Any, ...]:
    """What ties a message to others, how long it stays, and whether the word lists have been asked."""
    bonds, is_screened = m.bonds, m.screening is None
    if bonds is None:
        return (*(None,) * 5, is_screened)
    named = (listed(bonds.references or None), listed(bonds.mentions or None))
    return (bonds.reply, *named, bonds.source, bonds.ttl, is_screened)


def listed(ids: Collection[UUID] | None) -> str | None:
    """Write ids as the text of an array: rows of a batch have different numbers of them."""
    return None if ids is None else "{" + ",".join(one.hex for one in ids) + "}"


async def send(connection: Any, batch: Sequence[Outgoing], *, wait: bool) -> list[Verdict]:
    """Write a batch: one function, one round trip, one commit, one verdict for each message in order.

    `connection` is one of the writer's own, whose jsonb codec takes JSON bytes as they are; for sealed entries any
    transaction will do. With `wait` the function waits for locked conversations; without, it answers `again` for them.
    """
    rows: list[Row] = await connection.fetch(SEND, *columns(batch), wait)
    return [
        Verdict(
            row["o_outcome"],
            row["o_id"],
            row["o_seq"],
            row["o_ordinal"],
            row["o_known"],
            row["o_known_hash"],
            row["o_commits"],
            row["o_expires_at"],
        )
        for row in rows
    ]


async def select_target(tx: Tx, conversation: ConversationId, message: EntryId) -> Target | None:
    """The message that somebody wants to change, a sealed one with its hash; the head is locked, so it holds still.

    One that has expired counts as erased.
    """
    row = await tx.fetchrow(
        """
        SELECT m.seq, m.id, m.account_id, m.device_id, m.client_message_id, m.ordinal, m.deletion_id,
               m.erased_at IS NOT NULL OR coalesce(m.expires_at <= clock_timestamp(), false) AS is_erased,
               m.target_id IS NOT NULL AS is_reply, m.epoch, m.counter, m.prev, m.target, m.sealed, m.sealed_hash,
               p.roster, d.account_id AS deleted_by
          FROM messages m
          LEFT JOIN epochs p ON p.conversation_id = m.conversation_id AND p.epoch = m.epoch
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
        hash_of(conversation, row) if row["roster"] is not None else None,
        row["is_reply"],
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


async def select_erasable(
    reader: Reader, before: EntryId, after: tuple[ConversationId, int], limit: int
) -> list[tuple[ConversationId, int, EntryId]]:
    """Deleted messages whose recovery window is over, after one of them: conversation, ordinal, id, in this order."""
    rows = await reader.fetch(
        """
        SELECT conversation_id, ordinal, id FROM messages
         WHERE deletion_id IS NOT NULL AND deletion_id < $1 AND erased_at IS NULL
           AND (conversation_id, ordinal) > ($2, $3)
         ORDER BY conversation_id, ordinal LIMIT $4
        """,
        before,
        *after,
        limit,
    )
    return [(row["conversation_id"], row["ordinal"], row["id"]) for row in rows]


async def update_erased(tx: Tx, conversation: ConversationId, message: EntryId, before: EntryId) -> bool:
    """Empty a message that was deleted before an entry id, leaving its skeleton; of a sealed one its digest, so that
    the chain of hashes holds. False if it has come back, or is empty already."""
    return bool(
        await tx.execute(
            """
            UPDATE messages
               SET content = NULL, sealed = NULL, sealed_hash = sha256(sealed), erased_at = clock_timestamp()
             WHERE conversation_id = $1 AND id = $2 AND deletion_id < $3 AND erased_at IS NULL
            """,
            conversation,
            message,
            before,
        )
    )


async def delete_sends(tx: Tx, before: EntryId, limit: int) -> int:
    """Forget client ids older than an entry id."""
    return await tx.execute(
        "DELETE FROM sends WHERE ctid = ANY (ARRAY(SELECT ctid FROM sends WHERE id < $1 LIMIT $2))", before, limit
    )
