"""Prekeys: published by their device, handed out to whoever begins a session with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from aparte.server.accounts import actions as accounts
from aparte.server.keys import rules, store
from aparte.server.keys.model import KnownList, PrekeyRow, Wanted
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader, Tx
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import Bundle, Bundles, KemPrekey, OneTimePrekey, Prekeys, PrekeyStock

P = TypeVar("P", OneTimePrekey, KemPrekey)


async def put_mine(db: Database, caller: Caller, given: Prekeys) -> PrekeyStock:
    """Publish prekeys of the calling device. Refuses with `keys_needed`, `bad_prekeys`, `prekey_reused`."""
    async with db.read() as reader:
        row = rules.row_of(await _list_of(reader, caller.account), caller.device)
    identity = row.identity.serialize()
    await asyncio.to_thread(rules.check_prekeys, identity, given, is_first=False)
    async with db.transaction() as tx:
        return await store_prekeys(tx, caller.account, caller.device, row.registration_id, identity, given)


async def put_prekeys(
    tx: Tx, account: AccountId, device: DeviceId, registration_id: int, identity: bytes, given: Prekeys
) -> PrekeyStock:
    """Publish prekeys of a device that is not listed yet; its identity and registration id are fixed from then on.

    Refuses with `bad_prekeys`, `prekey_reused`.
    """
    known = await store.select_prekeys(tx, [(account, device)])
    await asyncio.to_thread(rules.check_prekeys, identity, given, is_first=not known)
    return await store_prekeys(tx, account, device, registration_id, identity, given)


async def store_prekeys(
    tx: Tx, account: AccountId, device: DeviceId, registration_id: int, identity: bytes, given: Prekeys
) -> PrekeyStock:
    """Keep prekeys that were checked. Uploading the same again changes nothing.

    An id up to the high mark that is not in stock any more was handed out, and stays so.
    """
    known = await store.lock_prekeys(tx, account, device)
    if known is None:
        known = await _begin(tx, account, device, registration_id, identity, given)
    rules.check_same_device(known, registration_id, identity)
    new = replace(
        known,
        signed=given.signed if given.signed and rules.newer(known.signed, given.signed) else known.signed,
        last_resort=(
            given.last_resort
            if given.last_resort and rules.newer(known.last_resort, given.last_resort)
            else known.last_resort
        ),
        one_time_high=await _stock_up(tx, device, given.one_time, known.one_time_high, is_kem=False),
        one_time_kem_high=await _stock_up(tx, device, given.one_time_kem, known.one_time_kem_high, is_kem=True),
    )
    if new != known:
        await store.update_prekeys(tx, new)
    return await _stock(tx, new)


async def stock(db: Database, caller: Caller) -> PrekeyStock:
    """Count what the server has of the calling device. Refuses with `keys_needed` if it never published any."""
    async with db.read() as reader:
        found = await store.select_prekeys(reader, [(caller.account, caller.device)])
        if not found:
            raise Refusal("keys_needed")
        return await _stock(reader, found[caller.account, caller.device])


async def bundles(db: Database, wanted: Wanted) -> Bundles:
    """Hand out a bundle of each listed device of an account that has published prekeys. Refuses with `not_found`."""
    async with db.transaction() as tx:
        if not await accounts.people(tx, [wanted.account]):
            raise Refusal("not_found")
        return await _hand_out(tx, [wanted])


async def bundles_of_many(db: Database, wanted: Sequence[Wanted]) -> Bundles:
    """Hand out bundles of devices of several people, in the order asked.

    Who is not there is left out as a device without prekeys is: one person who has gone stops nobody else.
    """
    async with db.transaction() as tx:
        there = {row.account for row in await accounts.people(tx, [one.account for one in wanted])}
        return await _hand_out(tx, [one for one in wanted if one.account in there])


async def _hand_out(tx: Tx, wanted: Sequence[Wanted]) -> Bundles:
    """Read what listed devices have published; the others are left out.

    One-time prekeys are taken from the stock, so that nobody else gets them; without them the last-resort key serves.
    """
    lists = await store.select_newest(tx, [one.account for one in wanted])
    listed = {account: set(rules.ids_of(rules.read(signed).list)) for account, signed in lists.items()}
    owned = [(one, device) for one in wanted for device in dict.fromkeys(one.devices)]
    asked = [(one.account, device) for one, device in owned if device in listed.get(one.account, ())]
    rows = await store.select_prekeys(tx, asked)
    free = [device for one, device in owned if one.with_one_time and (one.account, device) in rows]
    taken: dict[DeviceId, list[OneTimePrekey | KemPrekey]] = {}
    for one_time in await store.take_one_time(tx, free):
        taken.setdefault(one_time.device, []).append(one_time.prekey)
    return Bundles([_bundle(rows[key], taken.get(key[1], [])) for key in asked if key in rows])


async def forget(tx: Tx, devices: Sequence[DeviceId]) -> None:
    """Forget the prekeys of devices that are off the list, and what waits for them."""
    await store.delete_prekeys(tx, devices)
    await store.delete_payloads_of(tx, devices)


async def _begin(
    tx: Tx, account: AccountId, device: DeviceId, registration_id: int, identity: bytes, given: Prekeys
) -> PrekeyRow:
    if given.signed is None or given.last_resort is None:
        raise Refusal("bad_prekeys", "a device begins with a signed and a last-resort prekey")
    row = PrekeyRow(device, registration_id, identity, given.signed, given.last_resort, 0, 0)
    if await store.insert_prekeys(tx, account, row):
        return row
    known = await store.lock_prekeys(tx, account, device)
    if known is None:
        raise Refusal("device_exists")
    return known


async def _stock_up(tx: Tx, device: DeviceId, given: list[P], high: int, *, is_kem: bool) -> int:
    """Add what is new; returns the new high mark."""
    if not given:
        return high
    kept = await store.select_one_time(tx, device, [key.id for key in given], is_kem=is_kem)
    rules.check_not_reused(kept, given)
    new = [key for key in given if key.id > high]
    if new:
        await store.insert_one_time(tx, device, new, is_kem=is_kem)
    return max(high, *(key.id for key in given))


async def _stock(reader: Reader, row: PrekeyRow) -> PrekeyStock:
    plain, kem = await store.count_one_time(reader, row.device)
    return PrekeyStock(plain, kem, row.signed.id, row.last_resort.id)


async def _list_of(reader: Reader, account: AccountId) -> KnownList | None:
    found = (await store.select_newest(reader, [account])).get(account)
    return rules.read(found) if found else None


def _bundle(row: PrekeyRow, mine: Sequence[OneTimePrekey | KemPrekey]) -> Bundle:
    return Bundle(
        device=row.device,
        registration_id=row.registration_id,
        identity=row.identity,
        signed=row.signed,
        kem=next((key for key in mine if isinstance(key, KemPrekey)), row.last_resort),
        one_time=next((key for key in mine if isinstance(key, OneTimePrekey)), None),
    )
