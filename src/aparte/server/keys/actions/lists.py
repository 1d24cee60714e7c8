"""Device lists: the first of an account, those that follow, and what others are told of them."""

import asyncio
import hmac
from collections.abc import Sequence

from aparte.e2ee.device_list import DeviceList, Succession
from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.devices import actions as devices
from aparte.server.keys import newest, rules, store
from aparte.server.keys.actions.prekeys import store_prekeys
from aparte.server.keys.model import FirstKeys, KnownList, NewestList, Question
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.sessions import actions as sessions
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import AccountKeys, Lists, ListsOf, SignedList

ANSWER_BYTES = 262_144
"""Lists of so many bytes stand in one answer, beside one version of each account."""


async def check_first(account: AccountId, device: DeviceId, given: AccountKeys) -> FirstKeys:
    """Check the keys an account begins with, outside of any transaction. Refuses with `bad_list`, `bad_prekeys`."""
    return await asyncio.to_thread(rules.first_keys, account, device, given)


async def store_first(tx: Tx, account: AccountId, first: FirstKeys) -> None:
    """Keep the first list and prekeys of an account, its row locked. Refuses with `keys_exist`."""
    if await store.select_first(tx, account) is not None:
        raise Refusal("keys_exist")
    row = first.list.devices[0]
    await _store(tx, account, first.list, first.signed)
    await store_prekeys(tx, account, first.device, row.registration_id, row.identity.serialize(), first.prekeys)


async def put_first(db: Database, caller: Caller, given: AccountKeys, origin: Origin) -> None:
    """Give keys to an account that is older than keys; its other devices must be linked from now on.

    The very same list again changes nothing. Refuses with `keys_exist`, `bad_list`, `bad_prekeys`.
    """
    first = await check_first(caller.account, caller.device, given)
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        if not await is_same_first(tx, caller.account, given):
            await store_first(tx, caller.account, first)
            resource = ("device", caller.device)
            event = Event("account_keys_given", caller.account, caller.session, resource=resource, origin=origin)
            await audit.record(tx, event)


async def is_same_first(reader: Reader, account: AccountId, given: AccountKeys) -> bool:
    """Tell whether an account began with this list; signatures are random, so the list alone is compared."""
    known = await store.select_first(reader, account)
    return known is not None and hmac.compare_digest(known.list, given.devices.list)


async def store_next(tx: Tx, account: AccountId, given: SignedList) -> Succession:
    """Keep the next version of a list. Refuses with `keys_needed`, `stale_list`, `bad_list` (a reset too).

    Locks the account. Epochs of conversations, and sessions of devices that are gone, are the caller's.
    """
    await accounts.lock(tx, account)
    known = (await lists_of(tx, [account])).get(account)
    succession = rules.follow(known, given)
    await _store(tx, account, succession.list, given)
    return succession


async def lists_of(reader: Reader, some: Sequence[AccountId]) -> dict[AccountId, KnownList]:
    """Read the newest lists of accounts; of one without keys there is none."""
    found = await store.select_newest(reader, list(dict.fromkeys(some)))
    return {account: rules.read(signed) for account, signed in found.items()}


async def hashes_of(reader: Reader, some: Sequence[AccountId]) -> dict[AccountId, NewestList]:
    """Tell what rosters are made of: version, hash, account key and devices of each newest list."""
    return await newest.select_hashes(reader, list(dict.fromkeys(some)))


async def lines_of(reader: Reader, some: Sequence[AccountId]) -> dict[AccountId, frozenset[bytes]]:
    """Tell which account keys belong to who holds the present one: each was replaced by a rotation, not by a reset."""
    return await newest.select_lines(reader, list(dict.fromkeys(some)))


async def version_of(reader: Reader, account: AccountId, version: int) -> SignedList | None:
    """Read one version of an account's list."""
    found = await store.select_after(reader, [Question(account, version - 1)], 1)
    return next(iter(found.get(account, [])), None)


async def is_listed(reader: Reader, account: AccountId, device: DeviceId) -> bool:
    """Tell whether a device is on its account's list, or the account has none yet."""
    known = (await lists_of(reader, [account])).get(account)
    return known is None or known.list.find(device.bytes) is not None


async def dormant(reader: Reader, some: Sequence[DeviceId]) -> set[DeviceId]:
    """Tell which devices were not seen for 45 days: they get no envelopes and do not count."""
    return await devices.dormant(reader, some)


async def lists(db: Database, asked: Sequence[Question]) -> Lists:
    """Answer the versions after those that are known, in the order asked; who is not there has none."""
    async with db.read() as reader:
        there = {row.account for row in await accounts.people(reader, [question.account for question in asked])}
        known = [question for question in asked if question.account in there]
        found = await store.select_after(reader, known, limits.LIST_VERSIONS + 1)
        latest = await lists_of(reader, sorted(there))
        listed = [device for one in latest.values() for device in rules.ids_of(one.list)]
        asleep = await devices.dormant(reader, listed)
    room = ANSWER_BYTES
    answer = []
    for question in asked:
        after = found.get(question.account, []) if question in known else []
        versions, room = _fitting(after, room)
        one = latest.get(question.account)
        unseen = [device for device in rules.ids_of(one.list) if device in asleep] if one else []
        answer.append(ListsOf(question.account, versions, len(versions) < len(after), unseen))
    return Lists(answer)


def _fitting(after: list[SignedList], room: int) -> tuple[list[SignedList], int]:
    """Take as many versions as one account gets and the answer has room for, and one in any case."""
    versions: list[SignedList] = []
    for signed in after[: limits.LIST_VERSIONS]:
        if versions and len(signed.list) > room:
            break
        versions.append(signed)
        room -= len(signed.list)
    return versions, room


async def _store(tx: Tx, account: AccountId, new: DeviceList, signed: SignedList) -> None:
    """Keep a version, let the devices follow it, and tell the account's own devices."""
    await store.insert_list(tx, account, new, signed)
    gone = await devices.follow_list(tx, account, rules.ids_of(new))
    await sessions.close_gateways(tx, gone)
    await state.put(tx, account, "devices", {"version": new.version})
