"""SQL of the local logs: entries in order, and what the application has not heard yet."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from aparte.client.core.bodies import plain
from aparte.client.store.db import Row, Tx
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.messages import Entry

COLUMNS = (
    "e.seq, e.id, e.kind, e.at, e.account_id, e.device_id, e.client_message_id, e.ordinal, e.target_seq, e.target_id,"
    " e.body"
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def entry_of(row: Row) -> Entry:
    """Build an Entry from the columns of `COLUMNS`."""
    seq, entry_id, kind, at, account, device, client_message_id, ordinal, target_seq, target_id, body = row
    return Entry(
        seq=seq,
        id=EntryId(UUID(bytes=entry_id)),
        kind=kind,
        at=datetime.fromtimestamp(at / 1000, UTC),
        account=AccountId(UUID(bytes=account)),
        device=DeviceId(UUID(bytes=device)) if device else None,
        client_message_id=ClientMessageId(UUID(bytes=client_message_id)) if client_message_id else None,
        ordinal=ordinal,
        target=Position(target_seq, EntryId(UUID(bytes=target_id))) if target_id else None,
        body=None if body is None else _decode(body),
    )


def insert_entries(tx: Tx, conversation: ConversationId, entries: list[Entry]) -> None:
    """Store entries."""
    tx.run_many(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                conversation.bytes,
                entry.seq,
                entry.id.bytes,
                entry.kind,
                round(entry.at.timestamp() * 1000),
                entry.account.bytes,
                _bytes(entry.device),
                _bytes(entry.client_message_id),
                entry.ordinal,
                entry.target.seq if entry.target else None,
                _bytes(entry.target.id) if entry.target else None,
                None if entry.body is None else _encode(plain(entry)),
            )
            for entry in entries
        ],
    )


def update_emptied(tx: Tx, conversation: ConversationId, target_seq: int) -> None:
    """Forget what a message and its edits say: it was deleted for everyone."""
    tx.run(
        """
        UPDATE entries SET body = NULL
         WHERE conversation_id = ? AND (seq = ? OR seq IN
               (SELECT seq FROM entries WHERE conversation_id = ? AND target_seq = ? AND kind = ?))
        """,
        conversation.bytes,
        target_seq,
        conversation.bytes,
        target_seq,
        kinds.EDIT,
    )


def update_opened(tx: Tx, conversation: ConversationId, entry: Entry) -> None:
    """Keep what an entry says, and at what it aims, once it could be opened."""
    tx.run(
        "UPDATE entries SET body = ?, target_seq = ?, target_id = ? WHERE conversation_id = ? AND seq = ?",
        None if entry.body is None else _encode(plain(entry)),
        entry.target.seq if entry.target else None,
        _bytes(entry.target.id) if entry.target else None,
        conversation.bytes,
        entry.seq,
    )


def delete_log(tx: Tx, conversation: ConversationId) -> None:
    """Drop the local log of a conversation."""
    tx.run("DELETE FROM entries WHERE conversation_id = ?", conversation.bytes)


def select_entries(tx: Tx, conversation: ConversationId, after_seq: int, limit: int) -> list[Entry]:
    """Read a local log in order."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM entries e WHERE e.conversation_id = ? AND e.seq > ? ORDER BY e.seq LIMIT ?",  # noqa: S608 - constant
        conversation.bytes,
        after_seq,
        limit,
    )
    return [entry_of(row) for row in rows]


def select_entry(tx: Tx, conversation: ConversationId, seq: int) -> Entry | None:
    """Read the entry at a position."""
    row = tx.row(
        f"SELECT {COLUMNS} FROM entries e WHERE e.conversation_id = ? AND e.seq = ?",  # noqa: S608 - constant
        conversation.bytes,
        seq,
    )
    return entry_of(row) if row else None


def select_by_id(tx: Tx, conversation: ConversationId, entry: EntryId) -> Entry | None:
    """Read an entry by its id."""
    row = tx.row(
        f"SELECT {COLUMNS} FROM entries e WHERE e.conversation_id = ? AND e.id = ?",  # noqa: S608 - constant
        conversation.bytes,
        entry.bytes,
    )
    return entry_of(row) if row else None


