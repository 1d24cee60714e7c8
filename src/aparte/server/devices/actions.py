"""Register, list, rename and revoke devices."""

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


async def register(tx: Tx, account: AccountId, given: NewDevice) -> None:
    """Register a device at login, or find it again. Refuses with `device_exists`, `too_many_devices`.

    Locks the account, so that two logins at once do not both become the tenth.
    """
    device = msgspec.structs.replace(given, name=check_name(given.name, limits.DEVICE_NAME, "the device's name"))
    await accounts.lock(tx, account)
    known = await store.lock_device(tx, device.device_id)
    if known is not None and known[0] != account:
        raise Refusal("device_exists")
    if (known is None or not known[1]) and await store.count_active(tx, account) >= limits.DEVICES:
        raise Refusal("too_many_devices")
    if known is None:
        await store.insert_device(tx, account, device)
    else:
        await store.update_device(tx, device)
    await _tell(tx, account, await store.select_device(tx, account, device.device_id))


async def belongs(reader: Reader, account: AccountId, device: DeviceId) -> bool:
    """Tell whether a device is one of the account's, active or not."""
    return await store.select_device(reader, account, device) is not None


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
    """Switch one of one's devices off and end its sessions; it may log in again with the password."""
    async with db.transaction() as tx:
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


async def _tell(tx: Tx, account: AccountId, device: Device | None) -> None:
    """Let the account's devices know; times of use change too often to be told."""
    assert device is not None  # noqa: S101 - written in this transaction
    value = {"name": device.name, "platform": device.platform, "is_active": device.is_active}
    await state.put(tx, account, f"device:{device.device_id}", value)
