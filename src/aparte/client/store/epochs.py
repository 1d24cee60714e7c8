"""SQL of epochs: which lists stood for who could read an encrypted conversation, and which one can be written in."""

from dataclasses import dataclass

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId

NOT_MET = 2**53 - 1
"""The `seq` of an epoch that was not met in the log yet."""
NO_NUMBER = 2**53
"""In place of every number that is too large to be one: nothing is kept under it."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: its roster, the versions it is made of (packed), where the log first has it, its newest statement."""

    epoch: int
    seq: int
    roster: bytes
    listed: bytes
    statement: int = 0


@dataclass(frozen=True, slots=True)
class EpochHead:
    """An epoch without what it is made of."""

    epoch: int
    seq: int
    roster: bytes


@dataclass(frozen=True, slots=True)
class Hint:
    """What the server says that an epoch is made of."""

    statement: int
    listed: bytes


def select_head(tx: Tx, conversation: ConversationId, epoch: int) -> EpochHead | None:
    """Read an epoch's roster and place, which costs the same however many members there are."""
    row = tx.row(
        "SELECT epoch, seq, roster FROM epochs WHERE conversation_id = ? AND epoch = ?",
        conversation.bytes,
        min(epoch, NO_NUMBER),
    )
    return EpochHead(*row) if row else None


def select_epoch(tx: Tx, conversation: ConversationId, epoch: int) -> EpochRow | None:
    """Read an epoch."""
    row = tx.row(
        "SELECT epoch, seq, roster, listed, statement FROM epochs WHERE conversation_id = ? AND epoch = ?",
        conversation.bytes,
        epoch,
    )
    return EpochRow(*row) if row else None


def select_before(tx: Tx, conversation: ConversationId, epoch: int) -> EpochHead | None:
    """Read the newest epoch before a number, whether the log has named it or not."""
    row = tx.row(
        """
        SELECT epoch, seq, roster FROM epochs WHERE conversation_id = ? AND epoch < ? ORDER BY epoch DESC LIMIT 1
        """,
        conversation.bytes,
        min(epoch, NO_NUMBER),
    )
    return EpochHead(*row) if row else None


def select_first(tx: Tx, conversation: ConversationId) -> int | None:
    """Read the number of the oldest epoch that is known."""
    row = tx.row("SELECT min(epoch) FROM epochs WHERE conversation_id = ?", conversation.bytes)
    return row[0] if row else None


def select_newest(tx: Tx, conversation: ConversationId, before_seq: int = NOT_MET + 1) -> EpochRow | None:
    """Read the newest epoch of a conversation, or the newest that began before a position."""
    row = tx.row(
        """
        SELECT epoch, seq, roster, listed, statement FROM epochs WHERE conversation_id = ? AND seq < ?
         ORDER BY epoch DESC LIMIT 1
        """,
        conversation.bytes,
        before_seq,
    )
    return EpochRow(*row) if row else None


def select_newest_head(tx: Tx, conversation: ConversationId, before_seq: int = NOT_MET + 1) -> EpochHead | None:
    """Read the newest epoch likewise, without what it is made of."""
    row = tx.row(
        "SELECT epoch, seq, roster FROM epochs WHERE conversation_id = ? AND seq < ? ORDER BY epoch DESC LIMIT 1",
        conversation.bytes,
        before_seq,
    )
    return EpochHead(*row) if row else None


def upsert_epoch(tx: Tx, conversation: ConversationId, row: EpochRow) -> None:
    """Keep an epoch; one that is known begins where it was first met, and stays what it is."""
    tx.run(
        """
        INSERT INTO epochs (conversation_id, epoch, seq, roster, listed, statement) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (conversation_id, epoch) DO UPDATE SET seq = min(epochs.seq, excluded.seq)
        """,
        conversation.bytes,
        row.epoch,
        row.seq,
        row.roster,
        row.listed,
        row.statement,
    )
    delete_ready(tx, conversation)


def delete_not_met(tx: Tx, conversation: ConversationId) -> None:
    """Forget epochs that only an answer of the server told of."""
    tx.run("DELETE FROM epochs WHERE conversation_id = ? AND seq = ?", conversation.bytes, NOT_MET)
    delete_ready(tx, conversation)


# Hints, and what is ready ---------------------------------------------------------------------------------------------


def upsert_hint(tx: Tx, conversation: ConversationId, epoch: int, hint: Hint) -> None:
    """Keep what the server says that an epoch is made of."""
    tx.run(
        "INSERT OR REPLACE INTO epoch_hints (conversation_id, epoch, statement, listed) VALUES (?, ?, ?, ?)",
        conversation.bytes,
        epoch,
        hint.statement,
        hint.listed,
    )


def select_hint(tx: Tx, conversation: ConversationId, epoch: int) -> Hint | None:
    """Read it."""
    row = tx.row(
        "SELECT statement, listed FROM epoch_hints WHERE conversation_id = ? AND epoch = ?",
        conversation.bytes,
        min(epoch, NO_NUMBER),
    )
    return Hint(*row) if row else None


def delete_hints(tx: Tx, conversation: ConversationId, epoch: int) -> None:
    """Forget hints up to an epoch that is known."""
    tx.run("DELETE FROM epoch_hints WHERE conversation_id = ? AND epoch <= ?", conversation.bytes, epoch)


def upsert_ready(tx: Tx, conversation: ConversationId, epoch: int) -> None:
    """Nothing but a change keeps anybody from writing in this epoch."""
    tx.run("INSERT OR REPLACE INTO ready_epochs (conversation_id, epoch) VALUES (?, ?)", conversation.bytes, epoch)


def select_ready(tx: Tx, conversation: ConversationId) -> int | None:
    """Read the epoch in which a group can be written to."""
    row = tx.row("SELECT epoch FROM ready_epochs WHERE conversation_id = ?", conversation.bytes)
    return row[0] if row else None


def delete_ready(tx: Tx, conversation: ConversationId | None = None) -> None:
    """Something has changed: look at everything before the next message to a group, or to any of them."""
    if conversation is None:
        tx.run("DELETE FROM ready_epochs")
    else:
        tx.run("DELETE FROM ready_epochs WHERE conversation_id = ?", conversation.bytes)
