"""Device lists: each follows from the one before, and everybody may read all of them."""

import asyncio
import os
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from tests.support import keys
from tests.support.people import World
from tests.support.sign_in import gate, link, log_in, register

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KeyPair
from aparte.server.authentication.model import Gate
from aparte.server.keys import actions
from aparte.server.keys.model import Question
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.keys import SignedList

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def newest(db: Database, who: Caller) -> SignedList:
    async with db.read() as reader:
        return (await actions.lists_of(reader, [who.account]))[who.account].signed


async def store(db: Database, who: Caller, signed: SignedList) -> str:
    """Store a next version; tells what happened to the key, or the code of the refusal."""
    try:
        async with db.transaction() as tx:
            return (await actions.store_next(tx, who.account, signed)).change
    except Refusal as refusal:
        return refusal.code


def signed_by(new: DeviceList, key: KeyPair, previous: KeyPair | None = None) -> SignedList:
    done = device_list.sign(new, key, os.urandom, previous_key=previous)
    return SignedList(done.list, done.signature, done.previous_signature)


async def listed(admin: Admin) -> set[UUID]:
    return {row["device_id"] for row in await admin.fetch("SELECT device_id FROM devices WHERE is_listed")}


async def test_a_version_follows_and_the_devices_follow_it(
    here: Gate, alice: Caller, db: Database, admin: Admin
) -> None:
    phone = await log_in(here, "alice")
    assert phone.standing == "unlisted"
    assert await store(db, alice, keys.with_device(await newest(db, alice), phone.device_id)) == "same"
    assert await listed(admin) == {alice.device, phone.device_id}
    assert (await log_in(here, "alice", device=phone.device_id)).standing == "listed"
    assert await store(db, alice, keys.without(await newest(db, alice), alice.device)) == "same"
    assert await listed(admin) == {phone.device_id}
    assert await admin.fetch("SELECT version FROM device_lists ORDER BY version") == [(1,), (2,), (3,)]


async def test_what_does_not_follow_is_refused_and_changes_nothing(alice: Caller, db: Database, admin: Admin) -> None:
    first = await newest(db, alice)
    second = keys.with_device(first, uuid4())
    third = keys.with_device(second, uuid4())
    known = DeviceList.deserialize(first.list)
    stranger = KeyPair.generate(os.urandom)
    reset = DeviceList(known.account, stranger.public, 2, known.hash, known.devices)
    forged = DeviceList(known.account, known.account_key, 2, os.urandom(32), known.devices)
    for signed, code in (
        (first, "stale_list"),
        (third, "bad_list"),
        (replace(second, signature=bytes(64)), "bad_list"),
        (signed_by(reset, stranger), "bad_list"),
        (signed_by(reset, stranger, stranger), "bad_list"),
        (signed_by(forged, keys.account_key()), "bad_list"),
        (replace(second, list=second.list[:-1]), "bad_list"),
    ):
        assert await store(db, alice, signed) == code
    assert await newest(db, alice) == first
    assert await listed(admin) == {alice.device}


async def test_a_rotation_is_signed_by_both_keys(alice: Caller, db: Database) -> None:
    known = DeviceList.deserialize((await newest(db, alice)).list)
    new = KeyPair.generate(os.urandom)
    rotated = DeviceList(known.account, new.public, 2, known.hash, known.devices)
    assert await store(db, alice, signed_by(rotated, new, keys.account_key())) == "rotation"


async def test_of_versions_signed_at_once_one_is_kept(alice: Caller, db: Database, admin: Admin) -> None:
    first = await newest(db, alice)
    rivals = [keys.with_device(first, uuid4()) for _ in range(8)]
    outcomes = await asyncio.gather(*(store(db, alice, signed) for signed in rivals))
    assert sorted(outcomes) == ["same", *["stale_list"] * 7]
    assert await admin.fetchval("SELECT count(*) FROM device_lists") == 2
    assert await newest(db, alice) == rivals[outcomes.index("same")]


async def test_an_account_without_keys_has_no_next_list(alice: Caller, db: Database, admin: Admin) -> None:
    signed = keys.with_device(await newest(db, alice), uuid4())
    await admin.execute("DELETE FROM device_lists")
    assert await store(db, alice, signed) == "keys_needed"


async def test_every_version_after_the_one_that_is_known_is_answered(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    phone = await world.link(alice)
    asked = [{"account": bob.account, "after": 1}, {"account": alice.account}, {"account": str(uuid4())}]
    one, other, nobody = (await bob.post("/keys/lists", {"accounts": asked}))["accounts"]
    assert (one["account"], one["versions"], one["more"]) == (bob.account, [], False)
    assert [DeviceList.deserialize(keys.from_json(v).list).version for v in other["versions"]] == [1, 2]
    assert (nobody["versions"], nobody["dormant"], nobody["more"]) == ([], [], False)
    last = DeviceList.deserialize(keys.from_json(other["versions"][-1]).list)
    assert [row.device for row in last.devices] == [UUID(alice.id).bytes, UUID(phone.id).bytes]


async def test_a_long_history_comes_in_pages(alice: Caller, db: Database) -> None:
    for _ in range(limits.LIST_VERSIONS // 2 + 1):
        before = await newest(db, alice)
        new = uuid4()
        added = keys.with_device(before, new)
        assert await store(db, alice, added) == "same"
        assert await store(db, alice, keys.without(added, new)) == "same"
    page = (await actions.lists(db, [Question(alice.account, 0)])).accounts[0]
    assert (len(page.versions), page.more) == (limits.LIST_VERSIONS, True)
    rest = (await actions.lists(db, [Question(alice.account, limits.LIST_VERSIONS)])).accounts[0]
    assert rest.more is False
    known = device_list.verify_first(as_signed(page.versions[0]), alice.account.bytes)
    for version in [*page.versions[1:], *rest.versions]:
        known = device_list.verify_next(known, as_signed(version)).list
    assert known == DeviceList.deserialize((await newest(db, alice)).list)


def as_signed(given: SignedList) -> device_list.Signed:
    return device_list.Signed(given.list, given.signature, given.previous_signature)


async def test_a_device_not_seen_for_45_days_is_dormant(here: Gate, alice: Caller, db: Database, admin: Admin) -> None:
    phone = await link(here, "alice")
    for days, asleep in ((44, []), (46, [phone.device_id])):
        await admin.execute(
            "UPDATE devices SET last_active_at = now() - make_interval(days => $2) WHERE device_id = $1",
            phone.device_id,
            days,
        )
        assert (await actions.lists(db, [Question(alice.account, 0)])).accounts[0].dormant == asleep
    await log_in(here, "alice", device=phone.device_id)
    assert (await actions.lists(db, [Question(alice.account, 0)])).accounts[0].dormant == []
