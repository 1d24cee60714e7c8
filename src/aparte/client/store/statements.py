"""SQL of membership statements: the chain of each group as it was checked, and what was refused although signed."""

from dataclasses import dataclass, field

from aparte.client.store.db import Tx
from aparte.wire.ids import ConversationId


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement of a chain that was checked."""

    number: int
    hash: bytes
    statement: bytes
    signature: bytes = field(repr=False)
    link_signature: bytes | None = field(repr=False)


NO_NUMBER = 2**53
"""In place of every number that is too large to be one: nothing is kept under it."""
_COLUMNS = "number, hash, statement, signature, link_signature"


def insert_statement(tx: Tx, conversation: ConversationId, row: StatementRow) -> None:
    """Keep a statement that continues the chain."""
    tx.run(
        """
        INSERT INTO statements (conversation_id, number, hash, statement, signature, link_signature)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        conversation.bytes,
        row.number,
        row.hash,
        row.statement,
        row.signature,
        row.link_signature,
    )


def select_newest(tx: Tx, conversation: ConversationId) -> tuple[int, bytes] | None:
    """Read number and hash of the newest statement."""
    row = tx.row(
        "SELECT number, hash FROM statements WHERE conversation_id = ? ORDER BY number DESC LIMIT 1",
        conversation.bytes,
    )
    return (row[0], row[1]) if row else None


def select_hash(tx: Tx, conversation: ConversationId, number: int) -> bytes | None:
    """Read the hash of a statement."""
    row = tx.row(
        "SELECT hash FROM statements WHERE conversation_id = ? AND number = ?",
        conversation.bytes,
        min(number, NO_NUMBER),
    )
    return row[0] if row else None


def select_statements(tx: Tx, conversation: ConversationId, first: int, last: int) -> list[StatementRow]:
    """Read statements from one number to another, in order."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM statements WHERE conversation_id = ? AND number BETWEEN ? AND ? ORDER BY number",  # noqa: S608 - constant
        conversation.bytes,
        first,
        last,
    )
    return [StatementRow(*row) for row in rows]


def insert_evidence(tx: Tx, conversation: ConversationId, code: str, signed: tuple[bytes, bytes], at: int) -> None:
    """Keep a statement and its signature that were refused."""
    tx.run(
        """
        INSERT OR IGNORE INTO statement_evidence (conversation_id, code, statement, signature, at)
        VALUES (?, ?, ?, ?, ?)
        """,
        conversation.bytes,
        code,
        *signed,
        at,
    )


def select_evidence(tx: Tx, conversation: ConversationId) -> list[tuple[str, bytes, bytes]]:
    """Read the refused statements of a group: code, statement, signature."""
    rows = tx.rows(
        "SELECT code, statement, signature FROM statement_evidence WHERE conversation_id = ? ORDER BY at",
        conversation.bytes,
    )
    return [(code, data, signature) for code, data, signature in rows]
