"""SQL of sealed entries: the log of an encrypted conversation as one device reads it, targets, envelopes.

Plans of reading are pinned (`Database.read_log`), and both tables are merged as in `pages`. A device is handed its own
envelopes alone, and none that it has acknowledged.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from aparte.e2ee.entry import ZERO_HASH, entry_hash
from aparte.e2ee.entry import Head as SealedHead
from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.messages.envelopes import own_of
from aparte.server.messages.model import Acknowledged, Target
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, DeviceId, EntryId, Position, time_of
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

_BODIES = {number: msgspec.json.Decoder(kind.body) for number, kind in kinds.KINDS.items()}


async def select_entries(
    reader: Reader, conversation: ConversationId, device: DeviceId, after: EntryId, limit: int
) -> list[Entry]:
    """The log after an entry, every kind in order; of what is deleted or erased only the digest."""
    rows = await reader.fetch(
        """
        SELECT u.*, p.roster, k.envelopes, coalesce(t.is_deleted, false) AS is_target_deleted
          FROM (
            (SELECT m.id, m.seq, 1::smallint AS kind, m.account_id, m.device_id, m.client_message_id, m.ordinal,
                    m.target_seq, m.target_id, m.target, m.epoch, m.counter, m.prev, m.sealed, m.sealed_hash,
                    NULL::jsonb AS body, m.deletion_id IS NOT NULL AS is_deleted
               FROM messages m WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3)
            UNION ALL
            (SELECT e.id, e.seq, e.kind, e.account_id, e.device_id, e.client_message_id, NULL, e.target_seq,
                    e.target_id, e.target, e.epoch, e.counter, e.prev, e.sealed, e.sealed_hash, e.body, false
               FROM entries e WHERE e.conversation_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3)
          ) u
          LEFT JOIN LATERAL (SELECT x.roster FROM epochs x WHERE x.conversation_id = $1 AND x.epoch = u.epoch
                              LIMIT 1) p ON true
          LEFT JOIN LATERAL (SELECT x.envelopes FROM message_key_sets x WHERE x.conversation_id = $1 AND x.seq = u.seq
                                AND u.seq > $4 LIMIT 1) k ON true
          LEFT JOIN LATERAL (SELECT m.deletion_id IS NOT NULL AS is_deleted FROM messages m
                              WHERE m.conversation_id = $1 AND m.id = u.target_id AND u.kind = 2 LIMIT 1) t ON true
         ORDER BY u.id LIMIT $3
        """,
        conversation,
        after,
        limit,
        await select_stored(reader, conversation, device),
    )
    return [entry_of(row, device) for row in rows]


async def select_stored(reader: Reader, conversation: ConversationId, device: DeviceId) -> int:
    """Up to where a device has acknowledged, 0 if nothing; what was read was stored."""
    seq: int = await reader.fetchval(
        """
        SELECT greatest(0, (SELECT max(up_to_seq) FROM receipts
                             WHERE conversation_id = $1 AND kind = 'delivered' AND device_id = $2),
                           (SELECT max(up_to_seq) FROM receipts
                             WHERE conversation_id = $1 AND kind = 'read' AND device_id = $2))
        """,
        conversation,
        device,
    )
    return seq


def entry_of(row: Row, device: DeviceId) -> Entry:
    """Render an entry for one device."""
    kind, body = row["kind"], row["body"]
    if body is not None:
        body = _BODIES[kind].decode(body) if kind in _BODIES else msgspec.json.decode(body)
    return Entry(
        seq=row["seq"],
        id=row["id"],
        kind=kind,
        at=time_of(row["id"]),
        account=row["account_id"],
        device=row["device_id"],
        client_message_id=row["client_message_id"],
        ordinal=row["ordinal"],
        target=Position(row["target_seq"], row["target_id"]) if row["target_id"] else None,
        body=body,
        sealed=sealed_of(row, device) if row["epoch"] is not None else None,
    )


def sealed_of(row: Row, device: DeviceId) -> Sealed:
    """Render what was sealed: for who may still read it, or its digest, which outlives it."""
    content = row["sealed"]
    is_withheld = row["is_deleted"] or row["is_target_deleted"] or content is None
    return Sealed(
        epoch=row["epoch"],
        roster=row["roster"],
        counter=row["counter"],
        prev=row["prev"],
        target=row["target"],
        sealed=None if is_withheld else content,
        digest=digest_of(row) if is_withheld else None,
        envelope=own_of(row["envelopes"], device) if row["envelopes"] else None,
    )


def digest_of(row: Row) -> bytes:
    """SHA-256 of what was sealed: kept once it is erased."""
    content: bytes | None = row["sealed"]
    digest: bytes = row["sealed_hash"] if content is None else hashlib.sha256(content).digest()
    return digest


async def select_target(tx: Tx, conversation: ConversationId, message: EntryId) -> Target | None:
    """The message that a sealed entry aims at, with its hash; the head is locked, so it holds still."""
    row = await tx.fetchrow(
        """
        SELECT m.seq, m.id, m.account_id, m.device_id, m.client_message_id, m.ordinal, m.deletion_id,
               m.erased_at IS NOT NULL AS is_erased, m.epoch, m.counter, m.prev, m.target, m.sealed, m.sealed_hash,
               p.roster, d.account_id AS deleted_by
          FROM messages m
          JOIN epochs p ON p.conversation_id = m.conversation_id AND p.epoch = m.epoch
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
        hash_of(conversation, row),
    )


def hash_of(conversation: ConversationId, row: Row) -> bytes:
    """Name a stored message as its readers do: its head is rebuilt from its row."""
    head = SealedHead(
        kinds.MESSAGE,
        conversation.bytes,
        row["account_id"].bytes,
        row["device_id"].bytes,
        row["epoch"],
        row["roster"],
        row["counter"],
        row["client_message_id"].bytes,
        row["prev"],
        row["target"] or ZERO_HASH,
    )
    return entry_hash(head, digest_of(row))


async def delete_acknowledged(tx: Tx, marks: Sequence[Acknowledged]) -> int:
    """Erase the envelopes in these ranges that nobody waits for: every device has them, or is active no more."""
    erased: int = await tx.fetchval(
        "SELECT erase_envelopes_v1($1, $2, $3)",
        [mark.conversation for mark in marks],
        [mark.after for mark in marks],
        [mark.up_to for mark in marks],
    )
    return erased


async def delete_envelopes(tx: Tx, before: EntryId, limit: int) -> int:
    """Erase the envelopes of entries older than an id."""
    return await tx.execute(
        """
        DELETE FROM message_key_sets
         WHERE ctid = ANY (ARRAY(SELECT ctid FROM message_key_sets WHERE id < $1 LIMIT $2))
        """,
        before,
        limit,
    )
