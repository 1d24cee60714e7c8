"""SQL of the outbox: requests to send, kept from before they are made until their answer has been taken."""

from dataclasses import dataclass
from uuid import UUID

from aparte.client.store.db import Row, Tx
from aparte.wire.ids import ClientMessageId, ConversationId

SENT = "sent"
HELD = "held"
"""A moderator decides: neither sent nor refused, and kept until then."""
APPROVED = "approved"
"""A moderator has let it through: who listens is given it by the log, as something that is new."""
DAY_MS = 86_400_000
COLUMNS = "item, conversation_id, client_message_id, body, queued_at, outcome, answer"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message on its way. `outcome` is None while it waits, `sent`, `held`, or the code of the refusal."""

    item: int
    conversation: ConversationId
    client_message_id: ClientMessageId
    body: bytes
    queued_at_ms: int
    outcome: str | None
    answer: bytes | None


def outbox_row(row: Row) -> OutboxRow:
    """Build an OutboxRow."""
    item, conversation, client_message_id, body, queued_at, outcome, answer = row
    return OutboxRow(
        item,
        ConversationId(UUID(bytes=conversation)),
        ClientMessageId(UUID(bytes=client_message_id)),
        body,
        queued_at,
        outcome,
        answer,
    )


def insert_item(
    tx: Tx, conversation: ConversationId, client_message_id: ClientMessageId, body: bytes, now_ms: int
) -> int:
    """Keep a request before it is made; gives its number, which is also its place in the order."""
    return tx.insert(
        "INSERT INTO outbox (conversation_id, client_message_id, body, queued_at) VALUES (?, ?, ?, ?)",
        conversation.bytes,
        client_message_id.bytes,
        body,
        now_ms,
    )


def select_first_waiting(tx: Tx, conversation: ConversationId, last_item: int) -> OutboxRow | None:
    """Read the oldest unanswered request of a conversation up to a number."""
    row = tx.row(
        f"""
        SELECT {COLUMNS} FROM outbox WHERE conversation_id = ? AND item <= ? AND outcome IS NULL ORDER BY item LIMIT 1
        """,  # noqa: S608 - constant
        conversation.bytes,
        last_item,
    )
    return outbox_row(row) if row else None


def select_last_waiting(tx: Tx) -> dict[ConversationId, int]:
    """Name the newest unanswered request of each conversation that has one."""
    rows = tx.rows("SELECT conversation_id, max(item) FROM outbox WHERE outcome IS NULL GROUP BY conversation_id")
    return {ConversationId(UUID(bytes=conversation)): item for conversation, item in rows}


def select_item(tx: Tx, item: int) -> OutboxRow | None:
    """Read one request."""
    row = tx.row(f"SELECT {COLUMNS} FROM outbox WHERE item = ?", item)  # noqa: S608 - constant
    return outbox_row(row) if row else None


def select_unsent(tx: Tx) -> list[OutboxRow]:
    """Read what waits, and what was refused while nobody waited for the answer."""
    rows = tx.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE coalesce(outcome, '') NOT IN ('sent', 'approved') ORDER BY item"  # noqa: S608 - constant
    )
    return [outbox_row(row) for row in rows]


def select_held(tx: Tx) -> list[OutboxRow]:
    """Read what a moderator has to decide on."""
    rows = tx.rows(f"SELECT {COLUMNS} FROM outbox WHERE outcome = ? ORDER BY item", HELD)  # noqa: S608 - constant
    return [outbox_row(row) for row in rows]


def is_in_log(tx: Tx, row: OutboxRow) -> bool:
    """Tell whether a message has come back in the log."""
    found = tx.row(
        "SELECT 1 FROM entries WHERE conversation_id = ? AND client_message_id = ? LIMIT 1",
        row.conversation.bytes,
        row.client_message_id.bytes,
    )
    return found is not None


def update_answered(tx: Tx, item: int, outcome: str, answer: bytes) -> None:
    """Keep the server's final answer. What was sent is in the log from now on and is forgotten here."""
    tx.run(
        "UPDATE outbox SET outcome = ?, answer = ?, body = CASE WHEN ? THEN x'' ELSE body END WHERE item = ?",
        outcome,
        answer,
        outcome in {SENT, APPROVED},
        item,
    )


def delete_item(tx: Tx, item: int) -> None:
    """Forget a request whose answer was taken."""
    tx.run("DELETE FROM outbox WHERE item = ?", item)


def delete_untaken(tx: Tx, now_ms: int) -> None:
    """Forget answers that nobody has taken for a day: their askers are gone."""
    tx.run("DELETE FROM outbox WHERE outcome = 'sent' AND queued_at < ?", now_ms - DAY_MS)
    tx.run("DELETE FROM outbox WHERE outcome IS NOT NULL AND queued_at < ?", now_ms - 30 * DAY_MS)
