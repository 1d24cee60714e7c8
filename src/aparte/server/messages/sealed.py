"""SQL of sealed entries: the log of an encrypted conversation as one device reads it, and envelopes.

Plans of reading are pinned (`Database.read_log`), and both tables are merged as in `pages`. A device is handed its own
envelopes alone, and none that it has acknowledged.
"""

from collections.abc import Sequence

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.messages.envelopes import envelope_of, own_of
from aparte.server.messages.model import Acknowledged
from aparte.server.messages.rendering import digest_of, entry_of
from aparte.wire.ids import ConversationId, DeviceId, EntryId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope, Sealed


async def select_entries(
    reader: Reader, conversation: ConversationId, device: DeviceId, after: EntryId, limit: int
) -> list[Entry]:
    """The log after an entry, every kind in order; of what is deleted, expired or erased only the digest.

    Envelopes are handed over all the same: they keep sessions and chains going.
    """
    rows = await reader.fetch(
        """
        SELECT u.*, p.roster, k.envelopes, k.group_key, d.type, d.body AS distribution,
               coalesce(t.is_deleted, false) AS is_target_deleted
          FROM (
            (SELECT m.id, m.seq, 1::smallint AS kind, m.account_id, m.device_id, m.client_message_id, m.ordinal,
                    m.target_seq, m.target_id, m.target, m.epoch, m.counter, m.prev, m.sealed, m.sealed_hash,
                    m.expires_at, NULL::jsonb AS body, m.deletion_id IS NOT NULL AS is_deleted,
                    coalesce(m.expires_at <= clock_timestamp(), false) AS is_expired
               FROM messages m WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3)
            UNION ALL
            (SELECT e.id, e.seq, e.kind, e.account_id, e.device_id, e.client_message_id, NULL, e.target_seq,
                    e.target_id, e.target, e.epoch, e.counter, e.prev, e.sealed, e.sealed_hash,
                    NULL, e.body, false, false
               FROM entries e WHERE e.conversation_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3)
          ) u
          LEFT JOIN LATERAL (SELECT x.roster FROM epochs x WHERE x.conversation_id = $1 AND x.epoch = u.epoch
                              LIMIT 1) p ON true
          LEFT JOIN LATERAL (SELECT x.envelopes, x.group_key FROM message_key_sets x
                              WHERE x.conversation_id = $1 AND x.seq = u.seq AND u.seq > $4 LIMIT 1) k ON true
          LEFT JOIN LATERAL (SELECT x.type, x.body FROM distributions x
                              WHERE x.conversation_id = $1 AND x.device_id = $5 AND x.seq = u.seq AND u.seq > $4
                                AND u.epoch IS NOT NULL AND k.envelopes IS NULL LIMIT 1) d ON true
          LEFT JOIN LATERAL (SELECT u.kind = 2 AND m.deletion_id IS NOT NULL
                                     OR coalesce(m.expires_at <= clock_timestamp(), false) AS is_deleted
                               FROM messages m WHERE m.conversation_id = $1 AND m.id = u.target_id AND u.kind IN (2, 4)
                              LIMIT 1) t ON true
         ORDER BY u.id LIMIT $3
        """,
        conversation,
        after,
        limit,
        await select_stored(reader, conversation, device),
        device,
    )
    return [entry_of(row, sealed_of(row, device) if row["epoch"] is not None else None) for row in rows]


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


def sealed_of(row: Row, device: DeviceId) -> Sealed:
    """Render what was sealed: for who may still read it, or its digest, which outlives it."""
    content = row["sealed"]
    is_withheld = row["is_deleted"] or row["is_expired"] or row["is_target_deleted"] or content is None
    return Sealed(
        epoch=row["epoch"],
        roster=row["roster"],
        counter=row["counter"],
        prev=row["prev"],
        target=row["target"],
        sealed=None if is_withheld else content,
        digest=digest_of(row) if is_withheld else None,
        envelope=envelope_in(row, device),
        key=row["group_key"],
    )


def envelope_in(row: Row, device: DeviceId) -> Envelope | None:
    """Find what is for one device alone: the entry's key, or in a group its sender's chain."""
    if row["type"] is not None:
        return envelope_of(device, row["type"], row["distribution"])
    return own_of(row["envelopes"], device) if row["envelopes"] else None


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
