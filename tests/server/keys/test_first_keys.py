"""No account without keys: registration takes all or nothing, an account older than keys gets them once."""

import asyncio
import os
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from tests.support import keys
from tests.support.people import PASSWORD, Device, Problem, World, call, registration
from tests.support.sign_in import HOME, caller, gate, log_in
from tests.support.sign_in import registration as new_person

from aparte.e2ee import device_list
from aparte.e2ee.keys import KeyPair
from aparte.server.authentication import actions as authentication
from aparte.server.authentication.model import Gate
from aparte.server.keys import actions
from aparte.server.kit.db import Database
from aparte.wire.accounts import Register
from aparte.wire.errors import Refusal
from aparte.wire.keys import AccountKeys, OneTimePrekey

Admin = Any
SIGNATURE = bytes(64)


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


async def code_of(here: Gate, given: Register) -> str:
    with pytest.raises(Refusal) as refused:
        await authentication.register(here, given, HOME)
    return refused.value.code


def with_prekeys(given: AccountKeys, **fields: Any) -> AccountKeys:
    return replace(given, prekeys=replace(given.prekeys, **fields))


def bent(given: AccountKeys, what: str, person: Register) -> AccountKeys:
    """Keys that are right but for one thing."""
    signed, kem, other = given.prekeys.signed, given.prekeys.last_resort, keys.fresh(2, one_time_kem=1)
    assert signed
    assert kem
    account, device = person.account_id, person.device.device_id
    match what:
        case "the list is another account's":
            return replace(given, devices=keys.first_list(uuid4(), device))
        case "the list names another device":
            return replace(given, devices=keys.first_list(account, uuid4()))
        case "the list names one more device":
            return replace(given, devices=keys.first_list(account, device, uuid4()))
        case "the list names nobody":
            return replace(given, devices=keys.first_list(account))
        case "the list is a second version":
            return replace(given, devices=keys.without(keys.first_list(account, device, uuid4()), uuid4()))
        case "the list is signed by nobody":
            return replace(given, devices=replace(given.devices, signature=SIGNATURE))
        case "the list is signed by a key before it":
            return replace(given, devices=replace(given.devices, previous_signature=given.devices.signature))
        case "there is no signed prekey":
            return with_prekeys(given, signed=None)
        case "there is no last-resort prekey":
            return with_prekeys(given, last_resort=None)
        case "the signed prekey is signed by another identity":
            return with_prekeys(given, signed=other.signed)
        case "the last-resort prekey is signed by another identity":
            return with_prekeys(given, last_resort=other.last_resort)
        case "a one-time prekey is signed by another identity":
            return with_prekeys(given, one_time_kem=other.one_time_kem)
        case "a one-time prekey has a low order":
            return with_prekeys(given, one_time=[OneTimePrekey(1, b"\5" + bytes(32))])
        case "a Kyber prekey is of another type":
            return with_prekeys(given, last_resort=replace(kem, key=b"\x0a" + kem.key[1:]))
        case "a Kyber prekey is not reduced":
            return with_prekeys(given, last_resort=replace(kem, key=b"\x08" + b"\xff" * 1568))
        case "two one-time prekeys have one id":
            twice = keys.fresh(one_time=1).one_time * 2
            return with_prekeys(given, one_time=twice)
    raise ValueError(what)


BAD_LISTS = [
    "the list is another account's",
    "the list names another device",
    "the list names one more device",
    "the list names nobody",
    "the list is a second version",
    "the list is signed by nobody",
    "the list is signed by a key before it",
]
BAD_PREKEYS = [
    "there is no signed prekey",
    "there is no last-resort prekey",
    "the signed prekey is signed by another identity",
    "the last-resort prekey is signed by another identity",
    "a one-time prekey is signed by another identity",
    "a one-time prekey has a low order",
    "a Kyber prekey is of another type",
    "a Kyber prekey is not reduced",
    "two one-time prekeys have one id",
]


@pytest.mark.parametrize(
    ("what", "code"), [*((what, "bad_list") for what in BAD_LISTS), *((what, "bad_prekeys") for what in BAD_PREKEYS)]
)
async def test_bad_keys_make_no_account(here: Gate, admin: Admin, what: str, code: str) -> None:
    person = new_person("alice")
    assert await code_of(here, replace(person, keys=bent(person.keys, what, person))) == code
    for table in ("accounts", "devices", "device_lists", "device_prekeys", "sessions"):
        assert await admin.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - names of this line
    assert (await authentication.register(here, person, HOME)).standing == "listed"


async def test_a_name_that_is_taken_leaves_no_keys(here: Gate, admin: Admin) -> None:
    await authentication.register(here, new_person("alice"), HOME)
    assert await code_of(here, new_person("Alice", email="other@example.org")) == "username_taken"
    assert await admin.fetchval("SELECT count(*) FROM device_lists") == 1
    assert await admin.fetchval("SELECT count(*) FROM device_prekeys") == 1


