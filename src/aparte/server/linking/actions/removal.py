"""Devices that leave the list, and a new account key when one of them may be in other hands."""

from collections.abc import Sequence
from uuid import UUID

from aparte.e2ee.device_list import Succession
from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.authentication import actions as authentication
from aparte.server.authentication.model import Gate
from aparte.server.conversations import actions as conversations
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Tx
from aparte.server.linking import rules, store
from aparte.server.linking.actions.standing import is_new, list_of
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId
from aparte.wire.linking import NewList


async def succeed(gate: Gate, caller: Caller, given: NewList, origin: Origin) -> None:
    """Store the next list, without some devices or with another account key; what leaves is out at once.

    Repeating it changes nothing. Refuses with `stale_list`, `bad_list`, `device_too_new`, `invalid` (a new key needs
    the password), and as a login does for a wrong password.
    """
    if given.password is not None:
        await authentication.confirm_password(gate, caller, given.password, origin)
    async with gate.db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        before = await list_of(tx, caller.account)
        if await keys.version_of(tx, caller.account, before.version) == given.devices:
            return
        too_new = await is_new(tx, caller)
        await conversations.lock_encrypted(tx, caller.account)
        after = await keys.store_next(tx, caller.account, given.devices)
        if after.change != "same" and given.password is None:
            raise Refusal("invalid", "a new account key needs the password")
        removed = rules.check_removal(before, after)
        if too_new and not rules.is_leaving(removed, after, caller.device):
            raise Refusal("device_too_new")
        gone = [DeviceId(UUID(bytes=device.device)) for device in removed]
        await _put_out(tx, caller, gone)
        await conversations.renew_epochs(tx, caller.account, caller.device, given.devices)
        await devices.tell(tx, caller.account, gone)
        await _record(tx, caller, gone, after, origin)


async def _put_out(tx: Tx, caller: Caller, gone: Sequence[DeviceId]) -> None:
    """End what these devices have here: sessions, payloads that wait for them, prekeys, offers they have to do with."""
    await devices.switch_off(tx, caller.account, gone)
    await keys.forget(tx, gone)
    await store.delete_of_devices(tx, gone)


async def _record(tx: Tx, caller: Caller, gone: Sequence[DeviceId], after: Succession, origin: Origin) -> None:
    details = {"version": after.list.version}
    events = [
        Event(
            "device_removed",
            caller.account,
            caller.session,
            resource=("device", device),
            details=details,
            origin=origin,
        )
        for device in gone
    ]
    if after.change == "rotation":
        name = "account_key_rotated"
        events.append(Event(name, caller.account, caller.session, severity="warning", details=details, origin=origin))
    for event in events:
        await audit.record(tx, event)
