"""SQL of sessions. Times are PostgreSQL's own."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.sessions.model import Admission, Ending, SessionRow
from aparte.server.sessions.rules import ACCESS_MINUTES, GRACE_SECONDS, SESSION_DAYS
from aparte.server.sessions.tokens import AccessToken
from aparte.wire.accounts import Session, Standing
from aparte.wire.ids import AccountId, DeviceId, SessionId

BATCH = 5_000


async def insert_session(
    tx: Tx, ending: Ending, refresh_hash: str, access_id: UUID, origin: Origin
) -> tuple[datetime, datetime]:
    """Open a session of generation 1; returns when its access and its refresh token end."""
    row = await tx.fetchrow(
        """
        INSERT INTO sessions (session_id, account_id, device_id, refresh_hash, access_id, access_expires_at,
                              ip, user_agent, expires_at)
        VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(mins => $6), $7, $8,
                clock_timestamp() + make_interval(days => $9))
        RETURNING access_expires_at, expires_at
        """,
        ending.session,
        ending.account,
        ending.device,
        refresh_hash,
        access_id,
        ACCESS_MINUTES,
        origin.ip,
        origin.user_agent,
        SESSION_DAYS,
    )
    assert row is not None  # noqa: S101 - an insert returns its row
    return row["access_expires_at"], row["expires_at"]


async def lock_session(tx: Tx, session: SessionId) -> SessionRow | None:
    """Lock a session for a refresh."""
    row = await tx.fetchrow(
        """
        SELECT s.session_id, s.account_id, s.device_id, s.generation, s.refresh_hash, s.previous_refresh_hash,
               s.access_id, s.access_expires_at, s.expires_at,
               s.is_active AND s.expires_at > clock_timestamp() AND a.deleted_at IS NULL AS is_alive,
               a.is_active AND NOT a.is_suspended AS is_account_open,
               s.rotated_at > clock_timestamp() - make_interval(secs => $2) AS rotated_lately
          FROM sessions s JOIN accounts a USING (account_id)
         WHERE s.session_id = $1
           FOR NO KEY UPDATE OF s
        """,
        session,
        GRACE_SECONDS,
    )
    return _session(row) if row else None


def _session(row: Row) -> SessionRow:
    return SessionRow(
        session=row["session_id"],
        account=row["account_id"],
        device=row["device_id"],
        generation=row["generation"],
        refresh_hash=row["refresh_hash"],
        previous_refresh_hash=row["previous_refresh_hash"],
        access_id=row["access_id"],
        access_expires_at=row["access_expires_at"],
        expires_at=row["expires_at"],
        is_alive=row["is_alive"],
        is_account_open=row["is_account_open"],
        rotated_lately=row["rotated_lately"],
    )


async def update_rotated(tx: Tx, session: SessionId, refresh_hash: str, access_id: UUID) -> tuple[datetime, datetime]:
    """Go on to the next generation; returns when the new tokens end."""
    row = await tx.fetchrow(
        """
        UPDATE sessions
           SET generation = generation + 1, previous_refresh_hash = refresh_hash, refresh_hash = $2,
               rotated_at = clock_timestamp(), access_id = $3, last_active_at = clock_timestamp(),
               access_expires_at = clock_timestamp() + make_interval(mins => $4),
               expires_at = clock_timestamp() + make_interval(days => $5)
         WHERE session_id = $1
        RETURNING access_expires_at, expires_at
        """,
        session,
        refresh_hash,
        access_id,
        ACCESS_MINUTES,
        SESSION_DAYS,
    )
    assert row is not None  # noqa: S101 - the row is locked by the caller
    return row["access_expires_at"], row["expires_at"]


async def select_standing(reader: Reader, device: DeviceId) -> Standing:
    """Tell how a device stands to its account's list."""
    row = await reader.fetchrow(
        """
        SELECT d.is_listed, EXISTS (SELECT 1 FROM device_lists l WHERE l.account_id = d.account_id) AS has_list
          FROM devices d WHERE d.device_id = $1
        """,
        device,
    )
    if row is None or not row["is_listed"]:
        return "unlisted"
    return "listed" if row["has_list"] else "keyless"


