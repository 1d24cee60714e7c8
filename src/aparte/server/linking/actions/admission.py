"""The last step of linking: the code matched, and the new device comes onto the list."""

from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import actions as conversations
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader
from aparte.server.linking import rules, store
from aparte.server.linking.actions.standing import check_not_new, list_of
from aparte.server.linking.model import OfferRow
from aparte.wire.errors import Refusal
from aparte.wire.ids import OfferId
from aparte.wire.linking import Admission


async def admit(db: Database, caller: Caller, offer_id: OfferId, given: Admission, origin: Origin) -> None:
    """Store the list with the offered device, begin the epochs that follow from it, and keep what is for the device.

    Whoever has answered the offer may repeat the same admission. Refuses with `not_found`, `offer_gone`,
    `device_too_new`, `stale_list`, `bad_list`, `too_many_devices`.
    """
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        row = await store.select_offer(tx, caller.account, offer_id)
        if row is not None and await _is_repeat(tx, caller, row, given):
            return
        row = rules.check_answered(row, caller.device)
        await check_not_new(tx, caller)
        before = await list_of(tx, caller.account)
        await conversations.lock_encrypted(tx, caller.account)
        after = await keys.store_next(tx, caller.account, given.devices)
        rules.check_admission(before, after, rules.read_offer(row.offer))
        if not await devices.linked(tx, caller.account, row.device):
            raise Refusal("offer_gone", "the new device was switched off meanwhile")
        await store.update_admitted(tx, offer_id, given.container, after.list.version)
        await conversations.renew_epochs(tx, caller.account, caller.device, given.devices)
        details = {"version": after.list.version}
        event = Event(
            "device_linked",
            caller.account,
            caller.session,
            resource=("device", row.device),
            origin=origin,
            details=details,
        )
        await audit.record(tx, event)


async def _is_repeat(reader: Reader, caller: Caller, row: OfferRow, given: Admission) -> bool:
    """Whether this very admission has happened: its answer was lost on the way."""
    if row.list_version is None or row.answered_by != caller.device or row.container != given.container:
        return False
    return await keys.version_of(reader, caller.account, row.list_version) == given.devices
