"""SQL of epochs: which lists stood for who could read an encrypted conversation, and every list version there was."""

from dataclasses import dataclass

from aparte.client.store.db import Tx
from aparte.wire.ids import AccountId, ConversationId

NOT_MET = 2**53 - 1
"""The `seq` of an epoch that was not met in the log yet."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: its roster, the versions it is made of (packed), and where the log first has it."""

    epoch: int
    seq: int
    roster: bytes
    listed: bytes


def insert_list(tx: Tx, account: AccountId, version: int, digest: bytes, data: bytes) -> None:
    """Keep a version of a device list that was checked."""
    tx.run(
        "INSERT OR IGNORE INTO list_versions (account_id, version, hash, list) VALUES (?, ?, ?, ?)",
        account.bytes,
        version,
        digest,
        data,
    )


def select_versions(tx: Tx, account: AccountId) -> list[tuple[int, bytes]]:
    """Read version and hash of every list of an account, the newest first."""
    rows = tx.rows("SELECT version, hash FROM list_versions WHERE account_id = ? ORDER BY version DESC", account.bytes)
    return [(version, digest) for version, digest in rows]


def select_list(tx: Tx, account: AccountId, version: int) -> bytes | None:
    """Read a version of a list."""
    row = tx.row("SELECT list FROM list_versions WHERE account_id = ? AND version = ?", account.bytes, version)
    return row[0] if row else None


def select_epoch(tx: Tx, conversation: ConversationId, epoch: int) -> EpochRow | None:
    """Read an epoch."""
    row = tx.row(
        "SELECT epoch, seq, roster, listed FROM epochs WHERE conversation_id = ? AND epoch = ?",
        conversation.bytes,
        epoch,
    )
    return EpochRow(*row) if row else None


def select_newest(tx: Tx, conversation: ConversationId, before_seq: int = NOT_MET + 1) -> EpochRow | None:
    """Read the newest epoch of a conversation, or the newest that began before a position."""
    row = tx.row(
        """
        SELECT epoch, seq, roster, listed FROM epochs WHERE conversation_id = ? AND seq < ?
         ORDER BY epoch DESC LIMIT 1
        """,
        conversation.bytes,
        before_seq,
    )
    return EpochRow(*row) if row else None


def upsert_epoch(tx: Tx, conversation: ConversationId, row: EpochRow) -> None:
    """Keep an epoch; one that is known begins where it was first met, and stays what it is."""
    tx.run(
        """
        INSERT INTO epochs (conversation_id, epoch, seq, roster, listed) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (conversation_id, epoch) DO UPDATE SET seq = min(epochs.seq, excluded.seq)
        """,
        conversation.bytes,
        row.epoch,
        row.seq,
        row.roster,
        row.listed,
    )


def delete_not_met(tx: Tx, conversation: ConversationId) -> None:
    """Forget epochs that only an answer of the server told of."""
    tx.run("DELETE FROM epochs WHERE conversation_id = ? AND seq = ?", conversation.bytes, NOT_MET)
