"""SQL of the outbox's items for encrypted conversations: content until their turn comes, then the finished request."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId, EntryId


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What is to be sealed: its kind, its content without place, and the entry it aims at."""

    kind: int
    content: bytes = field(repr=False)
    target: EntryId | None = None
    target_hash: bytes | None = None
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """An item that the server has refused for good, and when it was kept."""

    item: int
    conversation: ConversationId
    kind: int
    content: bytes = field(repr=False)
    queued_at: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A request as it is sent until it is answered, and what its entry will be known by."""

    body: bytes = field(repr=False)
    epoch: int
    counter: int
    hash: bytes
    key: bytes = field(repr=False)


def insert_unsealed(tx: Tx, item: int, what: Unsealed) -> None:
    """Keep what an item of the outbox says."""
    tx.run(
        "INSERT INTO outbox_sealed (item, kind, content, target_id, target_hash, is_on) VALUES (?, ?, ?, ?, ?, ?)",
        item,
        what.kind,
        what.content,
        what.target.bytes if what.target else None,
        what.target_hash,
        int(what.is_on),
    )


def select_unsealed(tx: Tx, item: int) -> Unsealed | None:
    """Read what an item says; None for one of a readable conversation."""
    row = tx.row("SELECT kind, content, target_id, target_hash, is_on FROM outbox_sealed WHERE item = ?", item)
    if row is None:
        return None
    kind, content, target, target_hash, is_on = row
    return Unsealed(kind, content, EntryId(UUID(bytes=target)) if target else None, target_hash, bool(is_on))


def select_finished(tx: Tx, item: int) -> Finished | None:
    """Read the finished request of an item, once there is one."""
    row = tx.row("SELECT body, epoch, counter, hash, content_key FROM outbox_sealed WHERE item = ?", item)
    return Finished(*row) if row and row[0] is not None else None


def update_finished(tx: Tx, item: int, done: Finished) -> None:
    """Keep a finished request, before it is sent."""
    tx.run(
        "UPDATE outbox_sealed SET body = ?, epoch = ?, counter = ?, hash = ?, content_key = ? WHERE item = ?",
        done.body,
        done.epoch,
        done.counter,
        done.hash,
        done.key,
        item,
    )


def update_unfinished(tx: Tx, item: int) -> None:
    """Forget the finished request of an item: it is sealed again."""
    tx.run(
        """
        UPDATE outbox_sealed SET body = NULL, epoch = NULL, counter = NULL, hash = NULL, content_key = NULL
         WHERE item = ?
        """,
        item,
    )


def update_accepted(tx: Tx, item: int) -> None:
    """Forget what an item said: the server has it, and it is in the log from now on."""
    tx.run("UPDATE outbox_sealed SET content = x'', body = NULL, content_key = NULL WHERE item = ?", item)


def select_refused(tx: Tx) -> list[RefusedRow]:
    """Read what was refused and whose sender was not there to be told."""
    rows = tx.rows(
        """
        SELECT item, o.conversation_id, s.kind, s.content, o.queued_at FROM outbox o JOIN outbox_sealed s USING (item)
         WHERE o.outcome IS NOT NULL AND o.outcome <> 'sent'
        """
    )
    return [RefusedRow(item, ConversationId(UUID(bytes=where)), *rest) for item, where, *rest in rows]


def select_key(tx: Tx, digest: bytes) -> bytes | None:
    """Read the content key of an entry of one's own that came back before its answer did."""
    row = tx.row("SELECT content_key FROM outbox_sealed WHERE hash = ?", digest)
    return row[0] if row else None


def is_in_doubt(tx: Tx, item: int) -> bool:
    """Tell whether the server may have an item although no answer has come: it is sent until one does."""
    row = tx.row(
        """
        SELECT 1 FROM outbox o JOIN outbox_sealed s USING (item)
         WHERE o.item = ? AND o.outcome IS NULL AND s.body IS NOT NULL
        """,
        item,
    )
    return row is not None
