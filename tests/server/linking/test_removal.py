"""Devices leave the list: what they had here ends at once, and a new account key needs the password."""

from typing import Any
from uuid import uuid4

import pytest
from tests.support import linking
from tests.support.keys import fresh, with_device, without
from tests.support.linking import answer, link, new_device, newest, settled, succeed
from tests.support.sign_in import HOME, PASSWORD, Bell, gate, log_in, register

from aparte.e2ee.device_list import DeviceList
from aparte.server.authentication.actions import authenticate
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Ended
from aparte.server.sessions import actions as sessions
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId, PayloadId
from aparte.wire.keys import NewPayload, NewPayloads

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


@pytest.fixture
async def tablet(here: Gate, alice: Caller) -> Caller:
    """Alice's second device, linked just now."""
    return await link(here, alice, "alice")


async def devices_in(here: Gate, who: Caller) -> list[bytes]:
    return [row.device for row in DeviceList.deserialize((await newest(here, who)).list).devices]


async def test_r_020_a_device_off_the_list_is_out_at_once(here: Gate, alice: Caller, tablet: Caller) -> None:
    here.db.doorbell = bell = Bell()
    await succeed(here, alice, without(await newest(here, alice), tablet.device))
    assert Ended(tablet.session) in bell.rung
    assert await sessions.valid(here.db, [alice.session, tablet.session]) == {alice.session}
    assert await devices_in(here, alice) == [alice.device.bytes]
    listed = {one.device_id: one.is_active for one in (await devices.mine(here.db, alice)).devices}
    assert listed == {alice.device: True, tablet.device: False}
    again = await log_in(here, "alice", device=tablet.device)
    assert again.standing == "unlisted"
    assert not (await authenticate(here.db, here.keys, again.access_token)).is_listed


async def test_what_waits_for_a_removed_device_goes_with_its_prekeys_and_offers(
    here: Gate, alice: Caller, tablet: Caller, admin: Admin
) -> None:
    await keys.put_mine(here.db, tablet, fresh(2, one_time=3, one_time_kem=2))
    waiting = NewPayload(PayloadId(uuid4()), tablet.device, 2, b"sealed")
    await keys.send(here.db, alice, NewPayloads(alice.account, [waiting]))
    await settled(admin)
    await answer(here, tablet, await new_device(here, "alice", number=3))
    await succeed(here, alice, without(await newest(here, alice), tablet.device))
    left = """
        SELECT (SELECT count(*) FROM device_envelopes WHERE device_id = $1),
               (SELECT count(*) FROM one_time_prekeys WHERE device_id = $1),
               (SELECT count(*) FROM device_prekeys WHERE device_id = $1)
    """
    assert tuple(await admin.fetchrow(left, tablet.device)) == (0, 0, 0)
    assert await admin.fetchval("SELECT count(*) FROM link_offers WHERE answered_by = $1", tablet.device) == 0
    assert await admin.fetchval("SELECT count(*) FROM device_prekeys WHERE device_id = $1", alice.device) == 1


async def test_repeating_a_list_whose_answer_was_lost_changes_nothing(
    here: Gate, alice: Caller, tablet: Caller, admin: Admin
) -> None:
    signed = without(await newest(here, alice), tablet.device)
    for _ in range(2):
        await succeed(here, alice, signed)
    assert await admin.fetchval("SELECT count(*) FROM audit_entries WHERE event = 'device_removed'") == 1
    assert await admin.fetchval("SELECT count(*) FROM device_lists") == 3


async def test_a_list_without_devices_is_the_only_way_here(
    here: Gate, alice: Caller, tablet: Caller, admin: Admin
) -> None:
    before = await newest(here, alice)
    for wrong in (
        with_device(before, uuid4()),
        linking.without_and_with(before, tablet.device, DeviceId(uuid4())),
        linking.unchanged(before),
        linking.emptied(before),
        linking.rotated(before, tablet.device, is_reset=True),
    ):
        with pytest.raises(Refusal, match="bad_list"):
            await succeed(here, alice, wrong, PASSWORD)
    first = await admin.fetchrow("SELECT list, signature FROM device_lists WHERE version = 1")
    with pytest.raises(Refusal, match="stale_list"):
        await succeed(here, alice, type(before)(first["list"], first["signature"]))
    assert await newest(here, alice) == before
    assert await sessions.valid(here.db, [tablet.session]) == {tablet.session}


