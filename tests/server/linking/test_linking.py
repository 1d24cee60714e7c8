"""A new device comes onto the list by one offer, one answer and one admission; everything else is refused."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.support import linking
from tests.support.keys import with_device
from tests.support.linking import admission, admit, answer, link, new_device, newest, offer, settled
from tests.support.sign_in import HOME, Bell, gate, log_in, register
from tests.support.sign_in import caller as caller_of

from aparte.bench import linking as cheap
from aparte.e2ee.device_list import DeviceList
from aparte.server.authentication.actions import authenticate
from aparte.server.authentication.model import Gate
from aparte.server.devices import actions as devices
from aparte.server.keys import actions as keys
from aparte.server.keys.model import Wanted
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.linking import actions
from aparte.server.sessions import actions as sessions
from aparte.wire.errors import Refusal
from aparte.wire.ids import DeviceId, OfferId
from aparte.wire.keys import Prekeys
from aparte.wire.linking import Admission

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def test_a_device_is_linked_from_its_offer_to_its_place_on_the_list(here: Gate, alice: Caller) -> None:
    tokens = await log_in(here, "alice")
    assert tokens.standing == "unlisted"
    new = linking.NewDevice(caller_of(tokens), cheap.offer(2, tokens.device_id))
    assert (await offer(here, new)).state == "open"
    seen = await actions.find(here.db, alice, new.id)
    assert (seen.offer, seen.device_name, seen.ip) == (new.given.offer, "phone", HOME.ip)
    await answer(here, alice, new)
    state = await actions.mine(here.db, new.who, new.id)
    assert state.state == "answered"
    assert state.answer is not None
    assert state.answer.endswith(
        alice.account.bytes + DeviceList.deserialize((await newest(here, alice)).list).account_key.serialize()
    )
    given = await admission(here, alice, new)
    await admit(here, alice, new, given)
    state = await actions.mine(here.db, new.who, new.id)
    assert (state.state, state.devices, state.container) == ("admitted", given.devices, given.container)
    assert (await newest(here, alice)) == given.devices
    assert (await authenticate(here.db, here.keys, tokens.access_token)).is_listed
    await actions.withdraw(here.db, new.who, new.id)
    with pytest.raises(Refusal, match="not_found"):
        await actions.mine(here.db, new.who, new.id)


async def test_what_is_left_for_the_new_device_is_its_own_version_of_the_list(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    new = await new_device(here, "alice")
    await answer(here, alice, new)
    given = await admission(here, alice, new)
    await admit(here, alice, new, given)
    await link(here, alice, "alice", number=3)
    assert (await actions.mine(here.db, new.who, new.id)).devices == given.devices
    await admin.execute("UPDATE link_offers SET expires_at = clock_timestamp()")
    with pytest.raises(Refusal, match="offer_gone"):
        await actions.mine(here.db, new.who, new.id)


async def test_every_step_may_be_repeated_when_its_answer_was_lost(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    first = await offer(here, new)
    assert await offer(here, new) == first
    said = cheap.answer(alice.account, linking.PASSWORD)
    for _ in range(2):
        await actions.answer(here, alice, new.id, said, HOME)
    given = await admission(here, alice, new)
    for _ in range(2):
        await admit(here, alice, new, given)
    assert DeviceList.deserialize((await newest(here, alice)).list).version == 2
    with pytest.raises(Refusal, match="offer_gone"):
        await admit(here, alice, new, msgspec.structs.replace(given, container=b"another"))


async def test_nobody_but_the_account_s_own_devices_finds_an_offer(here: Gate, alice: Caller) -> None:
    bob = await register(here, "bob")
    new = await new_device(here, "alice")
    third = await new_device(here, "alice", number=3)
    said = cheap.answer(bob.account, linking.PASSWORD)
    given = Admission((await newest(here, bob)), b"container")
    for attempt in (
        actions.find(here.db, bob, new.id),
        actions.answer(here, bob, new.id, said, HOME),
        actions.admit(here.db, bob, new.id, given, HOME),
        actions.withdraw(here.db, bob, new.id),
        actions.mine(here.db, bob, new.id),
        actions.mine(here.db, alice, new.id),
        actions.mine(here.db, third.who, new.id),
        actions.withdraw(here.db, third.who, new.id),
        actions.find(here.db, alice, OfferId(uuid4())),
    ):
        with pytest.raises(Refusal, match="not_found"):
            await attempt
    assert (await actions.find(here.db, alice, new.id)).id == new.id


async def test_a_wrong_password_answers_nothing_and_counts_like_a_failed_login(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    new = await new_device(here, "alice")
    for _ in range(5):
        with pytest.raises(Refusal, match="bad_credentials"):
            await answer(here, alice, new, "a wrong password")
    with pytest.raises(Refusal, match="account_locked"):
        await answer(here, alice, new)
    assert (await actions.mine(here.db, new.who, new.id)).state == "open"
    assert await admin.fetchval("SELECT lock_count FROM accounts WHERE account_id = $1", alice.account) == 1


async def test_an_offer_has_one_answer(here: Gate, alice: Caller, admin: Admin) -> None:
    tablet = await link(here, alice, "alice")
    await settled(admin)
    new = await new_device(here, "alice", number=3)
    await answer(here, alice, new)
    for old in (alice, tablet):
        with pytest.raises(Refusal, match="offer_gone"):
            await answer(here, old, new)
    with pytest.raises(Refusal, match="offer_gone"):
        await actions.find(here.db, tablet, new.id)
    with pytest.raises(Refusal, match="offer_gone"):
        await admit(here, tablet, new)
    await admit(here, alice, new)


async def test_an_offer_is_admitted_only_after_its_answer(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    with pytest.raises(Refusal, match="offer_gone"):
        await admit(here, alice, new)
    assert DeviceList.deserialize((await newest(here, alice)).list).version == 1


@pytest.mark.parametrize("answered", [False, True])
async def test_after_two_minutes_an_offer_is_over_and_a_job_forgets_it(
    here: Gate, alice: Caller, admin: Admin, answered: bool
) -> None:
    new = await new_device(here, "alice")
    if answered:
        await answer(here, alice, new)
    lasts = await admin.fetchval("SELECT expires_at - created_at FROM link_offers")
    assert 119 <= lasts.total_seconds() <= 121
    await admin.execute("UPDATE link_offers SET expires_at = clock_timestamp()")
    for attempt in (
        actions.find(here.db, alice, new.id),
        answer(here, alice, new),
        admit(here, alice, new),
        actions.mine(here.db, new.who, new.id),
        offer(here, new),
    ):
        with pytest.raises(Refusal, match="offer_gone"):
            await attempt
    async with here.db.transaction() as tx:
        assert await actions.forget_old(tx) == 1
    async with here.db.transaction() as tx:
        assert await actions.forget_old(tx) == 0


async def test_three_devices_may_ask_at_once_and_each_has_one_offer(here: Gate, alice: Caller) -> None:
    asking = [await new_device(here, "alice", number=number) for number in (2, 3, 4)]
    with pytest.raises(Refusal, match="too_many"):
        await new_device(here, "alice", number=5)
    again = linking.NewDevice(asking[0].who, cheap.offer(2, asking[0].who.device))
    assert (await offer(here, again)).state == "open"
    with pytest.raises(Refusal, match="not_found"):
        await actions.find(here.db, alice, asking[0].id)
    await devices.revoke(here.db, alice, asking[1].who.device, HOME)
    await sessions.revoke(here.db, asking[2].who, asking[2].who.session)
    for number in (6, 7):
        await new_device(here, "alice", number=number)


async def test_an_id_that_is_taken_is_refused_whoever_has_it(here: Gate, alice: Caller) -> None:
    await register(here, "bob")
    new = await new_device(here, "alice")
    for who in ("alice", "bob"):
        tokens = await log_in(here, who)
        given = msgspec.structs.replace(cheap.offer(3, tokens.device_id), id=new.id)
        with pytest.raises(Refusal, match="offer_gone"):
            await offer(here, linking.NewDevice(caller_of(tokens), given))
    assert (await actions.find(here.db, alice, new.id)).offer == new.given.offer


async def test_a_device_offers_itself_with_the_keys_that_others_need(here: Gate, alice: Caller) -> None:
    tokens = await log_in(here, "alice")
    who, right = caller_of(tokens), cheap.offer(2, tokens.device_id)
    wrong = [
        (cheap.offer(2, alice.device), "invalid"),
        (msgspec.structs.replace(right, offer=bytes(33) + right.offer[33:]), "invalid"),
        (msgspec.structs.replace(right, offer=right.offer[:33] + bytes(4) + right.offer[37:]), "invalid"),
        (msgspec.structs.replace(right, prekeys=Prekeys()), "bad_prekeys"),
        (msgspec.structs.replace(right, prekeys=cheap.offer(3, tokens.device_id).prekeys), "bad_prekeys"),
    ]
    for given, code in wrong:
        with pytest.raises(Refusal, match=code):
            await actions.offer(here.db, who, given, HOME)
    with pytest.raises(Refusal, match="invalid"):
        await actions.offer(here.db, alice, cheap.offer(1, alice.device), HOME)
    await actions.offer(here.db, who, right, HOME)


async def test_an_answer_names_the_account_and_its_key(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    right = cheap.answer(alice.account, linking.PASSWORD)
    for said in (right.answer[:-1] + b"\0", right.answer[:1120] + uuid4().bytes + right.answer[1136:]):
        with pytest.raises(Refusal, match="invalid"):
            await actions.answer(here, alice, new.id, msgspec.structs.replace(right, answer=said), HOME)
    assert (await actions.mine(here.db, new.who, new.id)).state == "open"


async def test_a_list_adds_the_offered_device_and_changes_nothing_else(here: Gate, alice: Caller, admin: Admin) -> None:
    tablet = await link(here, alice, "alice")
    new = await new_device(here, "alice", number=3)
    await answer(here, alice, new)
    before = await newest(here, alice)
    other = with_device(before, uuid4())
    for wrong in (
        other,
        linking.without_and_with(before, tablet.device, new.who.device),
        linking.renumbered(before, new),
    ):
        with pytest.raises(Refusal, match="bad_list"):
            await admit(here, alice, new, Admission(wrong, b"container"))
    with pytest.raises(Refusal, match="stale_list"):
        await admit(here, alice, new, Admission(before, b"container"))
    assert await newest(here, alice) == before
    assert await admin.fetchval("SELECT is_listed FROM devices WHERE device_id = $1", new.who.device) is False
    await admit(here, alice, new)


async def test_a_device_linked_less_than_a_day_ago_links_none_and_the_first_one_may(
    here: Gate, alice: Caller, admin: Admin
) -> None:
    tablet = await link(here, alice, "alice")
    new = await new_device(here, "alice", number=3)
    with pytest.raises(Refusal, match="device_too_new"):
        await answer(here, tablet, new)
    await settled(admin)
    await answer(here, tablet, new)
    await admin.execute(
        "UPDATE devices SET linked_at = clock_timestamp() - interval '23 hours' WHERE linked_at < now()"
    )
    with pytest.raises(Refusal, match="device_too_new"):
        await admit(here, tablet, new)
    await settled(admin)
    await admit(here, tablet, new)


async def test_ten_devices_are_listed_at_most(here: Gate, alice: Caller, admin: Admin) -> None:
    for number in range(2, 11):
        last = await link(here, alice, "alice", number=number)
    with pytest.raises(Refusal, match="too_many_devices"):
        await log_in(here, "alice")
    # One that is switched off makes room for a login, not for another place on the list.
    await admin.execute("UPDATE devices SET is_active = false WHERE device_id = $1", last.device)
    new = await new_device(here, "alice", number=11)
    await answer(here, alice, new)
    with pytest.raises(Refusal, match="too_many_devices"):
        await admit(here, alice, new)


async def test_an_offer_ends_with_the_session_or_the_device_that_made_it(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    await answer(here, alice, new)
    await sessions.revoke(here.db, new.who, new.who.session)
    with pytest.raises(Refusal, match="offer_gone"):
        await admit(here, alice, new)
    new = await new_device(here, "alice", number=3)
    await answer(here, alice, new)
    await devices.revoke(here.db, alice, new.who.device, HOME)
    with pytest.raises(Refusal, match="offer_gone"):
        await admit(here, alice, new)


async def test_a_second_login_of_the_same_device_does_not_take_over_its_offer(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    again = caller_of(await log_in(here, "alice", device=new.who.device))
    with pytest.raises(Refusal, match="not_found"):
        await actions.mine(here.db, again, new.id)
    with pytest.raises(Refusal, match="offer_gone"):
        await answer(here, alice, new)


async def test_the_prekeys_of_an_offer_serve_from_the_admission_on(here: Gate, alice: Caller) -> None:
    new = await new_device(here, "alice")
    wanted = [new.who.device]
    assert (await keys.bundles(here.db, Wanted(alice.account, wanted, with_one_time=True))).bundles == []
    await answer(here, alice, new)
    await admit(here, alice, new)
    (bundle,) = (await keys.bundles(here.db, Wanted(alice.account, wanted, with_one_time=True))).bundles
    assert bundle.signed == new.given.prekeys.signed
    assert bundle.identity == new.given.offer[:33]


async def test_the_account_s_devices_and_the_audit_trail_are_told(here: Gate, alice: Caller, admin: Admin) -> None:
    here.db.doorbell = bell = Bell()
    new = await link(here, alice, "alice")
    rows = await admin.fetch(
        "SELECT event, resource_id FROM audit_entries WHERE event LIKE '%link%' ORDER BY created_at"
    )
    assert [(row["event"], row["resource_id"]) for row in rows] == [
        (event, str(new.device)) for event in ("link_offered", "link_answered", "device_linked")
    ]
    value = await admin.fetchval(
        "SELECT value FROM account_state WHERE account_id = $1 AND key = 'devices'", alice.account
    )
    assert msgspec.json.decode(value) == {"version": 2}
    assert bell.rung


async def test_an_account_without_keys_links_nothing(here: Gate, alice: Caller, admin: Admin) -> None:
    await admin.execute("DELETE FROM device_lists")
    device = DeviceId(uuid4())
    who = caller_of(await log_in(here, "alice", device=device))
    assert who.is_listed
    with pytest.raises(Refusal, match="keys_needed"):
        await actions.offer(here.db, who, cheap.offer(2, device), HOME)
    assert alice
