"""Epochs tell how they differ: what was added since one of them, who is out, and what an epoch is made of."""

import os
from typing import Any

from tests.support.groups import group, person, store
from tests.support.keys import account_key, with_device, without
from tests.support.sealing import add_device, direct, open_direct

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KeyPair
from aparte.server.conversations import actions as conversations
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.log.model import Since
from aparte.wire.ids import ConversationId
from aparte.wire.keys import SignedList

Admin = Any


async def newest(db: Database, who: Caller) -> SignedList:
    async with db.read() as reader:
        return (await keys.lists_of(reader, [who.account]))[who.account].signed


async def relist(db: Database, who: Caller, signed: SignedList) -> int:
    """Store a list and begin the epochs that follow from it; counts them."""
    async with db.transaction() as tx:
        await keys.store_next(tx, who.account, signed)
        return await conversations.renew_epochs(tx, who.account, who.device, signed)


def rotated(before: SignedList, key: KeyPair) -> SignedList:
    """The same devices under another account key."""
    known = DeviceList.deserialize(before.list)
    new = DeviceList(known.account, key.public, known.version + 1, known.hash, known.devices)
    done = device_list.sign(new, key, os.urandom, previous_key=account_key())
    return SignedList(done.list, done.signature, done.previous_signature)


async def since(db: Database, conversation: ConversationId, epoch: int) -> Since:
    async with db.read() as reader:
        return await log.since(reader, conversation, epoch)


async def test_what_changed_since_an_epoch_adds_up(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob)
    phone = await add_device(admin, bob)
    listed = with_device(await newest(db, bob), phone.device)
    assert await relist(db, bob, listed) == 1
    await store(db, made, alice, made.add(alice, carol))
    assert await since(db, made.id, 0) == Since(
        frozenset({alice.device, bob.device, phone.device, carol.device}), False
    )
    assert await since(db, made.id, 1) == Since(frozenset({phone.device, carol.device}), False)
    assert await since(db, made.id, 2) == Since(frozenset({carol.device}), False)
    assert await since(db, made.id, 3) == Since(frozenset(), False)
    await relist(db, bob, without(listed, phone.device))
    assert await since(db, made.id, 3) == Since(frozenset(), True)
    assert (await since(db, made.id, 1)).has_removed


async def test_a_new_account_key_counts_as_somebody_being_out(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    key = KeyPair.generate(os.urandom)
    await relist(db, bob, rotated(await newest(db, bob), key))
    assert await since(db, made.id, 1) == Since(frozenset(), True)
    made.account_keys[bob.account], made.versions[bob.account] = key, 2
    await store(db, made, bob, made.leave(bob))


async def test_direct_conversations_tell_it_too(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    await open_direct(db, alice, bob)
    phone = await add_device(admin, bob)
    assert await relist(db, bob, with_device(await newest(db, bob), phone.device)) == 1
    assert await since(db, direct(alice, bob), 1) == Since(frozenset({phone.device}), False)


async def test_who_is_out_begins_no_epoch_where_they_were(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    made = await group(db, alice, bob)
    await store(db, made, bob, made.leave(bob))
    phone = await add_device(admin, bob)
    assert await relist(db, bob, with_device(await newest(db, bob), phone.device)) == 0


async def test_an_epoch_is_made_of_what_the_differences_add_up_to(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice, bob)
    phone = await add_device(admin, bob)
    await relist(db, bob, with_device(await newest(db, bob), phone.device))
    await store(db, made, alice, made.add(alice, carol))
    await store(db, made, alice, made.remove(alice, bob))
    told = []
    for number in (1, 2, 3, 4, None):
        async with db.read() as reader:
            at, versions = await log.versions_in(reader, made.id, number) or (None, {})
        assert at is not None
        told.append((at.epoch, at.statement, versions))
    first = {alice.account: 1, bob.account: 1}
    assert told == [
        (1, 2, first),
        (2, 2, first | {bob.account: 2}),
        (3, 3, first | {bob.account: 2, carol.account: 1}),
        (4, 4, {alice.account: 1, carol.account: 1}),
        (4, 4, {alice.account: 1, carol.account: 1}),
    ]
    async with db.read() as reader:
        assert await log.versions_in(reader, made.id, 5) is None
        assert await log.epoch_of(reader, made.id, 5) is None


async def test_keys_of_one_line_are_told_from_those_before_a_reset(db: Database, admin: Admin) -> None:
    alice, bob = await person(admin), await person(admin)
    first, key = account_key().public.serialize(), KeyPair.generate(os.urandom)
    await relist(db, alice, rotated(await newest(db, alice), key))
    second = key.public.serialize()
    async with db.read() as reader:
        known = await keys.hashes_of(reader, [alice.account, bob.account, alice.account])
        lists = await keys.lists_of(reader, [alice.account, bob.account])
        assert await keys.lines_of(reader, [alice.account, bob.account]) == {
            alice.account: {first, second},
            bob.account: {first},
        }
    for account, one in known.items():
        whole = lists[account].list
        assert (one.version, one.hash, one.account_key) == (whole.version, whole.hash, whole.account_key.serialize())
        assert [device.bytes for device in one.devices] == [row.device for row in whole.devices]
    await admin.execute("UPDATE device_lists SET previous_signature = NULL WHERE version = 2")
    async with db.read() as reader:
        assert await keys.lines_of(reader, [alice.account]) == {alice.account: {second}}
