"""SQL of contact requests: the part of the store of contacts that is about asking."""

from collections.abc import Sequence
from datetime import datetime

from aparte.server.contacts.model import RequestRow, RequestStatus
from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire.ids import AccountId


async def select_between(tx: Tx, one: AccountId, other: AccountId) -> RequestRow | None:
    """Read and lock the last request between two people, whoever made it."""
    row = await tx.fetchrow(
        """
        SELECT requester_id, addressee_id, status, note, created_at, decided_at FROM contact_requests
         WHERE least(requester_id, addressee_id) = least($1::uuid, $2::uuid)
           AND greatest(requester_id, addressee_id) = greatest($1::uuid, $2::uuid)
           FOR NO KEY UPDATE
        """,
        one,
        other,
    )
    return _request(row) if row else None


async def select_of(reader: Reader, account: AccountId, limit: int) -> list[RequestRow]:
    """Read somebody's requests in both directions: first what waits, then the newest."""
    rows = await reader.fetch(
        """
        SELECT requester_id, addressee_id, status, note, created_at, decided_at
          FROM (SELECT * FROM contact_requests WHERE requester_id = $1
                 UNION ALL
                SELECT * FROM contact_requests WHERE addressee_id = $1) AS either
         ORDER BY status = 'pending' DESC, created_at DESC LIMIT $2
        """,
        account,
        limit,
    )
    return [_request(row) for row in rows]


async def count_pending(tx: Tx, requester: AccountId, addressee: AccountId) -> tuple[int, int]:
    """Count what waits: what one has asked, and what the other was asked."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM contact_requests WHERE requester_id = $1 AND status = 'pending') AS asked,
               (SELECT count(*) FROM contact_requests WHERE addressee_id = $2 AND status = 'pending') AS received
        """,
        requester,
        addressee,
    )
    assert row is not None  # noqa: S101 - counting gives a row
    return row["asked"], row["received"]


async def replace(tx: Tx, requester: AccountId, addressee: AccountId, note: str) -> RequestRow:
    """Write a request in place of an earlier one between the two; both accounts are locked."""
    await tx.execute(
        """
        DELETE FROM contact_requests
         WHERE least(requester_id, addressee_id) = least($1::uuid, $2::uuid)
           AND greatest(requester_id, addressee_id) = greatest($1::uuid, $2::uuid)
        """,
        requester,
        addressee,
    )
    row = await tx.fetchrow(
        """
        INSERT INTO contact_requests (requester_id, addressee_id, note) VALUES ($1, $2, $3)
        RETURNING requester_id, addressee_id, status, note, created_at, decided_at
        """,
        requester,
        addressee,
        note,
    )
    assert row is not None  # noqa: S101 - an insert returns its row
    return _request(row)


async def update_decided(tx: Tx, request: RequestRow, status: RequestStatus) -> RequestRow:
    """Decide a request that waits."""
    row = await tx.fetchrow(
        """
        UPDATE contact_requests SET status = $3, decided_at = clock_timestamp()
         WHERE requester_id = $1 AND addressee_id = $2
        RETURNING requester_id, addressee_id, status, note, created_at, decided_at
        """,
        request.requester,
        request.addressee,
        status,
    )
    assert row is not None  # noqa: S101 - the row is locked
    return _request(row)


async def delete(tx: Tx, request: RequestRow) -> None:
    """Forget a request."""
    await tx.execute(
        "DELETE FROM contact_requests WHERE requester_id = $1 AND addressee_id = $2",
        request.requester,
        request.addressee,
    )


async def delete_old(tx: Tx, before: datetime, limit: int) -> Sequence[RequestRow]:
    """Forget requests that were decided before a time, as many as the limit; gives them."""
    rows = await tx.fetch(
        """
        DELETE FROM contact_requests r USING (
          SELECT requester_id, addressee_id FROM contact_requests WHERE decided_at < $1
           ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
         WHERE r.requester_id = old.requester_id AND r.addressee_id = old.addressee_id
        RETURNING r.requester_id, r.addressee_id, r.status, r.note, r.created_at, r.decided_at
        """,
        before,
        limit,
    )
    return [_request(row) for row in rows]


def _request(row: Row) -> RequestRow:
    return RequestRow(
        row["requester_id"], row["addressee_id"], row["status"], row["note"], row["created_at"], row["decided_at"]
    )
