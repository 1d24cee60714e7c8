"""SQL of sealed entries: what names each, what came before it from its device, and how far it is opened."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from aparte.client.store.db import Row, Tx
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId

State = Literal["open", "waiting", "refused", "deleted"]
COLUMNS = (
    "conversation_id, seq, hash, epoch, roster, device_id, counter, prev, target, sealed, state, code, asked_at,"
    " passed_by, is_linked"
)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed entry; what the log says of it beside is in `entries`."""

    conversation: ConversationId
    seq: int
    hash: bytes
    epoch: int
    roster: bytes
    device: DeviceId
    counter: int
    prev: bytes
    target: bytes
    sealed: bytes | None
    state: State
    code: str | None = None
    asked_at: int = 0
    passed_by: AccountId | None = None
    """Who has passed its key on; None of what came to this device itself."""
    is_linked: bool = False
    """Whether entries that came from the sender's own device lead to it all the same."""

    @property
    def mark(self) -> AccountId | None:
        """By whose word alone this is what its sender has said; None if it is known."""
        return None if self.is_linked else self.passed_by


def sealed_row(row: Row) -> SealedRow:
    """Build a SealedRow."""
    conversation, seq, digest, epoch, roster, device, *rest = row
    *rest, passed_by, is_linked = rest
    found = ConversationId(UUID(bytes=conversation))
    passer = AccountId(UUID(bytes=passed_by)) if passed_by else None
    kept = SealedRow(found, seq, digest, epoch, roster, DeviceId(UUID(bytes=device)), *rest)
    return replace(kept, passed_by=passer, is_linked=bool(is_linked)) if passer else kept


def insert_sealed(tx: Tx, row: SealedRow) -> None:
    """Keep a sealed entry."""
    tx.run(
        f"INSERT INTO sealed ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
        row.conversation.bytes,
        row.seq,
        row.hash,
        row.epoch,
        row.roster,
        row.device.bytes,
        row.counter,
        row.prev,
        row.target,
        row.sealed,
        row.state,
        row.code,
        row.asked_at,
        row.passed_by.bytes if row.passed_by else None,
        int(row.is_linked),
    )


def select_at(tx: Tx, conversation: ConversationId, seq: int) -> SealedRow | None:
    """Read the sealed entry at a position."""
    row = tx.row(
        f"SELECT {COLUMNS} FROM sealed WHERE conversation_id = ? AND seq = ?",  # noqa: S608 - constant
        conversation.bytes,
        seq,
    )
    return sealed_row(row) if row else None


def select_hashed(tx: Tx, conversation: ConversationId, digest: bytes) -> SealedRow | None:
    """Read the accepted entry of this hash; one that came to this device itself before one that was passed on."""
    row = tx.row(
        f"""
        SELECT {COLUMNS} FROM sealed WHERE hash = ? AND conversation_id = ? AND state <> 'refused'
         ORDER BY passed_by IS NOT NULL LIMIT 1
        """,  # noqa: S608 - constant
        digest,
        conversation.bytes,
    )
    return sealed_row(row) if row else None


def select_everywhere(tx: Tx, digest: bytes) -> list[SealedRow]:
    """Read the accepted entries of this hash, whatever conversation they are in."""
    rows = tx.rows(f"SELECT {COLUMNS} FROM sealed WHERE hash = ? AND state <> 'refused'", digest)  # noqa: S608 - constant
    return [sealed_row(row) for row in rows]


def select_counted(tx: Tx, conversation: ConversationId, device: DeviceId, counter: int) -> SealedRow | None:
    """Read a device's accepted entry with this counter, among those that came to this device itself."""
    row = tx.row(
        f"""
        SELECT {COLUMNS} FROM sealed
         WHERE conversation_id = ? AND device_id = ? AND counter = ? AND state <> 'refused' AND passed_by IS NULL
        """,  # noqa: S608 - constant
        conversation.bytes,
        device.bytes,
        counter,
    )
    return sealed_row(row) if row else None


def select_newest(tx: Tx, conversation: ConversationId) -> tuple[int, bytes] | None:
    """Read position and hash of the newest entry that came to this device itself and was not refused."""
    row = tx.row(
        """
        SELECT seq, hash FROM sealed WHERE conversation_id = ? AND state <> 'refused' AND passed_by IS NULL
         ORDER BY seq DESC LIMIT 1
        """,
        conversation.bytes,
    )
    return (row[0], row[1]) if row else None