async def select_admission(reader: Reader, token: AccessToken) -> Admission | None:
    """Find who an access token belongs to, if everything about it still holds: one read by primary keys."""
    row = await reader.fetchrow(
        """
        SELECT s.account_id, s.device_id, a.role, d.is_listed,
               s.last_active_at < clock_timestamp() - interval '1 minute' AS is_stale
          FROM sessions s JOIN accounts a USING (account_id) JOIN devices d USING (device_id)
         WHERE s.session_id = $1 AND s.access_id = $2 AND s.is_active
           AND s.access_expires_at > clock_timestamp() AND s.expires_at > clock_timestamp()
           AND a.is_active AND NOT a.is_suspended AND a.deleted_at IS NULL
        """,
        token.session,
        token.access_id,
    )
    if row is None:
        return None
    caller = Caller(row["account_id"], row["device_id"], token.session, row["role"], row["is_listed"])
    return Admission(caller, row["is_stale"])


async def update_last_active(tx: Tx, session: SessionId) -> bool:
    """Note that a session is in use, at most once a minute; False if somebody else just did."""
    return bool(
        await tx.execute(
            """
            UPDATE sessions SET last_active_at = clock_timestamp()
             WHERE session_id = $1 AND last_active_at < clock_timestamp() - interval '1 minute'
            """,
            session,
        )
    )


async def update_ended(tx: Tx, account: AccountId, session: SessionId) -> list[Ending]:
    """End one session of an account."""
    rows = await tx.fetch(
        """
        UPDATE sessions SET is_active = false
         WHERE session_id = $2 AND account_id = $1 AND is_active AND expires_at > clock_timestamp()
        RETURNING session_id, account_id, device_id
        """,
        account,
        session,
    )
    return _endings(rows)


async def update_ended_of_device(tx: Tx, device: DeviceId) -> list[Ending]:
    """End the sessions of a device."""
    rows = await tx.fetch(
        """
        UPDATE sessions SET is_active = false WHERE device_id = $1 AND is_active
        RETURNING session_id, account_id, device_id
        """,
        device,
    )
    return _endings(rows)


async def update_ended_of_account(tx: Tx, account: AccountId, kept: SessionId | None) -> list[Ending]:
    """End the sessions of an account, all but one."""
    rows = await tx.fetch(
        """
        UPDATE sessions SET is_active = false
         WHERE account_id = $1 AND is_active AND session_id IS DISTINCT FROM $2
        RETURNING session_id, account_id, device_id
        """,
        account,
        kept,
    )
    return _endings(rows)


def _endings(rows: list[Row]) -> list[Ending]:
    return [Ending(row["session_id"], row["account_id"], row["device_id"]) for row in rows]


async def select_open(reader: Reader, account: AccountId, current: SessionId) -> list[Session]:
    """List the open sessions of an account, the latest used first."""
    rows = await reader.fetch(
        """
        SELECT session_id, device_id, ip, user_agent, session_id = $2 AS is_current, created_at, last_active_at,
               expires_at
          FROM sessions WHERE account_id = $1 AND is_active AND expires_at > clock_timestamp()
         ORDER BY last_active_at DESC
        """,
        account,
        current,
    )
    return [Session(**dict(row)) for row in rows]


async def select_open_on(reader: Reader, some: Sequence[DeviceId]) -> list[SessionId]:
    """List the open sessions on some devices."""
    rows = await reader.fetch("SELECT session_id FROM sessions WHERE device_id = ANY($1::uuid[]) AND is_active", some)
    return [row["session_id"] for row in rows]


async def select_valid(reader: Reader, sessions: Sequence[SessionId]) -> set[SessionId]:
    """Tell which sessions are still open, whatever became of their access tokens."""
    rows = await reader.fetch(
        """
        SELECT s.session_id FROM sessions s JOIN accounts a USING (account_id)
         WHERE s.session_id = ANY($1::uuid[]) AND s.is_active AND s.expires_at > clock_timestamp()
           AND a.is_active AND NOT a.is_suspended AND a.deleted_at IS NULL
        """,
        sessions,
    )
    return {row["session_id"] for row in rows}


async def delete_over(tx: Tx) -> int:
    """Delete a batch of sessions that are ended or expired."""
    return await tx.execute(
        """
        DELETE FROM sessions WHERE session_id IN (
          SELECT session_id FROM sessions WHERE expires_at < clock_timestamp() OR NOT is_active
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        """,
        BATCH,
    )
