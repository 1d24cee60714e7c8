"""SQL of devices."""

from collections.abc import Sequence

import asyncpg

from aparte.server.kit.db import Reader, Row, Tx
from aparte.wire import limits
from aparte.wire.accounts import Device, NewDevice
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId


async def insert_device(tx: Tx, account: AccountId, device: NewDevice, *, is_listed: bool) -> None:
    """Register a new device. An id that is somebody else's is refused with `device_exists`."""
    try:
        await tx.execute(
            "INSERT INTO devices (device_id, account_id, name, platform, is_listed) VALUES ($1, $2, $3, $4, $5)",
            device.device_id,
            account,
            device.name,
            device.platform,
            is_listed,
        )
    except asyncpg.UniqueViolationError:
        raise Refusal("device_exists") from None


async def lock_device(tx: Tx, device: DeviceId) -> tuple[AccountId, bool] | None:
    """Lock a device; tells whose it is and whether it is active."""
    row = await tx.fetchrow("SELECT account_id, is_active FROM devices WHERE device_id = $1 FOR NO KEY UPDATE", device)
    return (row["account_id"], row["is_active"]) if row else None


async def count_listed(tx: Tx, account: AccountId) -> int:
    """Count the active devices of an account that are listed, or all of them while it has no list."""
    count: int = await tx.fetchval(
        "SELECT count(*) FROM devices WHERE account_id = $1 AND is_active AND is_listed", account
    )
    return count


async def select_unlisted(tx: Tx, account: AccountId, newest: int) -> list[DeviceId]:
    """Read the active devices that are not listed, but for the newest ones."""
    rows = await tx.fetch(
        """
        SELECT device_id FROM devices WHERE account_id = $1 AND is_active AND NOT is_listed
         ORDER BY last_active_at DESC OFFSET $2
        """,
        account,
        newest,
    )
    return [row["device_id"] for row in rows]


async def update_device(tx: Tx, device: NewDevice, *, is_listed: bool) -> None:
    """A known device is back, perhaps under another name."""
    await tx.execute(
        """
        UPDATE devices SET name = $2, platform = $3, is_listed = $4, is_active = true,
                           last_active_at = clock_timestamp()
         WHERE device_id = $1
        """,
        device.device_id,
        device.name,
        device.platform,
        is_listed,
    )


async def update_name(tx: Tx, account: AccountId, device: DeviceId, name: str) -> Device | None:
    """Rename an active device of an account."""
    row = await tx.fetchrow(
        """
        UPDATE devices SET name = $3 WHERE device_id = $2 AND account_id = $1 AND is_active
        RETURNING device_id, name, platform, is_active, false AS is_current, created_at, last_active_at
        """,
        account,
        device,
        name,
    )
    return _device(row) if row else None


async def update_revoked(tx: Tx, account: AccountId, device: DeviceId) -> bool:
    """Switch an active device of an account off."""
    return bool(
        await tx.execute(
            "UPDATE devices SET is_active = false WHERE device_id = $2 AND account_id = $1 AND is_active",
            account,
            device,
        )
    )


async def update_listed(tx: Tx, account: AccountId, listed: Sequence[DeviceId]) -> list[DeviceId]:
    """Note which devices of an account are listed; returns those that were until this moment."""
    rows = await tx.fetch(
        """
        UPDATE devices SET is_listed = device_id = ANY($2::uuid[])
         WHERE account_id = $1 AND is_listed <> (device_id = ANY($2::uuid[]))
        RETURNING device_id, is_listed
        """,
        account,
        listed,
    )
    return [row["device_id"] for row in rows if not row["is_listed"]]


async def select_is_on_list(reader: Reader, account: AccountId, device: DeviceId) -> bool:
    """Tell whether a signed list names a device of an account; without any list nothing is on it."""
    found = await reader.fetchval(
        """
        SELECT true FROM devices d
         WHERE d.device_id = $2 AND d.account_id = $1 AND d.is_listed
           AND EXISTS (SELECT 1 FROM device_lists l WHERE l.account_id = $1)
        """,
        account,
        device,
    )
    return bool(found)


async def select_unseen(reader: Reader, some: Sequence[DeviceId], days: int) -> set[DeviceId]:
    """Tell which devices were not seen for so many days."""
    rows = await reader.fetch(
        """
        SELECT device_id FROM devices
         WHERE device_id = ANY($1::uuid[]) AND last_active_at < clock_timestamp() - make_interval(days => $2)
        """,
        some,
        days,
    )
    return {row["device_id"] for row in rows}


async def update_linked(tx: Tx, account: AccountId, device: DeviceId) -> bool:
    """Note that another device of the account has just admitted one; False if it is switched off meanwhile."""
    return bool(
        await tx.execute(
            "UPDATE devices SET linked_at = clock_timestamp() WHERE device_id = $2 AND account_id = $1 AND is_active",
            account,
            device,
        )
    )


async def update_switched_off(tx: Tx, account: AccountId, some: Sequence[DeviceId]) -> None:
    """Switch devices of an account off."""
    await tx.execute(
        "UPDATE devices SET is_active = false WHERE account_id = $1 AND device_id = ANY($2::uuid[])", account, some
    )


async def select_is_new(reader: Reader, account: AccountId, device: DeviceId, hours: int) -> bool | None:
    """Tell whether a listed device was linked within so many hours; None if it is not listed."""
    is_new: bool | None = await reader.fetchval(
        """
        SELECT coalesce(linked_at > clock_timestamp() - make_interval(hours => $3), false) FROM devices
         WHERE device_id = $2 AND account_id = $1 AND is_listed AND is_active
        """,
        account,
        device,
        hours,
    )
    return is_new


async def update_last_active(tx: Tx, device: DeviceId) -> None:
    """Note that a device is in use."""
    await tx.execute("UPDATE devices SET last_active_at = clock_timestamp() WHERE device_id = $1", device)


async def select_device(reader: Reader, account: AccountId, device: DeviceId) -> Device | None:
    """Read a device of an account."""
    row = await reader.fetchrow(
        """
        SELECT device_id, name, platform, is_active, false AS is_current, created_at, last_active_at
          FROM devices WHERE device_id = $2 AND account_id = $1
        """,
        account,
        device,
    )
    return _device(row) if row else None


async def select_devices(reader: Reader, account: AccountId, current: DeviceId) -> list[Device]:
    """List the devices of an account, active ones and the latest used first."""
    rows = await reader.fetch(
        """
        SELECT device_id, name, platform, is_active, device_id = $2 AS is_current, created_at, last_active_at
          FROM devices WHERE account_id = $1
         ORDER BY is_active DESC, last_active_at DESC LIMIT $3
        """,
        account,
        current,
        limits.PAGE_LIST,
    )
    return [_device(row) for row in rows]


def _device(row: Row) -> Device:
    return Device(**dict(row))
