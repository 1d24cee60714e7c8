"""Prekeys: published by their device alone, each one-time one handed out to one asker alone."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec.structs import replace
from tests.support import keys
from tests.support.people import Device, Problem, World
from tests.support.sign_in import gate, link, register

from aparte.e2ee.bundle import Bundle as PeerBundle
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.keys import KemPublicKey, PublicKey
from aparte.server.authentication.model import Gate
from aparte.server.keys import actions
from aparte.server.keys.http import Doors
from aparte.server.keys.model import Question, Wanted
from aparte.server.kit.caller import Caller, Origin
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.kit.limits import LIMITS, Limiter
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.groups import BundlesOfMany
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import Bundle, Bundles, BundlesWanted, Prekeys, PrekeyStock

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def hand_out(db: Database, who: Caller, *devices: DeviceId, with_one_time: bool = True) -> list[Bundle]:
    wanted = devices or (who.device,)
    return (await actions.bundles(db, Wanted(who.account, wanted, with_one_time))).bundles


async def code_of(db: Database, who: Caller, given: Prekeys) -> str:
    with pytest.raises(Refusal) as refused:
        await actions.put_mine(db, who, given)
    return refused.value.code


# Publishing ----------------------------------------------------------------------------------------------------------


async def test_the_stock_is_told_always_and_an_empty_one_too(db: Database, alice: Caller) -> None:
    assert await actions.stock(db, alice) == PrekeyStock(0, 0, 1, 2)
    assert await actions.put_mine(db, alice, keys.fresh(one_time=3, one_time_kem=2)) == PrekeyStock(3, 2, 10, 10)
    assert await actions.put_mine(db, alice, Prekeys()) == PrekeyStock(3, 2, 10, 10)
    await hand_out(db, alice)
    assert await actions.stock(db, alice) == PrekeyStock(2, 1, 10, 10)


async def test_uploading_the_same_again_brings_nothing_back(db: Database, alice: Caller) -> None:
    given = keys.fresh(one_time=2, one_time_kem=2)
    await actions.put_mine(db, alice, given)
    (first,) = await hand_out(db, alice)
    assert await actions.put_mine(db, alice, given) == PrekeyStock(1, 1, 10, 10)
    (second,) = await hand_out(db, alice)
    assert first.one_time != second.one_time
    assert first.kem != second.kem
    assert await actions.put_mine(db, alice, given) == PrekeyStock(0, 0, 10, 10)


async def test_an_id_never_stands_for_another_key(db: Database, alice: Caller) -> None:
    given = keys.fresh(one_time=1, one_time_kem=1)
    await actions.put_mine(db, alice, given)
    for other in (
        keys.fresh(),
        keys.fresh(renewed=False, one_time=1),
        keys.fresh(renewed=False, one_time_kem=1),
        replace(keys.fresh(), signed=None),
        replace(keys.fresh(), last_resort=None),
    ):
        assert await code_of(db, alice, other) == "prekey_reused"
    (bundle,) = await hand_out(db, alice)
    assert (bundle.signed, bundle.one_time, bundle.kem) == (given.signed, given.one_time[0], given.one_time_kem[0])


async def test_a_renewed_key_replaces_the_one_before_and_a_late_one_does_not(db: Database, alice: Caller) -> None:
    newer, older = keys.fresh(ids=20), keys.fresh(ids=10)
    await actions.put_mine(db, alice, newer)
    await actions.put_mine(db, alice, older)
    (bundle,) = await hand_out(db, alice)
    assert (bundle.signed, bundle.kem) == (newer.signed, newer.last_resort)


async def test_more_than_is_kept_lets_the_oldest_go(db: Database, alice: Caller) -> None:
    for start in (1000, 1100, 1200):
        given = keys.fresh(ids=start, one_time=limits.ONE_TIME_PREKEYS, renewed=False)
        stock = await actions.put_mine(db, alice, given)
    assert stock.one_time == limits.ONE_TIME_PREKEYS_KEPT
    (bundle,) = await hand_out(db, alice)
    assert bundle.one_time
    assert bundle.one_time.id == 1100


@pytest.mark.parametrize("kind", ["one_time_kem", "signed", "last_resort"])
async def test_what_another_identity_signed_is_not_taken(db: Database, alice: Caller, kind: str) -> None:
    foreign = keys.fresh(2, one_time_kem=1)
    assert await code_of(db, alice, Prekeys(**{kind: getattr(foreign, kind)})) == "bad_prekeys"
    assert await actions.stock(db, alice) == PrekeyStock(0, 0, 1, 2)


async def test_a_device_that_is_to_be_listed_fixes_its_identity(db: Database, alice: Caller) -> None:
    device = (await link(gate(db), "alice")).device_id
    identity = keys.identity(2).public.serialize()
    async with db.transaction() as tx:
        with pytest.raises(Refusal) as refused:
            await actions.put_prekeys(tx, alice.account, device, 2, identity, keys.fresh(2, one_time=1, renewed=False))
        assert refused.value.code == "bad_prekeys"  # it begins with both renewed keys
        stock = await actions.put_prekeys(tx, alice.account, device, 2, identity, keys.fresh(2, one_time=1))
        assert stock == PrekeyStock(1, 0, 10, 10)
    other = keys.identity(3).public.serialize()
    for registration_id, key, number in ((2, other, 3), (3, identity, 2)):
        async with db.transaction() as tx:
            with pytest.raises(Refusal) as refused:
                await actions.put_prekeys(tx, alice.account, device, registration_id, key, keys.fresh(number, ids=20))
        assert refused.value.code == "bad_prekeys"


async def test_a_device_that_is_gone_leaves_nothing(db: Database, alice: Caller, admin: Admin) -> None:
    await actions.put_mine(db, alice, keys.fresh(one_time=2, one_time_kem=2))
    async with db.transaction() as tx:
        await actions.forget(tx, [alice.device])
    assert await hand_out(db, alice) == []
    assert await admin.fetchval("SELECT count(*) FROM one_time_prekeys") == 0
    with pytest.raises(Refusal) as refused:
        await actions.stock(db, alice)
    assert refused.value.code == "keys_needed"


# Handing out ---------------------------------------------------------------------------------------------------------


async def test_fifty_ask_at_once_for_twenty_keys_and_no_two_get_the_same(db: Database, alice: Caller) -> None:
    given = keys.fresh(one_time=20, one_time_kem=20)
    await actions.put_mine(db, alice, given)
    bundles = [one for (one,) in await asyncio.gather(*(hand_out(db, alice) for _ in range(50)))]
    plain = [bundle.one_time for bundle in bundles if bundle.one_time]
    kem = [bundle.kem for bundle in bundles if bundle.kem != given.last_resort]
    assert len({key.id for key in plain}) == len(plain) <= 20
    assert len({key.id for key in kem}) == len(kem) <= 20
    assert {key.key for key in plain} <= {key.key for key in given.one_time}
    left = await actions.stock(db, alice)
    assert (left.one_time, left.one_time_kem) == (20 - len(plain), 20 - len(kem))
    assert sum(bundle.kem == given.last_resort for bundle in bundles) >= 30


async def test_every_bundle_is_what_the_list_promises(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    phone = await world.link(alice)
    wanted = {"account": alice.account, "devices": [alice.id, str(uuid4()), phone.id, alice.id]}
    bundles = msgspec.convert(await bob.post("/keys/bundles", wanted), Bundles).bundles
    assert [str(bundle.device) for bundle in bundles] == [alice.id, phone.id]
    listed = DeviceList.deserialize((await alice.newest_list()).list)
    for given in bundles:
        row = listed.find(given.device.bytes)
        assert row
        assert (given.registration_id, given.identity) == (row.registration_id, row.identity.serialize())
        believed(given, row).verify()


def believed(given: Bundle, row: ListedDevice) -> PeerBundle:
    """A bundle as the cryptography takes it."""
    return PeerBundle(
        registration_id=given.registration_id,
        device=row.number,
        identity=row.identity,
        signed_id=given.signed.id,
        signed=PublicKey.deserialize(given.signed.key),
        signed_signature=given.signed.signature,
        kem_id=given.kem.id,
        kem=KemPublicKey.deserialize(given.kem.key),
        kem_signature=given.kem.signature,
    )


async def test_who_is_not_listed_has_no_bundle(db: Database, here: Gate, alice: Caller) -> None:
    bob = await register(here, "bob")
    assert await hand_out(db, alice, bob.device, DeviceId(uuid4())) == []
    with pytest.raises(Refusal) as refused:
        await actions.bundles(db, Wanted(AccountId(uuid4()), [alice.device], with_one_time=True))
    assert refused.value.code == "not_found"


async def hand_out_many(db: Database, *wanted: Wanted) -> list[Bundle]:
    return (await actions.bundles_of_many(db, wanted)).bundles


async def test_many_are_handed_out_at_once_each_its_own(db: Database, here: Gate, alice: Caller) -> None:
    bob, carol = await register(here, "bob"), await register(here, "carol")
    for who in (alice, bob, carol):
        await actions.put_mine(db, who, keys.fresh(one_time=1, one_time_kem=1))
    asked = [
        Wanted(bob.account, [bob.device, carol.device, bob.device], with_one_time=True),
        Wanted(AccountId(uuid4()), [alice.device], with_one_time=True),
        Wanted(carol.account, [carol.device], with_one_time=False),
        Wanted(alice.account, [DeviceId(uuid4()), alice.device], with_one_time=True),
    ]
    bundles = await hand_out_many(db, *asked)
    assert [bundle.device for bundle in bundles] == [bob.device, carol.device, alice.device]
    assert [bundle.one_time is not None for bundle in bundles] == [True, False, True]
    assert [(await actions.stock(db, who)).one_time for who in (alice, bob, carol)] == [0, 0, 1]


async def test_a_device_that_somebody_else_lists_is_its_owners(db: Database, here: Gate, alice: Caller) -> None:
    """Whoever puts another's device on their own list neither takes its prekeys nor hides them."""
    mallory = await register(here, "mallory")
    await actions.put_mine(db, alice, keys.fresh(one_time=1, one_time_kem=1))
    await list_also(db, mallory, alice.device)
    both = [Wanted(who.account, [alice.device], with_one_time=True) for who in (mallory, alice)]
    for asked in (both, both[::-1]):
        assert [bundle.device for bundle in await hand_out_many(db, *asked)] == [alice.device]
    assert await hand_out_many(db, both[0]) == []


