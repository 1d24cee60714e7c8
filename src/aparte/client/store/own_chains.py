"""SQL of the sender-key chain that this device sends to a group with: its state, and who was given it.

An envelope that gives the chain away stays here until an entry has committed it, so that a repeat is the same bytes.
"""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Row, Tx
from aparte.wire.ids import AccountId, ConversationId, DeviceId

COLUMNS = "device_id, account_id, account_key, type, body, made_at, is_committed, is_due"


@dataclass(frozen=True, slots=True)
class OwnChainRow:
    """The chain of a group. `roster`: whose devices all have it; `look_at`: when to try the unusable ones again."""

    chain_id: int
    record: bytes = field(repr=False)
    first_counter: int
    roster: bytes | None = None
    look_at: int | None = None


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A device that was given the chain; of type 0 if its bundle was unusable. `is_due`: it lacks it all the same."""

    device: DeviceId
    account: AccountId
    account_key: bytes
    type: int
    body: bytes = field(repr=False)
    made_at: int
    is_committed: bool = False
    is_due: bool = False


def select_own_chain(tx: Tx, conversation: ConversationId) -> OwnChainRow | None:
    """Read the chain that this device sends with."""
    row = tx.row(
        "SELECT chain_id, record, first_counter, roster, look_at FROM own_chains WHERE conversation_id = ?",
        conversation.bytes,
    )
    return OwnChainRow(*row) if row else None


def upsert_own_chain(tx: Tx, conversation: ConversationId, row: OwnChainRow) -> None:
    """Keep a chain as it is now."""
    tx.run(
        """
        INSERT OR REPLACE INTO own_chains (conversation_id, chain_id, record, first_counter, roster, look_at)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        conversation.bytes,
        row.chain_id,
        row.record,
        row.first_counter,
        row.roster,
        row.look_at,
    )


def update_record(tx: Tx, conversation: ConversationId, record: bytes) -> None:
    """Keep the chain after a message."""
    tx.run("UPDATE own_chains SET record = ? WHERE conversation_id = ?", record, conversation.bytes)


def update_complete(tx: Tx, conversation: ConversationId, roster: bytes, look_at: int | None) -> None:
    """Every device of this roster that gets the chain has it."""
    tx.run(
        "UPDATE own_chains SET roster = ?, look_at = ? WHERE conversation_id = ?", roster, look_at, conversation.bytes
    )


def update_incomplete(tx: Tx, conversation: ConversationId) -> None:
    """Look again who lacks the chain, and hand over again what no entry has committed."""
    tx.run("UPDATE own_chains SET roster = NULL WHERE conversation_id = ?", conversation.bytes)
    tx.run("UPDATE chain_devices SET uploaded_at = 0 WHERE conversation_id = ?", conversation.bytes)


def delete_own_chain(tx: Tx, conversation: ConversationId) -> None:
    """Forget a chain, and who was given it."""
    tx.run("DELETE FROM own_chains WHERE conversation_id = ?", conversation.bytes)
    tx.run("DELETE FROM chain_devices WHERE conversation_id = ?", conversation.bytes)


def given_row(row: Row) -> GivenRow:
    """Build a GivenRow."""
    device, account, account_key, kind, body, made_at, is_committed, is_due = row
    ids = DeviceId(UUID(bytes=device)), AccountId(UUID(bytes=account))
    return GivenRow(*ids, account_key, kind, body, made_at, bool(is_committed), bool(is_due))


def upsert_given(tx: Tx, conversation: ConversationId, row: GivenRow) -> None:
    """Keep the envelope for a device."""
    tx.run(
        f"""
        INSERT OR REPLACE INTO chain_devices (conversation_id, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,  # noqa: S608 - constant
        conversation.bytes,
        row.device.bytes,
        row.account.bytes,
        row.account_key,
        row.type,
        row.body,
        row.made_at,
        int(row.is_committed),
        int(row.is_due),
    )


def select_given(tx: Tx, conversation: ConversationId) -> dict[DeviceId, GivenRow]:
    """Read who was given the chain."""
    rows = tx.rows(f"SELECT {COLUMNS} FROM chain_devices WHERE conversation_id = ?", conversation.bytes)  # noqa: S608 - constant
    return {found.device: found for found in map(given_row, rows)}


def count_pending(tx: Tx, conversation: ConversationId, uploaded_before: int) -> int:
    """Count the envelopes that no entry has committed and that the server was not given since a moment."""
    row = tx.row(
        """
        SELECT count(*) FROM chain_devices INDEXED BY chain_devices_due_idx
         WHERE conversation_id = ? AND is_committed = 0 AND uploaded_at < ?
        """,
        conversation.bytes,
        uploaded_before,
    )
    return int(row[0]) if row else 0


def select_pending(tx: Tx, conversation: ConversationId, uploaded_before: int, limit: int) -> list[GivenRow]:
    """Read those envelopes, in the order of their devices."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM chain_devices INDEXED BY chain_devices_due_idx
         WHERE conversation_id = ? AND is_committed = 0 AND uploaded_at < ? ORDER BY device_id LIMIT ?
        """,  # noqa: S608 - constant
        conversation.bytes,
        uploaded_before,
        limit,
    )
    return [given_row(row) for row in rows]


def update_uploaded(tx: Tx, conversation: ConversationId, devices: list[DeviceId], now: int) -> None:
    """Remember when the server was given the envelopes of these devices."""
    tx.run_many(
        "UPDATE chain_devices SET uploaded_at = ? WHERE conversation_id = ? AND device_id = ?",
        [(now, conversation.bytes, device.bytes) for device in devices],
    )


def update_committed(tx: Tx, conversation: ConversationId) -> None:
    """An entry has committed what the server was given: the envelopes are of no use any more."""
    tx.run(
        """
        UPDATE chain_devices INDEXED BY chain_devices_due_idx SET is_committed = 1, body = x''
         WHERE conversation_id = ? AND is_committed = 0 AND uploaded_at > 0
        """,
        conversation.bytes,
    )


def update_due(tx: Tx, conversation: ConversationId, device: DeviceId) -> bool:
    """Remember that a device lacks the chain; False if it was never given it."""
    changed = tx.run(
        "UPDATE chain_devices SET is_due = 1 WHERE conversation_id = ? AND device_id = ?",
        conversation.bytes,
        device.bytes,
    )
    return changed > 0