def select_first_seq(tx: Tx, conversation: ConversationId) -> int | None:
    """Read where the local log begins, after what was passed on of the time before it."""
    row = tx.row(
        """
        SELECT seq FROM entries WHERE conversation_id = ? AND seq > coalesce(
          (SELECT max(seq) FROM sealed WHERE conversation_id = ? AND passed_by IS NOT NULL), 0)
         ORDER BY seq LIMIT 1
        """,
        conversation.bytes,
        conversation.bytes,
    )
    return row[0] if row else None


def select_messages(tx: Tx, conversation: ConversationId, before_seq: int, limit: int) -> list[Entry]:
    """Read the newest messages before a position, oldest first, but for those that have disappeared."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.seq < ? AND e.kind = ? AND s.code IS NOT 'expired'
         ORDER BY e.seq DESC LIMIT ?
        """,  # noqa: S608 - constant
        conversation.bytes,
        before_seq,
        kinds.MESSAGE,
        limit,
    )
    return [entry_of(row) for row in reversed(rows)]


def select_told(
    tx: Tx, conversation: ConversationId, wanted: Collection[int], between: tuple[int, int], limit: int
) -> list[Entry]:
    """Read the newest entries of some kinds between two positions, oldest first, but for those not opened."""
    marks = ", ".join("?" * len(wanted))
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.seq > ? AND e.seq < ? AND e.kind IN ({marks})
           AND (s.state IS NULL OR s.state = 'open') ORDER BY e.seq DESC LIMIT ?
        """,  # noqa: S608 - constants and question marks
        conversation.bytes,
        *between,
        *sorted(wanted),
        limit,
    )
    return [entry_of(row) for row in reversed(rows)]


def select_settings(tx: Tx, conversation: ConversationId) -> Entry | None:
    """Read the newest settings of an encrypted conversation that are open here; asked for with every message."""
    row = tx.row(
        f"""
        SELECT {COLUMNS} FROM entries e JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.kind IN (6, 7) AND e.kind = 7 AND s.state = 'open'
         ORDER BY e.seq DESC LIMIT 1
        """,  # noqa: S608 - constant
        conversation.bytes,
    )
    return entry_of(row) if row else None


def select_about(tx: Tx, conversation: ConversationId, first_seq: int, last_seq: int) -> list[Entry]:
    """Read what has happened to the messages from one position to another, in order; answers in their threads are not
    among it."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.target_seq BETWEEN ? AND ? AND e.kind <> 1
           AND (s.state IS NULL OR s.state IN ('open', 'deleted')) ORDER BY e.seq
        """,  # noqa: S608 - constant
        conversation.bytes,
        first_seq,
        last_seq,
    )
    return [entry_of(row) for row in rows]


def select_unheard(
    tx: Tx, conversation: ConversationId, listened_seq: int, device: DeviceId, limit: int, told: Collection[int] = ()
) -> list[Entry]:
    """Read messages that the application has not heard, oldest first; and kinds that this version does not know.

    With them those of the kinds `told`. Those written on this device are left out: it knows them, but for what a
    moderator has let through meanwhile. So are sealed ones that wait for their key or were refused; those that have
    opened late are given although later ones were.
    """
    silent = sorted(kinds.KINDS.keys() - {kinds.MESSAGE, *told})
    marks = ", ".join("?" * len(silent))
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e LEFT JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.seq > ? AND e.kind NOT IN ({marks})
           AND (e.device_id IS NOT ? OR EXISTS (SELECT 1 FROM outbox o WHERE o.outcome IN ('held', 'approved')
                                                   AND o.client_message_id = e.client_message_id))
           AND (s.state IS NULL OR s.state IN ('open', 'deleted'))
         ORDER BY e.seq LIMIT ?
        """,  # noqa: S608 - constants and question marks
        conversation.bytes,
        listened_seq,
        *silent,
        device.bytes,
        limit,
    )
    return [entry_of(row) for row in rows]


def select_late(tx: Tx, conversation: ConversationId, up_to_seq: int) -> list[Entry]:
    """Read messages that opened after later ones were handed out."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM entries e JOIN sealed s USING (conversation_id, seq)
         WHERE e.conversation_id = ? AND e.seq <= ? AND s.is_late = 1 ORDER BY e.seq
        """,  # noqa: S608 - constant
        conversation.bytes,
        up_to_seq,
    )
    return [entry_of(row) for row in rows]


def _bytes(value: UUID | None) -> Any:
    return value.bytes if value else None