async def test_somebody_else_s_list_is_not_taken(here: Gate, alice: Caller, tablet: Caller) -> None:
    bob = await register(here, "bob")
    with pytest.raises(Refusal, match="bad_list"):
        await succeed(here, bob, without(await newest(here, alice), tablet.device))


async def test_a_new_account_key_needs_the_password(here: Gate, alice: Caller, tablet: Caller, admin: Admin) -> None:
    signed = linking.rotated(await newest(here, alice), tablet.device)
    with pytest.raises(Refusal, match="invalid"):
        await succeed(here, alice, signed)
    with pytest.raises(Refusal, match="bad_credentials"):
        await succeed(here, alice, signed, "a wrong password")
    assert await admin.fetchval("SELECT failed_login_attempts FROM accounts WHERE username = 'alice'") == 1
    await succeed(here, alice, signed, PASSWORD)
    assert await newest(here, alice) == signed
    events = await admin.fetch(
        "SELECT event, severity FROM audit_entries WHERE event ~ 'removed|rotated' ORDER BY created_at"
    )
    assert [tuple(row) for row in events] == [("device_removed", "info"), ("account_key_rotated", "warning")]


async def test_of_two_rotations_the_server_takes_the_first(here: Gate, alice: Caller) -> None:
    before = await newest(here, alice)
    mine, the_thief_s = linking.rotated(before), linking.rotated(before)
    await succeed(here, alice, mine, PASSWORD)
    with pytest.raises(Refusal, match="stale_list"):
        await succeed(here, alice, the_thief_s, PASSWORD)
    assert await newest(here, alice) == mine


async def test_a_new_device_puts_nobody_out_but_may_leave(
    here: Gate, alice: Caller, tablet: Caller, admin: Admin
) -> None:
    before = await newest(here, alice)
    for wrong in (without(before, alice.device), linking.rotated(before), linking.rotated(before, tablet.device)):
        with pytest.raises(Refusal, match="device_too_new"):
            await succeed(here, tablet, wrong, PASSWORD)
    assert await newest(here, alice) == before
    await succeed(here, tablet, without(before, tablet.device))
    assert await devices_in(here, alice) == [alice.device.bytes]
    assert await sessions.valid(here.db, [alice.session, tablet.session]) == {alice.session}
    phone = await link(here, alice, "alice", number=2)
    await settled(admin)
    await succeed(here, phone, without(await newest(here, alice), alice.device))
    assert await devices_in(here, phone) == [phone.device.bytes]


async def test_a_device_off_the_list_changes_it_no_more(here: Gate, alice: Caller, tablet: Caller) -> None:
    await succeed(here, alice, without(await newest(here, alice), tablet.device))
    signed = linking.rotated(await newest(here, alice))
    with pytest.raises(Refusal, match="link_needed"):
        await succeed(here, tablet, signed, PASSWORD)


async def test_a_removed_device_may_be_linked_again(here: Gate, alice: Caller, tablet: Caller, admin: Admin) -> None:
    await succeed(here, alice, without(await newest(here, alice), tablet.device))
    await settled(admin)
    again = await new_device(here, "alice", device=tablet.device)
    await answer(here, alice, again)
    await linking.admit(here, alice, again)
    assert await devices_in(here, alice) == [alice.device.bytes, tablet.device.bytes]
    assert await admin.fetchval(
        "SELECT linked_at > now() - interval '1 hour' FROM devices WHERE device_id = $1", tablet.device
    )


async def test_a_listed_device_goes_by_a_new_list_and_an_unlisted_one_by_its_id(
    here: Gate, alice: Caller, tablet: Caller
) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await devices.revoke(here.db, alice, tablet.device, HOME)
    new = await new_device(here, "alice", number=3)
    await devices.revoke(here.db, alice, new.who.device, HOME)
    assert await sessions.valid(here.db, [tablet.session, new.who.session]) == {tablet.session}
