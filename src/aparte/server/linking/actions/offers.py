"""An offer on its way: made by the new device, found and answered by a listed one, followed by its maker."""

from uuid import UUID

from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.authentication import actions as authentication
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.linking import rules, store
from aparte.server.linking.actions.standing import check_not_new, list_of
from aparte.server.linking.model import NewRow, OfferRow
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId, OfferId
from aparte.wire.linking import NewOffer, Offer, OfferAnswer, OfferState


async def offer(db: Database, caller: Caller, given: NewOffer, origin: Origin) -> OfferState:
    """Store the offer and the prekeys of a device that is to be listed; it replaces what that device offered before.

    Refuses with `keys_needed`, `invalid`, `bad_prekeys`, `prekey_reused`, `too_many`, `offer_gone` (the id is taken).
    """
    offered = rules.read_offer(given.offer)
    rules.check_offered(offered, caller.device, given.prekeys)
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        rules.check_unlisted(await list_of(tx, caller.account), caller.device)
        await store.delete_earlier(tx, caller.device, given.id)
        found = await store.select_offer(tx, caller.account, given.id)
        if found is not None:
            again = _again(found, caller, given)
            return OfferState(again.state, again.expires_at)
        if await store.count_open(tx, caller.account) >= rules.OPEN_OFFERS:
            raise Refusal("too_many")
        whose = (caller.account, caller.device, offered.registration_id, offered.identity.serialize())
        await keys.put_prekeys(tx, *whose, given.prekeys)
        row = await _insert(tx, caller, given, origin)
    return OfferState(row.state, row.expires_at)


async def mine(db: Database, caller: Caller, offer_id: OfferId) -> OfferState:
    """Tell the maker of an offer how far it is. What is left for it stays until it is fetched and deleted."""
    async with db.read() as reader:
        row = await store.select_offer(reader, caller.account, offer_id)
        if row is None or (row.device, row.session) != (caller.device, caller.session):
            raise Refusal("not_found")
        if not row.is_alive:
            raise Refusal("offer_gone")
        listed = await keys.version_of(reader, caller.account, row.list_version) if row.list_version else None
    return OfferState(row.state, row.expires_at, row.answer, listed, row.container)


async def find(db: Database, caller: Caller, offer_id: OfferId) -> Offer:
    """Show a listed device an offer of its account that is open, or that it has answered itself."""
    async with db.read() as reader:
        row = rules.check_found(await store.select_offer(reader, caller.account, offer_id), caller.device)
        name = await devices.name_of(reader, caller.account, row.device)
    return Offer(row.id, row.offer, name, row.ip, row.created_at, row.expires_at)


async def answer(gate: Gate, caller: Caller, offer_id: OfferId, given: OfferAnswer, origin: Origin) -> None:
    """Store the one answer to an offer; the same device may repeat the same one.

    Refuses with `not_found`, `offer_gone`, `device_too_new`, `invalid`, and as a login does for a wrong password.
    """
    async with gate.db.read() as reader:
        await check_not_new(reader, caller)
        rules.check_found(await store.select_offer(reader, caller.account, offer_id), caller.device)
    await authentication.confirm_password(gate, caller, given.password, origin)
    async with gate.db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        await check_not_new(tx, caller)
        row = rules.check_found(await store.select_offer(tx, caller.account, offer_id), caller.device)
        rules.check_answer(given.answer, await list_of(tx, caller.account))
        if row.answer == given.answer:
            return
        if row.answer is not None:
            raise Refusal("offer_gone", "the offer has an answer")
        await store.update_answered(tx, offer_id, caller.device, given.answer)
        await audit.record(tx, _event("link_answered", caller, row.device, origin))


async def withdraw(db: Database, caller: Caller, offer_id: OfferId) -> None:
    """Forget an offer: its maker may, and every listed device of the account."""
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        row = await store.select_offer(tx, caller.account, offer_id)
        is_maker = row is not None and row.device == caller.device
        if row is None or not (is_maker or await _is_listed(tx, caller)):
            raise Refusal("not_found")
        await store.delete_offer(tx, offer_id)


async def forget_old(tx: Tx) -> int:
    """Delete a batch of offers whose time is over; a job repeats it until it returns 0."""
    return await store.delete_over(tx)


async def _is_listed(reader: Reader, caller: Caller) -> bool:
    return await devices.is_new(reader, caller.account, caller.device) is not None


def _again(found: OfferRow, caller: Caller, given: NewOffer) -> OfferRow:
    """The same offer once more, because its answer was lost; anything else under that id is refused."""
    same = (found.device, found.session, found.offer) == (caller.device, caller.session, given.offer)
    if not same or not found.is_alive:
        raise Refusal("offer_gone")
    return found


async def _insert(tx: Tx, caller: Caller, given: NewOffer, origin: Origin) -> OfferRow:
    new = NewRow(given.id, caller.device, caller.session, origin.ip, given.offer)
    row = None
    if await store.insert_offer(tx, caller.account, new):
        row = await store.select_offer(tx, caller.account, given.id)
    if row is None:
        raise Refusal("offer_gone", "this id is taken")
    await audit.record(tx, _event("link_offered", caller, caller.device, origin))
    return row


def _event(name: str, caller: Caller, device: DeviceId | UUID, origin: Origin) -> Event:
    return Event(name, caller.account, caller.session, resource=("device", device), origin=origin)
