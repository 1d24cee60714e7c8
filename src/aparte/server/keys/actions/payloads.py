"""Payloads: pairwise messages that belong to no entry, kept for one device until it has them."""

from collections.abc import Sequence

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.devices import actions as devices
from aparte.server.keys import rules, store
from aparte.server.keys.actions.lists import lists_of
from aparte.server.keys.model import Waiting
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import ToDevice
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.frames import Waiting as Hint
from aparte.wire.ids import AccountId, PayloadId
from aparte.wire.keys import NewPayloads, PayloadPage


async def send(db: Database, caller: Caller, given: NewPayloads) -> None:
    """Keep payloads for devices of one account, all or none; a repeat is stored once, a dormant device gets none.

    Refuses with `not_found` (also whom one shares no encrypted conversation with, or a device that is not listed),
    `blocked`, `too_many`.
    """
    wanted = [Waiting(one.device, one.payload_id, one.type, one.body) for one in given.payloads]
    async with db.transaction() as tx:
        await _check_may_send(tx, caller.account, given.account)
        known = (await lists_of(tx, [given.account])).get(given.account)
        if known is None or not {one.device for one in wanted} <= set(rules.ids_of(known.list)):
            raise Refusal("not_found")
        targets = sorted({one.device for one in wanted}, key=lambda device: device.bytes)
        asleep = await devices.dormant(tx, targets)
        await store.lock_devices(tx, targets)
        awake = [one for one in wanted if one.device not in asleep]
        for device in await store.insert_payloads(tx, caller.account, caller.device, awake):
            tx.ring(ToDevice(device, Hint()))
        counts = await store.count_payloads(tx, targets)
        if any(count > limits.PAYLOADS_KEPT for count in counts.values()):
            raise Refusal("too_many", "this device has not fetched what waits for it")


async def waiting(db: Database, caller: Caller) -> PayloadPage:
    """Read what waits for the calling device, oldest first."""
    async with db.read() as reader:
        page, more = await store.select_payloads(reader, caller.device)
    return PayloadPage(page, more)


async def done(db: Database, caller: Caller, ids: Sequence[PayloadId]) -> None:
    """Forget what the calling device has; nobody else's is ever found."""
    async with db.transaction() as tx:
        await store.delete_payloads(tx, caller.device, ids)


async def delete_old(tx: Tx) -> int:
    """Delete a batch of payloads that nobody fetched in 60 days; a job repeats it until it returns 0."""
    return await store.delete_old_payloads(tx)


async def _check_may_send(reader: Reader, sender: AccountId, target: AccountId) -> None:
    if target == sender:
        return
    if not await accounts.people(reader, [target]):
        raise Refusal("not_found")
    if not await store.select_shares_encrypted(reader, sender, target):
        raise Refusal("not_found")
    if await contacts.blocked_between(reader, sender, target):
        raise Refusal("blocked")