async def list_also(db: Database, who: Caller, device: DeviceId) -> None:
    """A list that names a device, whose ever it is."""
    newest = (await actions.lists(db, [Question(who.account, 0)])).accounts[0].versions[-1]
    async with db.transaction() as tx:
        await actions.store_next(tx, who.account, keys.with_device(newest, device))


async def test_many_over_rest_up_to_the_limits_and_past_them(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    phone = await world.link(bob)
    strangers = [{"account": str(uuid4()), "devices": [str(uuid4()), str(uuid4())]} for _ in range(49)]
    mine = {"account": bob.account, "devices": [bob.id, phone.id]}
    bundles = await alice.post("/keys/bundles/many", {"accounts": [*strangers, mine]})
    assert [bundle["device"] for bundle in bundles["bundles"]] == [bob.id, phone.id]
    past = {**mine, "devices": [*mine["devices"], str(uuid4())]}
    wrong = [[*strangers, past], [*strangers, mine, {**mine, "account": str(uuid4())}], [mine, mine], []]
    for accounts in wrong:
        assert await refusal(alice, "POST", "/keys/bundles/many", {"accounts": accounts}) == "invalid"


# Draining ------------------------------------------------------------------------------------------------------------


async def ask(door: Doors, asker: Caller, target: Caller) -> Bundles:
    body = BundlesWanted(target.account, [target.device])
    return await door.bundles(Call(Origin("192.0.2.1", ""), {}, body, Nothing(), uuid4(), asker))


async def test_nobody_empties_a_stock_by_asking(db: Database, here: Gate, alice: Caller) -> None:
    mallory = await register(here, "mallory")
    door = Doors(db, Limiter())
    for _ in range(int(LIMITS["bundles"].capacity)):
        await ask(door, mallory, alice)
    with pytest.raises(Refusal) as refused:
        await ask(door, mallory, alice)
    assert refused.value.code == "rate_limited"


async def test_many_together_get_the_last_resort_and_leave_the_stock(db: Database, here: Gate, alice: Caller) -> None:
    given = keys.fresh(one_time=9, one_time_kem=9)
    await actions.put_mine(db, alice, given)
    askers = [await register(here, f"robot{n}") for n in range(6)]
    door = Doors(db, Limiter(factor=5 / LIMITS["bundles_of"].capacity))
    answers = [(await ask(door, asker, alice)).bundles[0] for asker in askers]
    assert [answer.one_time is not None for answer in answers] == [True] * 5 + [False]
    assert answers[-1].kem == given.last_resort
    assert await actions.stock(db, alice) == PrekeyStock(4, 4, 10, 10)


async def test_in_a_batch_the_limit_of_one_costs_the_others_nothing(db: Database, here: Gate, alice: Caller) -> None:
    bob, mallory = await register(here, "bob"), await register(here, "mallory")
    for who in (alice, bob):
        await actions.put_mine(db, who, keys.fresh(one_time=3, one_time_kem=3))
    door = Doors(db, Limiter(factor=1 / LIMITS["bundles"].capacity))
    await ask(door, mallory, alice)
    body = BundlesOfMany([BundlesWanted(who.account, [who.device]) for who in (alice, bob)])
    answer = await door.bundles_of_many(Call(Origin("192.0.2.1", ""), {}, body, Nothing(), uuid4(), mallory))
    assert [bundle.one_time is not None for bundle in answer.bundles] == [False, True]


# Over REST -----------------------------------------------------------------------------------------------------------


async def test_a_device_publishes_and_counts(world: World) -> None:
    alice = await world.register("alice")
    given = keys.in_json(keys.fresh(one_time=2, one_time_kem=1))
    stock = {"one_time": 2, "one_time_kem": 1, "signed_id": 10, "last_resort_id": 10}
    assert await alice.call("PUT", "/keys/prekeys", given) == stock
    assert await alice.get("/keys/prekeys") == stock


async def test_an_account_without_keys_publishes_nothing(world: World, server_admin: Admin) -> None:
    alice = await world.register("alice")
    await server_admin.execute("DELETE FROM device_lists WHERE account_id = $1", UUID(alice.account))
    assert await refusal(alice, "PUT", "/keys/prekeys", keys.in_json(keys.fresh())) == "keys_needed"


async def refusal(who: Device, *request: Any) -> str:
    with pytest.raises(Problem) as refused:
        await who.call(*request)
    return refused.value.code
