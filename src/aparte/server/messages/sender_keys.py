"""SQL of sender keys: chains of devices, what others need to read them, and when the keys of groups are erased.

A distribution is pending until an entry names its chain (`send_v4`), and nobody is given it before. Uploads and entries
both hold the conversation's head.
"""

from collections.abc import Sequence
from datetime import datetime

from aparte.server.kit.db import Reader, Tx
from aparte.server.messages.model import LATE_MINUTES, PENDING_MINUTES, Acknowledged, ChainState
from aparte.wire.ids import ConversationId, DeviceId, EntryId
from aparte.wire.sealed import Envelope


async def select_chain(reader: Reader, conversation: ConversationId, sender: DeviceId, chain: int) -> ChainState:
    """What is known of a chain, in one statement: what was committed meanwhile is in one of the two."""
    row = await reader.fetchrow(
        """
        SELECT (SELECT g.complete FROM sender_chains g
                 WHERE g.conversation_id = $1 AND g.device_id = $2 AND g.chain_id = $3) AS complete,
               ARRAY(SELECT z.device_id FROM distributions z
                      WHERE z.conversation_id = $1 AND z.sender_device_id = $2 AND z.chain_id = $3 AND z.seq IS NULL
                        AND (z.id > id_at(clock_timestamp() - make_interval(mins => $4))
                             OR z.kept_until > clock_timestamp())) AS pending
        """,
        conversation,
        sender,
        chain,
        PENDING_MINUTES,
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM returns its row
    return ChainState(row["complete"], frozenset(row["pending"]))


async def delete_other_chains(tx: Tx, conversation: ConversationId, sender: DeviceId, chain: int, most: int) -> int:
    """Forget what is pending of a device's chains beside this one, but for the newest of them."""
    return await tx.execute(
        """
        DELETE FROM distributions
         WHERE conversation_id = $1 AND sender_device_id = $2 AND seq IS NULL AND chain_id IN (
           SELECT z.chain_id FROM distributions z
            WHERE z.conversation_id = $1 AND z.sender_device_id = $2 AND z.chain_id <> $3 AND z.seq IS NULL
            GROUP BY z.chain_id ORDER BY max(z.id::text COLLATE "C") DESC OFFSET $4)
        """,
        conversation,
        sender,
        chain,
        most,
    )


async def upsert_distributions(
    tx: Tx, conversation: ConversationId, sender: DeviceId, chain: int, epoch: int, envelopes: Sequence[Envelope]
) -> None:
    """Keep distributions until an entry names the chain; uploading again replaces what is pending still.

    What an entry has committed stays as it is: its device may be reading it. The next entry brings what came since.
    """
    await tx.execute(
        """
        INSERT INTO distributions (conversation_id, sender_device_id, chain_id, device_id, id, epoch, type, body)
        SELECT $1, $2, $3, u.device_id, id_now(clock_timestamp()), $4, u.type, u.body
          FROM unnest($5::uuid[], $6::smallint[], $7::bytea[]) AS u (device_id, type, body)
        ON CONFLICT (conversation_id, sender_device_id, chain_id, device_id) WHERE seq IS NULL
           DO UPDATE SET id = excluded.id, epoch = excluded.epoch, type = excluded.type, body = excluded.body
        """,
        conversation,
        sender,
        chain,
        epoch,
        [envelope.device for envelope in envelopes],
        [envelope.type for envelope in envelopes],
        [envelope.body for envelope in envelopes],
    )


async def update_kept(tx: Tx, conversation: ConversationId, sender: DeviceId, chain: int, until: datetime) -> None:
    """Keep what is pending of a chain until a moment: a scheduled message names it."""
    await tx.execute(
        """
        UPDATE distributions SET kept_until = greatest(kept_until, $4)
         WHERE conversation_id = $1 AND sender_device_id = $2 AND chain_id = $3 AND seq IS NULL
        """,
        conversation,
        sender,
        chain,
        until,
    )


async def update_has_pending(tx: Tx, conversation: ConversationId, sender: DeviceId, chain: int) -> None:
    """Let the next entry of a chain that is in use look for what is pending."""
    await tx.execute(
        """
        UPDATE sender_chains SET has_pending = true
         WHERE conversation_id = $1 AND device_id = $2 AND chain_id = $3 AND NOT has_pending
        """,
        conversation,
        sender,
        chain,
    )


async def forget_acknowledged(tx: Tx, marks: Sequence[Acknowledged]) -> int:
    """Forget the distributions that their devices have."""
    forgotten: int = await tx.fetchval(
        "SELECT forget_distributions_v1($1, $2, $3)",
        [mark.conversation for mark in marks],
        [mark.device for mark in marks],
        [mark.up_to for mark in marks],
    )
    return forgotten


async def select_groups(reader: Reader, after: ConversationId, limit: int) -> list[ConversationId]:
    """Groups in the order of their ids that have keys or distributions to be erased one day."""
    rows = await reader.fetch(
        """
        SELECT c.conversation_id FROM conversations c
         WHERE c.conversation_id > $1 AND c.encryption_mode = 'e2ee' AND c.kind NOT IN ('direct', 'self')
           AND (EXISTS (SELECT 1 FROM message_key_sets k WHERE k.conversation_id = c.conversation_id)
                OR EXISTS (SELECT 1 FROM distributions z WHERE z.conversation_id = c.conversation_id))
         ORDER BY c.conversation_id LIMIT $2
        """,
        after,
        limit,
    )
    return [row["conversation_id"] for row in rows]


async def erase_group_keys(tx: Tx, conversations: Sequence[ConversationId], dormant_days: int) -> int:
    """Erase the keys of entries that every device has which can read now, and what is for those that cannot."""
    erased: int = await tx.fetchval(
        "SELECT erase_group_keys_v1($1, make_interval(days => $2))", conversations, dormant_days
    )
    return erased


async def delete_pending(tx: Tx, limit: int) -> int:
    """Forget distributions that no entry has committed in time."""
    return await tx.execute(
        """
        DELETE FROM distributions WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM distributions
           WHERE seq IS NULL AND id < id_at(clock_timestamp() - make_interval(mins => $1))
             AND (kept_until > clock_timestamp()) IS NOT TRUE LIMIT $2)) AND seq IS NULL
        """,
        LATE_MINUTES,
        limit,
    )


async def delete_old(tx: Tx, before: EntryId, limit: int) -> int:
    """Forget distributions of entries older than an id."""
    return await tx.execute(
        "DELETE FROM distributions WHERE ctid = ANY (ARRAY(SELECT ctid FROM distributions WHERE id < $1 LIMIT $2))",
        before,
        limit,
    )
