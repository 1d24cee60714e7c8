"""Devices: whose they are, how many there may be, and what becomes of a revoked one."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.sign_in import HOME, Bell, caller, gate, link, log_in, register

from aparte.server.accounts import actions as accounts
from aparte.server.authentication.actions import authenticate
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Ended
from aparte.server.sessions import actions as sessions
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import AccountChange, Privacy
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def state_of(here: Gate, who: Caller) -> dict[str, Any]:
    return {item.key: item.value for item in (await state.page(here.db, who, 0)).items}


async def test_r_063_the_same_device_twice_is_one_device(here: Gate, alice: Caller) -> None:
    phone = DeviceId(uuid4())
    await asyncio.gather(*(log_in(here, "alice", device=phone) for _ in range(4)))
    listed = (await devices.mine(here.db, alice)).devices
    assert {(one.device_id, one.name, one.platform, one.is_current) for one in listed} == {
        (alice.device, "laptop", "desktop", True),
        (phone, "phone", "android", False),
    }


async def test_b_029_a_device_id_of_somebody_else_is_refused_and_stays_theirs(here: Gate, alice: Caller) -> None:
    bob = await register(here, "bob")
    with pytest.raises(Refusal, match="device_exists"):
        await log_in(here, "bob", device=alice.device)
    assert [one.device_id for one in (await devices.mine(here.db, bob)).devices] == [bob.device]
    assert await sessions.valid(here.db, [alice.session, bob.session]) == {alice.session, bob.session}


async def test_there_are_at_most_ten_listed_devices(here: Gate, alice: Caller) -> None:
    assert alice.is_listed
    linked = [await link(here, "alice") for _ in range(limits.DEVICES - 1)]
    with pytest.raises(Refusal, match="too_many_devices"):
        await log_in(here, "alice")
    assert (await log_in(here, "alice", device=linked[-1].device_id)).standing == "listed"


async def test_devices_that_were_never_linked_keep_nobody_out(here: Gate, alice: Caller, admin: Admin) -> None:
    first = await log_in(here, "alice")
    for _ in range(limits.DEVICES):
        last = await log_in(here, "alice")
    assert await sessions.valid(here.db, [alice.session, first.session_id, last.session_id]) == {
        alice.session,
        last.session_id,
    }
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE is_active AND NOT is_listed") == limits.DEVICES


async def test_many_new_devices_at_once_leave_ten(here: Gate, alice: Caller, admin: Admin) -> None:
    await asyncio.gather(*(log_in(here, "alice") for _ in range(14)))
    assert await sessions.valid(here.db, [alice.session])
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE is_active AND NOT is_listed") == limits.DEVICES


async def test_a_revoked_device_is_out_at_once_and_its_socket_is_told(here: Gate, alice: Caller) -> None:
    phone = await log_in(here, "alice")
    here.db.doorbell = bell = Bell()
    await devices.revoke(here.db, alice, phone.device_id, HOME)
    assert Ended(phone.session_id) in bell.rung
    with pytest.raises(Refusal, match="unauthenticated"):
        await authenticate(here.db, here.keys, phone.access_token)
    with pytest.raises(Refusal, match="unauthenticated"):
        await sessions.refresh(here.db, here.keys, phone.refresh_token, HOME)
    listed = {one.device_id: one.is_active for one in (await devices.mine(here.db, alice)).devices}
    assert listed == {alice.device: True, phone.device_id: False}
    with pytest.raises(Refusal, match="not_found"):
        await devices.revoke(here.db, alice, phone.device_id, HOME)


async def test_a_revoked_device_may_come_back_with_the_password(here: Gate, alice: Caller) -> None:
    phone = await log_in(here, "alice")
    await devices.revoke(here.db, alice, phone.device_id, HOME)
    again = await log_in(here, "alice", device=phone.device_id)
    assert (await authenticate(here.db, here.keys, again.access_token)).device == phone.device_id


async def test_nobody_elses_device_can_be_seen_renamed_or_revoked(here: Gate, alice: Caller) -> None:
    mallory = await register(here, "mallory")
    for device in (alice.device, DeviceId(uuid4())):
        with pytest.raises(Refusal, match="not_found"):
            await devices.revoke(here.db, mallory, device, HOME)
        with pytest.raises(Refusal, match="not_found"):
            await devices.rename(here.db, mallory, device, "mine")
    assert [one.name for one in (await devices.mine(here.db, alice)).devices] == ["laptop"]


async def test_renaming_is_told_to_ones_own_devices(here: Gate, alice: Caller) -> None:
    renamed = await devices.rename(here.db, alice, alice.device, " Küche ")
    assert (renamed.name, renamed.is_current) == ("Küche", True)
    assert (await state_of(here, alice))[f"device:{alice.device}"] == {
        "name": "Küche",
        "platform": "desktop",
        "is_active": True,
    }
    for name in ("", " ", "a\u202eb", "a:b", "x" * 101):
        with pytest.raises(Refusal, match="invalid"):
            await devices.rename(here.db, alice, alice.device, name)


async def test_new_and_revoked_devices_are_told_to_the_others(here: Gate, alice: Caller) -> None:
    phone = await log_in(here, "alice")
    key = f"device:{phone.device_id}"
    assert (await state_of(here, alice))[key] == {"name": "phone", "platform": "android", "is_active": True}
    await devices.revoke(here.db, caller(phone), phone.device_id, HOME)
    assert (await state_of(here, alice))[key]["is_active"] is False


async def test_what_one_does_and_what_is_done_to_ones_account_is_in_the_audit_trail(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    phone = await log_in(here, "alice")
    await devices.revoke(here.db, alice, phone.device_id, HOME)
    rows = await admin.fetch("SELECT event, details->>'why' AS why FROM audit_entries ORDER BY created_at, id")
    assert [(row["event"], row["why"]) for row in rows] == [
        ("account_created", None),
        ("session_opened", None),
        ("session_opened", None),
        ("session_ended", "device_revoked"),
        ("device_revoked", None),
    ]


# One's own account ------------------------------------------------------------------------------------------------


async def test_fields_left_out_stay_and_nulls_empty(here: Gate, alice: Caller) -> None:
    first = AccountChange(bio="one\ntwo", status_text="busy", display_name="Alice A.", status="away")
    await accounts.change(here.db, alice, first)
    me = await accounts.change(here.db, alice, AccountChange(bio=None, privacy=Privacy(see_presence="nobody")))
    assert (me.bio, me.status_text, me.display_name, me.status) == (None, "busy", "Alice A.", "away")
    assert me.privacy == Privacy("everyone", "everyone", "nobody")
    known = await state_of(here, alice)
    assert known["profile"]["display_name"] == "Alice A."
    assert known["privacy"]["see_presence"] == "nobody"


async def test_changing_nothing_tells_nobody(here: Gate, alice: Caller) -> None:
    here.db.doorbell = bell = Bell()
    await accounts.change(here.db, alice, AccountChange())
    assert bell.rung == []


@pytest.mark.parametrize(
    "change",
    [
        AccountChange(display_name="a\u2066b"),
        AccountChange(display_name=" "),
        AccountChange(bio="\x1b[31m"),
        AccountChange(status_text="\u0000"),
        AccountChange(bio="\ufb2c" * 1000),
        AccountChange(time_zone="\x07"),
    ],
    ids=repr,
)
async def test_what_cannot_be_shown_safely_is_refused(here: Gate, alice: Caller, change: AccountChange) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await accounts.change(here.db, alice, change)


async def test_r_056_r_057_ones_own_account_shows_nothing_secret(here: Gate, alice: Caller) -> None:
    me = await accounts.me(here.db, alice)
    names = set(me.__struct_fields__)
    assert {"username", "email", "role", "privacy", "created_at"} <= names
    assert not names & {"password_hash", "failed_login_attempts", "lock_count", "locked_until", "deleted_at"}
