"""SQL of what was passed on to this device: offers that are not taken in yet, and what leads to what was taken in."""

from dataclasses import dataclass, field
from uuid import UUID

from aparte.client.store.db import Tx
from aparte.client.store.sealed import COLUMNS, SealedRow, sealed_row
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, Position

PASSED_OVER = "passed_over"
"""The code of an entry without a key, kept for its place between others."""


@dataclass(frozen=True, slots=True)
class OfferRow:
    """Entries with their keys that a device has passed on: the triples, or the object that holds them."""

    offer: int
    conversation: ConversationId
    account: AccountId
    device: DeviceId
    triples: bytes | None = field(repr=False)
    object: bytes | None
    key: bytes | None = field(repr=False)
    sha256: bytes | None
    at: int


def insert_offer(tx: Tx, row: OfferRow) -> None:
    """Keep what was passed on; its number is given here."""
    tx.run(
        """
        INSERT INTO passed_offers (conversation_id, account_id, device_id, triples, object_id, object_key, sha256, at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        row.conversation.bytes,
        row.account.bytes,
        row.device.bytes,
        row.triples,
        row.object,
        row.key,
        row.sha256,
        row.at,
    )


def has_links(tx: Tx) -> bool:
    """Tell whether hashes are to be followed."""
    return tx.row("SELECT 1 FROM passed_links LIMIT 1") is not None


def count_offers(tx: Tx, account: AccountId) -> int:
    """Count what waits of one account's."""
    row = tx.row("SELECT count(*) FROM passed_offers WHERE account_id = ?", account.bytes)
    return int(row[0]) if row else 0


def select_offer(tx: Tx, after: int) -> OfferRow | None:
    """Read the next offer."""
    row = tx.row(
        """
        SELECT offer, conversation_id, account_id, device_id, triples, object_id, object_key, sha256, at
          FROM passed_offers WHERE offer > ? ORDER BY offer LIMIT 1
        """,
        after,
    )
    if row is None:
        return None
    offer, conversation, account, device, *rest = row
    known = ConversationId(UUID(bytes=conversation))
    return OfferRow(offer, known, AccountId(UUID(bytes=account)), DeviceId(UUID(bytes=device)), *rest)


def update_fetched(tx: Tx, offer: int, triples: bytes) -> None:
    """Keep the triples that were in an object."""
    tx.run("UPDATE passed_offers SET triples = ? WHERE offer = ?", triples, offer)


def delete_offer(tx: Tx, offer: int) -> None:
    """Everything in it is settled."""
    tx.run("DELETE FROM passed_offers WHERE offer = ?", offer)


def delete_at(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """Make room for an entry that can be read now."""
    for table in ("entries", "sealed"):
        tx.run(f"DELETE FROM {table} WHERE conversation_id = ? AND seq = ?", conversation.bytes, seq)  # noqa: S608 - constants


def select_before(tx: Tx, conversation: ConversationId, seq: int) -> Position | None:
    """Read the last entry that is here before a position."""
    return _position(
        tx,
        "SELECT seq, id FROM entries WHERE conversation_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
        conversation,
        seq,
    )


def select_from(tx: Tx, conversation: ConversationId, seq: int) -> Position | None:
    """Read the first entry that is here from a position on."""
    return _position(
        tx,
        "SELECT seq, id FROM entries WHERE conversation_id = ? AND seq >= ? ORDER BY seq LIMIT 1",
        conversation,
        seq,
    )


def select_counted(tx: Tx, conversation: ConversationId, device: DeviceId, counter: int) -> list[SealedRow]:
    """Read what a device has said under a counter, passed on or not, and passed over; not what was refused."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM sealed
         WHERE conversation_id = ? AND device_id = ? AND counter = ? AND (state <> 'refused' OR code = ?)
        """,  # noqa: S608 - constant
        conversation.bytes,
        device.bytes,
        counter,
        PASSED_OVER,
    )
    return [sealed_row(row) for row in rows]


def select_aiming(tx: Tx, conversation: ConversationId, digest: bytes) -> list[SealedRow]:
    """Read what was opened while the message it aims at was not here, in order."""
    rows = tx.rows(
        f"""
        SELECT {COLUMNS} FROM sealed
         WHERE target = ? AND conversation_id = ? AND state = 'open'
           AND EXISTS (SELECT 1 FROM entries e WHERE e.conversation_id = sealed.conversation_id
                          AND e.seq = sealed.seq AND e.target_seq IS NULL)
         ORDER BY seq
        """,  # noqa: S608 - constant
        digest,
        conversation.bytes,
    )
    return [sealed_row(row) for row in rows]


def select_followers(tx: Tx, conversation: ConversationId, first_seq: int, last_seq: int) -> list[SealedRow]:
    """Read what is known to be its sender's and comes right after something between that is only passed on."""
    rows = tx.rows(
        f"""
        SELECT {", ".join(f"n.{column}" for column in COLUMNS.split(", "))}
          FROM sealed p JOIN sealed n ON n.conversation_id = p.conversation_id AND n.device_id = p.device_id
                                     AND n.counter = p.counter + 1
         WHERE p.conversation_id = ? AND p.seq BETWEEN ? AND ? AND p.passed_by IS NOT NULL AND p.is_linked = 0
           AND ((n.passed_by IS NULL AND n.state = 'open') OR n.is_linked = 1)
        """,  # noqa: S608 - constant
        conversation.bytes,
        first_seq,
        last_seq,
    )
    return [sealed_row(row) for row in rows]


def insert_link(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """Remember to follow the hash of an entry."""
    tx.run("INSERT OR IGNORE INTO passed_links (conversation_id, seq) VALUES (?, ?)", conversation.bytes, seq)


def select_link(tx: Tx) -> SealedRow | None:
    """Read an entry whose hash is to be followed."""
    row = tx.row(f"SELECT {COLUMNS} FROM passed_links JOIN sealed USING (conversation_id, seq) LIMIT 1")  # noqa: S608 - constant
    return sealed_row(row) if row else None


def delete_links(tx: Tx) -> None:
    """Forget what was to be followed in logs that are gone."""
    tx.run("DELETE FROM passed_links")


def delete_link(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """The hash of an entry was followed."""
    tx.run("DELETE FROM passed_links WHERE conversation_id = ? AND seq = ?", conversation.bytes, seq)


def update_linked(tx: Tx, row: SealedRow) -> None:
    """What was passed on is known to be its sender's."""
    tx.run("UPDATE sealed SET is_linked = 1 WHERE conversation_id = ? AND seq = ?", row.conversation.bytes, row.seq)


def _position(tx: Tx, sql: str, conversation: ConversationId, seq: int) -> Position | None:
    row = tx.row(sql, conversation.bytes, seq)
    return Position(row[0], EntryId(UUID(bytes=row[1]))) if row else None