def select_waiting(tx: Tx, asked_before: int, limit: int) -> list[SealedRow]:
    """Read entries whose key is not here and was not asked for since a moment, the newest first."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM sealed WHERE state = 'waiting' AND asked_at < ? ORDER BY seq DESC LIMIT ?",  # noqa: S608 - constant
        asked_before,
        limit,
    )
    return [sealed_row(row) for row in rows]


def select_mismatched(tx: Tx, conversation: ConversationId) -> set[DeviceId]:
    """Name the devices that sealed for another roster than ours, and from which nothing that fits came since."""
    rows = tx.rows(
        """
        SELECT DISTINCT r.device_id FROM sealed r
         WHERE r.conversation_id = ? AND r.code = 'roster_mismatch' AND r.is_cleared = 0
           AND NOT EXISTS (SELECT 1 FROM sealed s WHERE s.conversation_id = r.conversation_id AND s.seq > r.seq
                              AND s.device_id = r.device_id AND s.state <> 'refused')
        """,
        conversation.bytes,
    )
    return {DeviceId(UUID(bytes=device)) for (device,) in rows}


def update_cleared(tx: Tx, peer: AccountId) -> None:
    """Write on to somebody although a roster did not fit: its owner has looked into it."""
    tx.run(
        """
        UPDATE sealed SET is_cleared = 1
         WHERE code = 'roster_mismatch'
           AND (conversation_id IN (SELECT conversation_id FROM conversations WHERE peer_id = ?1)
                OR (conversation_id, seq) IN (SELECT conversation_id, seq FROM entries WHERE account_id = ?1))
        """,
        peer.bytes,
    )


def select_wordless(tx: Tx) -> list[SealedRow]:
    """Read messages that came without what was sealed, and were not asked about yet why."""
    return [
        sealed_row(row)
        for row in tx.rows(
            f"SELECT {COLUMNS} FROM sealed s WHERE s.state = 'deleted' AND s.code IS NULL"  # noqa: S608 - constant
            " AND EXISTS (SELECT 1 FROM entries e WHERE e.conversation_id = s.conversation_id AND e.seq = s.seq"
            " AND e.kind = ?)",
            kinds.MESSAGE,
        )
    ]


def has_unchained(
    tx: Tx, conversation: ConversationId, account: AccountId, client_id: ClientMessageId, seq: int
) -> bool:
    """Tell whether a scheduled message of somebody with this client id was read at another position."""
    row = tx.row(
        """
        SELECT 1 FROM sealed s JOIN entries e USING (conversation_id, seq)
         WHERE s.conversation_id = ? AND s.counter = 0 AND s.state IN ('open', 'deleted') AND s.passed_by IS NULL
           AND e.account_id = ? AND e.client_message_id = ? AND s.seq <> ?
        """,
        conversation.bytes,
        account.bytes,
        client_id.bytes,
        seq,
    )
    return row is not None


def has_deletion(tx: Tx, row: SealedRow) -> bool:
    """Tell whether an entry deletes a message, opened or waiting still, but for those that were refused."""
    return bool(
        tx.row(
            """
            SELECT 1 FROM sealed d JOIN entries e ON e.conversation_id = d.conversation_id AND e.seq = d.seq
             WHERE d.conversation_id = ? AND d.target = ? AND e.kind = ? AND d.state <> 'refused'
            """,
            row.conversation.bytes,
            row.hash,
            kinds.DELETION,
        )
    )


def has_later(tx: Tx, conversation: ConversationId, kind: int, seq: int) -> bool:
    """Tell whether an entry of a kind that was opened stands after a position."""
    return bool(
        tx.row(
            """
            SELECT 1 FROM entries e JOIN sealed s USING (conversation_id, seq)
             WHERE e.conversation_id = ? AND e.seq > ? AND e.kind = ? AND s.state = 'open' LIMIT 1
            """,
            conversation.bytes,
            seq,
            kind,
        )
    )


def select_unreadable(tx: Tx) -> dict[ConversationId, int]:
    """Count the entries of each conversation whose key is not here."""
    rows = tx.rows("SELECT conversation_id, count(*) FROM sealed WHERE state = 'waiting' GROUP BY conversation_id")
    return {ConversationId(UUID(bytes=conversation)): count for conversation, count in rows}


def select_states(tx: Tx, conversation: ConversationId, first_seq: int, last_seq: int) -> dict[int, SealedRow]:
    """Read the sealed entries from one position to another."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM sealed WHERE conversation_id = ? AND seq BETWEEN ? AND ?",  # noqa: S608 - constant
        conversation.bytes,
        first_seq,
        last_seq,
    )
    return {row.seq: row for row in map(sealed_row, rows)}


def update_state(tx: Tx, row: SealedRow, state: State, code: str | None = None, *, is_late: bool = False) -> None:
    """Keep how far an entry is opened; `is_late` once it was handed to nobody and must be."""
    tx.run(
        "UPDATE sealed SET state = ?, code = ?, is_late = max(is_late, ?) WHERE conversation_id = ? AND seq = ?",
        state,
        code,
        int(is_late),
        row.conversation.bytes,
        row.seq,
    )


def update_asked(tx: Tx, row: SealedRow, now: int) -> None:
    """Remember that the key was asked for."""
    tx.run("UPDATE sealed SET asked_at = ? WHERE conversation_id = ? AND seq = ?", now, row.conversation.bytes, row.seq)


def update_heard(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """An entry that opened late was handed to the application."""
    tx.run("UPDATE sealed SET is_late = 0 WHERE conversation_id = ? AND seq = ?", conversation.bytes, seq)


def delete_sealed(tx: Tx, conversation: ConversationId) -> None:
    """Drop what is known of a conversation's sealed entries, with its log."""
    tx.run("DELETE FROM sealed WHERE conversation_id = ?", conversation.bytes)
