"""No account without keys: registration takes all or nothing, an account older than keys gets them once."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
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
from aparte.server.devices import actions as devices
from aparte.server.keys import actions
from aparte.server.kit.db import Database
from aparte.wire.accounts import Register, Setup
from aparte.wire.errors import Refusal
from aparte.wire.keys import AccountKeys, KemPrekey, OneTimePrekey

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


async def code_of(here: Gate, given: Register) -> str:
    with pytest.raises(Refusal) as refused:
        await authentication.register(here, given, HOME)
    return refused.value.code


def listing(given: Register, *devices: UUID, account: UUID | None = None) -> AccountKeys:
    """The keys of a registration with another list."""
    return replace(given.keys, devices=keys.first_list(account or given.account_id, *devices))


def sealed(given: Register, **fields: Any) -> AccountKeys:
    """The keys of a registration with the list signed otherwise."""
    return replace(given.keys, devices=replace(given.keys.devices, **fields))


def having(given: Register, **fields: Any) -> AccountKeys:
    """The keys of a registration with other prekeys."""
    return replace(given.keys, prekeys=replace(given.keys.prekeys, **fields))


def kem(key: bytes) -> KemPrekey:
    """A Kyber prekey of these bytes that the right identity signed."""
    return KemPrekey(1, key, keys.identity(1).sign(key, os.urandom))


def second(given: Register) -> AccountKeys:
    """The second version of a list, where the first belongs."""
    gone = uuid4()
    both = keys.first_list(given.account_id, given.device.device_id, gone)
    return replace(given.keys, devices=keys.without(both, gone))


BAD_LISTS: dict[str, Callable[[Register], AccountKeys]] = {
    "another account's": lambda given: listing(given, given.device.device_id, account=uuid4()),
    "of another device": lambda given: listing(given, uuid4()),
    "of two devices": lambda given: listing(given, given.device.device_id, uuid4()),
    "of no device": listing,
    "a second version": second,
    "signed by nobody": lambda given: sealed(given, signature=bytes(64)),
    "signed by a key before": lambda given: sealed(given, previous_signature=given.keys.devices.signature),
}
FOREIGN = keys.fresh(2, one_time_kem=1)
BAD_PREKEYS: dict[str, Callable[[Register], AccountKeys]] = {
    "no signed prekey": lambda given: having(given, signed=None),
    "no last resort": lambda given: having(given, last_resort=None),
    "a foreign signed prekey": lambda given: having(given, signed=FOREIGN.signed),
    "a foreign last resort": lambda given: having(given, last_resort=FOREIGN.last_resort),
    "a foreign one-time prekey": lambda given: having(given, one_time_kem=FOREIGN.one_time_kem),
    "a low order": lambda given: having(given, one_time=[OneTimePrekey(1, b"\5" + bytes(32))]),
    "an ML-KEM type byte": lambda given: having(given, last_resort=kem(b"\x0a" + bytes(1568))),
    "a Kyber key not reduced": lambda given: having(given, last_resort=kem(b"\x08" + b"\xff" * 1568)),
    "an id twice": lambda given: having(given, one_time=keys.fresh(one_time=1).one_time * 2),
}


@pytest.mark.parametrize("what", [*BAD_LISTS, *BAD_PREKEYS])
async def test_bad_keys_make_no_account(here: Gate, admin: Admin, what: str) -> None:
    person = new_person("alice")
    code = "bad_list" if what in BAD_LISTS else "bad_prekeys"
    bad = (BAD_LISTS | BAD_PREKEYS)[what](person)
    assert await code_of(here, replace(person, keys=bad)) == code
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
        *(actions.put_first(db, one, first, HOME) for one, first in zip(some, given, strict=True)),
        return_exceptions=True,
    )
    refused = [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refused == ["keys_exist"] * 4
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE is_listed") == 1
    assert await admin.fetchval("SELECT count(*) FROM audit_entries WHERE event = 'account_keys_given'") == 1
    assert await admin.fetchval("SELECT count(*) FROM device_prekeys") == 1


async def test_a_registration_without_keys_is_invalid(world: World) -> None:
    body = registration(f"older_client_{uuid4().hex[:8]}")
    del body["keys"]
    with pytest.raises(Problem) as refused:
        await call(world.http, world.url, "POST", "/accounts", body)
    assert refused.value.code == "invalid"


async def test_the_first_administrator_has_keys_from_the_first_device(here: Gate, db: Database, tmp_path: Path) -> None:
    token = tmp_path / "setup-token"
    token.write_text("opaque")
    page = await authentication.set_up(here, token, Setup("opaque", new_person("root")), HOME)
    assert page.standing == "keyless"
    await devices.revoke(db, caller(page), page.device_id, HOME)
    laptop = await log_in(here, "root")
    assert laptop.standing == "keyless"
    await actions.put_first(db, caller(laptop), keys.first(laptop.account_id, laptop.device_id), HOME)
    assert (await log_in(here, "root", device=laptop.device_id)).standing == "listed"
    assert (await log_in(here, "root", device=page.device_id)).standing == "unlisted"
