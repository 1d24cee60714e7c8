"""SQL of entries that were sealed for another roster than ours, and which devices were told what we know."""

from collections.abc import Container
from dataclasses import dataclass
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, ConversationId, DeviceId


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A device whose entry did not fit, and where."""

    conversation: ConversationId
    account: AccountId
    device: DeviceId


def select_due(tx: Tx, me: DeviceId, told_before: int, limit: int) -> list[Disagreement]:
    """Read the devices that were not told of an entry, nor of any since a moment."""
    rows = tx.rows(
        """
        SELECT DISTINCT s.conversation_id, e.account_id, s.device_id
          FROM sealed s JOIN entries e ON e.conversation_id = s.conversation_id AND e.seq = s.seq
          LEFT JOIN disagreements d ON d.device_id = s.device_id
         WHERE s.code = 'roster_mismatch' AND s.is_cleared = 0 AND s.asked_at = 0 AND s.device_id <> ?
           AND coalesce(d.at, 0) < ?
         LIMIT ?
        """,
        me.bytes,
        told_before,
        limit,
    )
    return [
        Disagreement(
            ConversationId(UUID(bytes=conversation)), AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device))
        )
        for conversation, account, device in rows
    ]


def upsert_told(tx: Tx, one: Disagreement, now: int) -> None:
    """Remember that a device was told of what it had sealed there up to here."""
    tx.run("INSERT OR REPLACE INTO disagreements (device_id, at) VALUES (?, ?)", one.device.bytes, now)
    tx.run(
        """
        UPDATE sealed SET asked_at = ?
         WHERE code = 'roster_mismatch' AND is_cleared = 0 AND conversation_id = ? AND device_id = ?
        """,
        now,
        one.conversation.bytes,
        one.device.bytes,
    )


def update_gone(tx: Tx, conversation: ConversationId, devices: Container[bytes]) -> None:
    """What a device has sealed that is not in a group any more, nor anybody's that was never in it, stops nobody."""
    rows = tx.rows(
        """
        SELECT DISTINCT device_id FROM sealed WHERE conversation_id = ? AND code = 'roster_mismatch' AND is_cleared = 0
        """,
        conversation.bytes,
    )
    for (device,) in rows:
        if device not in devices:
            tx.run(
                """
                UPDATE sealed SET is_cleared = 1
                 WHERE conversation_id = ? AND device_id = ? AND code = 'roster_mismatch'
                """,
                conversation.bytes,
                device,
            )
