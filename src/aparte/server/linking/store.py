"""SQL of link offers. Times are PostgreSQL's own; every read checks them, the job only tidies up."""

from collections.abc import Sequence

from aparte.server.kit.db import Reader, Row, Tx
from aparte.server.linking.model import NewRow, OfferRow
from aparte.server.linking.rules import KEPT_MINUTES, OPEN_MINUTES
from aparte.wire.ids import AccountId, DeviceId, OfferId

BATCH = 1_000


async def insert_offer(tx: Tx, account: AccountId, new: NewRow) -> bool:
    """Store an offer; False if its id is taken, whoever has it."""
    return bool(
        await tx.execute(
            """
            INSERT INTO link_offers (offer_id, account_id, device_id, session_id, ip, offer, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(mins => $7))
            ON CONFLICT (offer_id) DO NOTHING
            """,
            new.id,
            account,
            new.device,
            new.session,
            new.ip,
            new.offer,
            OPEN_MINUTES,
        )
    )


async def select_offer(reader: Reader, account: AccountId, offer: OfferId) -> OfferRow | None:
    """Read an offer of an account."""
    row = await reader.fetchrow(
        """
        SELECT o.offer_id, o.device_id, o.session_id, o.ip, o.offer, o.answer, o.answered_by, o.container,
               o.list_version, o.created_at, o.expires_at,
               o.expires_at > clock_timestamp() AND s.is_active AND s.expires_at > clock_timestamp() AS is_alive
          FROM link_offers o JOIN sessions s USING (session_id)
         WHERE o.offer_id = $2 AND o.account_id = $1
        """,
        account,
        offer,
    )
    return _offer(row) if row else None


async def count_open(tx: Tx, account: AccountId) -> int:
    """Count the offers of an account that wait for an answer or for what follows it."""
    count: int = await tx.fetchval(
        """
        SELECT count(*) FROM link_offers o JOIN sessions s USING (session_id)
         WHERE o.account_id = $1 AND o.container IS NULL AND o.expires_at > clock_timestamp() AND s.is_active
        """,
        account,
    )
    return count


async def update_answered(tx: Tx, offer: OfferId, device: DeviceId, answer: bytes) -> None:
    """Store the one answer."""
    await tx.execute("UPDATE link_offers SET answer = $3, answered_by = $2 WHERE offer_id = $1", offer, device, answer)


async def update_admitted(tx: Tx, offer: OfferId, container: bytes, version: int) -> None:
    """Store what is for the new device, which has some minutes more to fetch it."""
    await tx.execute(
        """
        UPDATE link_offers
           SET container = $2, list_version = $3, expires_at = clock_timestamp() + make_interval(mins => $4)
         WHERE offer_id = $1
        """,
        offer,
        container,
        version,
        KEPT_MINUTES,
    )


async def delete_offer(tx: Tx, offer: OfferId) -> None:
    """Forget an offer."""
    await tx.execute("DELETE FROM link_offers WHERE offer_id = $1", offer)


async def delete_earlier(tx: Tx, device: DeviceId, kept: OfferId) -> None:
    """Forget what a device offered before."""
    await tx.execute("DELETE FROM link_offers WHERE device_id = $1 AND offer_id <> $2", device, kept)


async def delete_of_devices(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """Forget offers that these devices made or answered."""
    await tx.execute(
        "DELETE FROM link_offers WHERE device_id = ANY($1::uuid[]) OR answered_by = ANY($1::uuid[])", devices
    )


async def delete_over(tx: Tx) -> int:
    """Delete a batch of offers whose time is over."""
    return await tx.execute(
        """
        DELETE FROM link_offers WHERE offer_id IN (
          SELECT offer_id FROM link_offers WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1
             FOR UPDATE SKIP LOCKED)
        """,
        BATCH,
    )


def _offer(row: Row) -> OfferRow:
    return OfferRow(
        id=row["offer_id"],
        device=row["device_id"],
        session=row["session_id"],
        ip=row["ip"],
        offer=row["offer"],
        answer=row["answer"],
        answered_by=row["answered_by"],
        container=row["container"],
        list_version=row["list_version"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        is_alive=row["is_alive"],
    )
