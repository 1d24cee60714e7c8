"""Register, list, rename and revoke devices."""

from collections.abc import Sequence

import msgspec

from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.devices import store
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.names import check_name
from aparte.server.sessions import actions as sessions
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import Device, DeviceList, NewDevice
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId

DORMANT_DAYS = 45
NEW_HOURS = 24
"""How long a device that was linked changes no list but by leaving it."""


async def register(tx: Tx, account: AccountId, given: NewDevice, *, is_listed: bool) -> None:
    """Register a device at login, or find it again. Refuses with `device_exists`, `too_many_devices`.

    Whether it is on the account's list, or the account has none, is for the caller to know. Locks the account, so that
    two logins at once do not both become the tenth.
    """
    device = msgspec.structs.replace(given, name=check_name(given.name, limits.DEVICE_NAME, "the device's name"))
    await accounts.lock(tx, account)
    known = await store.lock_device(tx, device.device_id)
    if known is not None and known[0] != account:
        raise Refusal("device_exists")
    if known is None or not known[1]:
        await _make_room(tx, account, is_listed=is_listed)
    if known is None:
        await store.insert_device(tx, account, device, is_listed=is_listed)
    else:
        await store.update_device(tx, device, is_listed=is_listed)
    await _tell(tx, account, await store.select_device(tx, account, device.device_id))


async def _make_room(tx: Tx, account: AccountId, *, is_listed: bool) -> None:
    """Refuse the eleventh device. Those never linked do not count: the oldest of too many are switched off."""
    if await store.count_listed(tx, account) >= limits.DEVICES:
        raise Refusal("too_many_devices")
    if not is_listed:
        surplus = await store.select_unlisted(tx, account, limits.DEVICES - 1)
        await switch_off(tx, account, surplus)
        await tell(tx, account, surplus)


async def belongs(reader: Reader, account: AccountId, device: DeviceId) -> bool:
    """Tell whether a device is one of the account's, active or not."""
    return await store.select_device(reader, account, device) is not None


async def name_of(reader: Reader, account: AccountId, device: DeviceId) -> str:
    """How a device of the account calls itself."""
    found = await store.select_device(reader, account, device)
    if found is None:
        raise Refusal("not_found")
    return found.name


async def mine(db: Database, caller: Caller) -> DeviceList:
    """List one's devices."""
    async with db.read() as reader:
        return DeviceList(await store.select_devices(reader, caller.account, caller.device))


async def rename(db: Database, caller: Caller, device: DeviceId, name: str) -> Device:
    """Give one of one's devices another name."""
    checked = check_name(name, limits.DEVICE_NAME, "the device's name")
    async with db.transaction() as tx:
        found = await store.update_name(tx, caller.account, device, checked)
        if found is None:
            raise Refusal("not_found")
        await _tell(tx, caller.account, found)
    return msgspec.structs.replace(found, is_current=device == caller.device)


async def revoke(db: Database, caller: Caller, device: DeviceId, origin: Origin) -> None:
    """Switch one of one's devices off and end its sessions; it may log in again with the password.

    A listed device is taken off the signed list instead: refused with `invalid`.
    """
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        if await store.select_is_on_list(tx, caller.account, device):
            raise Refusal("invalid", "sign a list without this device")
        if not await store.update_revoked(tx, caller.account, device):
            raise Refusal("not_found")
        await sessions.end_of_device(tx, device)
        resource = ("device", device)
        await audit.record(
            tx, Event("device_revoked", caller.account, caller.session, resource=resource, origin=origin)
        )
        await _tell(tx, caller.account, await store.select_device(tx, caller.account, device))


async def used(tx: Tx, device: DeviceId) -> None:
    """Note that a device is in use; the caller keeps it to once a minute."""
    await store.update_last_active(tx, device)


async def follow_list(tx: Tx, account: AccountId, listed: Sequence[DeviceId]) -> list[DeviceId]:
    """Note which devices the account's newest list names; returns those that it names no longer."""
    return await store.update_listed(tx, account, listed)


async def dormant(reader: Reader, some: Sequence[DeviceId]) -> set[DeviceId]:
    """Tell which of these devices were not seen for 45 days: nothing is encrypted for them."""
    return await store.select_unseen(reader, some, DORMANT_DAYS)


async def linked(tx: Tx, account: AccountId, device: DeviceId) -> bool:
    """Note that a device was admitted by another one of the account; False if it is switched off meanwhile."""
    return await store.update_linked(tx, account, device)


async def is_new(reader: Reader, account: AccountId, device: DeviceId) -> bool | None:
    """Tell whether a listed device was linked less than a day ago; None if it is not listed (any more)."""
    return await store.select_is_new(reader, account, device, NEW_HOURS)


async def switch_off(tx: Tx, account: AccountId, some: Sequence[DeviceId]) -> None:
    """Switch off devices that have left the list, and end their sessions. The caller tells of it by `tell`."""
    await store.update_switched_off(tx, account, some)
    for device in some:
        await sessions.end_of_device(tx, device)


async def tell(tx: Tx, account: AccountId, some: Sequence[DeviceId]) -> None:
    """Let the account's devices know of devices that have changed, after whatever locks heads of conversations."""
    for device in some:
        await _tell(tx, account, await store.select_device(tx, account, device))


async def _tell(tx: Tx, account: AccountId, device: Device | None) -> None:
    """Let the account's devices know; times of use change too often to be told."""
    assert device is not None  # noqa: S101 - written in this transaction
    value = {"name": device.name, "platform": device.platform, "is_active": device.is_active}
    await state.put(tx, account, f"device:{device.device_id}", value)