async def test_a_lost_answer_is_given_again_and_the_keys_are_the_same(here: Gate, admin: Admin) -> None:
    person = new_person("alice")
    first = await authentication.register(here, person, HOME)
    signed_anew = replace(person.keys, devices=keys.first_list(person.account_id, person.device.device_id))
    again = await authentication.register(here, replace(person, keys=signed_anew), HOME)
    assert (first.standing, again.standing, again.account_id) == ("listed", "listed", first.account_id)
    assert await admin.fetchval("SELECT count(*) FROM device_lists") == 1
    assert await admin.fetchval("SELECT list FROM device_lists") == person.keys.devices.list


async def test_a_repeat_with_other_keys_is_no_repeat(here: Gate) -> None:
    person = new_person("alice")
    await authentication.register(here, person, HOME)
    other = KeyPair.generate(os.urandom)
    row = device_list.ListedDevice(1, person.device.device_id.bytes, 1, keys.identity(1).public)
    listed = device_list.DeviceList(person.account_id.bytes, other.public, 1, device_list.NO_LIST, (row,))
    signed = device_list.sign(listed, other, os.urandom)
    devices = replace(person.keys.devices, list=signed.list, signature=signed.signature)
    assert await code_of(here, replace(person, keys=replace(person.keys, devices=devices))) == "account_exists"


async def test_the_account_s_devices_are_told(here: Gate, admin: Admin) -> None:
    alice = caller(await authentication.register(here, new_person("alice"), HOME))
    said = "SELECT value::text FROM account_state WHERE account_id = $1 AND key = 'devices'"
    assert await admin.fetchval(said, alice.account) == '{"version": 1}'


# An account from before there were keys ------------------------------------------------------------------------------


@pytest.fixture
async def older(world: World, server_admin: Admin) -> Device:
    """An account as it was stored before there were keys, on two devices, both signed in."""
    alice = await world.register("alice")
    await server_admin.execute("DELETE FROM device_lists WHERE account_id = $1", UUID(alice.account))
    await server_admin.execute("DELETE FROM device_prekeys WHERE account_id = $1", UUID(alice.account))
    return await again(world, alice, alice.id)


async def again(world: World, person: Device, device: str) -> Device:
    """Log in on a device that is there already."""
    body = {"login": person.username, "password": PASSWORD, "device": {"device_id": device, "name": "the same"}}
    return Device(world.http, world.url, person.username, await call(world.http, world.url, "POST", "/sessions", body))


async def test_an_account_without_keys_goes_on_in_rooms_with_any_device(world: World, older: Device) -> None:
    tablet = await world.log_in(older)
    assert (older.tokens["standing"], tablet.tokens["standing"]) == ("keyless", "keyless")
    room = await older.room()
    await tablet.send(room, "as ever")
    async with tablet.gateway():
        assert await older.texts(room) == ["as ever"]


async def test_it_gets_its_keys_once_and_its_other_devices_are_to_be_linked(world: World, older: Device) -> None:
    tablet = await world.log_in(older)
    room = await older.room()
    given = keys.first(UUID(older.account), UUID(older.id))
    async with tablet.gateway() as gateway:
        await older.call("PUT", "/account/keys", keys.in_json(given))
        assert await gateway.closing() == 4001
    await older.call("PUT", "/account/keys", keys.in_json(given))
    other = keys.in_json(keys.first(UUID(older.account), UUID(tablet.id)))
    for who, body in ((tablet, other), (older, other)):
        with pytest.raises(Problem) as refused:
            await who.call("PUT", "/account/keys", body)
        assert refused.value.code == ("keys_exist" if who is tablet else "bad_list")
    with pytest.raises(Problem) as refused:
        await tablet.send(room, "not any more")
    assert refused.value.code == "link_needed"
    assert (await again(world, older, older.id)).tokens["standing"] == "listed"
    assert (await again(world, older, tablet.id)).tokens["standing"] == "unlisted"


async def test_devices_give_the_first_keys_at_once_and_one_wins(here: Gate, db: Database, admin: Admin) -> None:
    alice = caller(await authentication.register(here, new_person("alice"), HOME))
    await admin.execute("DELETE FROM device_lists")
    await admin.execute("DELETE FROM device_prekeys")
    some = [alice, *[caller(await log_in(here, "alice")) for _ in range(4)]]
    given = [keys.first(one.account, one.device) for one in some]
    outcomes = await asyncio.gather(
        *(actions.put_first(db, one, first) for one, first in zip(some, given, strict=True)), return_exceptions=True
    )
    refused = [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refused == ["keys_exist"] * 4
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE is_listed") == 1
    assert await admin.fetchval("SELECT count(*) FROM device_prekeys") == 1


async def test_a_registration_without_keys_is_invalid(world: World) -> None:
    body = registration(f"older_client_{uuid4().hex[:8]}")
    del body["keys"]
    with pytest.raises(Problem) as refused:
        await call(world.http, world.url, "POST", "/accounts", body)
    assert refused.value.code == "invalid"
