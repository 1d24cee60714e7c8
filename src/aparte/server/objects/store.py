"""SQL of objects. Times are PostgreSQL's own."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.objects.model import ObjectRow
from aparte.wire.ids import AccountId, ConversationId, ObjectId


async def insert_object(tx: Tx, row: ObjectRow) -> None:
    """Store an object's row."""
    await tx.execute(
        """
        INSERT INTO objects (conversation_id, object_id, account_id, blob_id, size, sha256)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        row.conversation,
        row.object,
        row.account,
        row.blob,
        row.size,
        row.sha256,
    )


async def select_object(reader: Reader, conversation: ConversationId, object_id: ObjectId) -> ObjectRow | None:
    """Read an object's row."""
    row = await reader.fetchrow(
        """
        SELECT conversation_id, object_id, account_id, blob_id, size, sha256 FROM objects
         WHERE conversation_id = $1 AND object_id = $2
        """,
        conversation,
        object_id,
    )
    return _object(row) if row else None


async def count_recent(reader: Reader, account: AccountId, within: timedelta) -> int:
    """Count the objects that an account has left lately."""
    count: int = await reader.fetchval(
        "SELECT count(*) FROM objects WHERE account_id = $1 AND created_at > clock_timestamp() - $2::interval",
        account,
        within,
    )
    return count


async def select_known(reader: Reader, blobs: Sequence[UUID]) -> set[UUID]:
    """Tell which files have a row."""
    rows = await reader.fetch("SELECT blob_id FROM objects WHERE blob_id = ANY($1::uuid[])", blobs)
    return {row["blob_id"] for row in rows}


async def delete_over(tx: Tx, kept: timedelta, batch: int) -> list[UUID]:
    """Delete a batch of rows whose time is over; gives their files."""
    rows = await tx.fetch(
        """
        DELETE FROM objects WHERE (conversation_id, object_id) IN (
          SELECT conversation_id, object_id FROM objects WHERE created_at <= clock_timestamp() - $1::interval
           ORDER BY created_at LIMIT $2)
        RETURNING blob_id
        """,
        kept,
        batch,
    )
    return [row["blob_id"] for row in rows]


def _object(row: Row) -> ObjectRow:
    return ObjectRow(
        conversation=row["conversation_id"],
        object=row["object_id"],
        account=row["account_id"],
        blob=row["blob_id"],
        size=row["size"],
        sha256=row["sha256"],
    )
