"""Linking by several devices in the same moment: one list follows the other, and nothing happens twice."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import linking
from tests.support.keys import without
from tests.support.linking import admission, admit, answer, link, new_device, newest, offer, settled, succeed
from tests.support.sign_in import HOME, gate, log_in, register
from tests.support.sign_in import caller as caller_of

from aparte.bench import linking as cheap
from aparte.e2ee import roster
from aparte.e2ee.device_list import DeviceList
from aparte.server.authentication.actions import authenticate
from aparte.server.authentication.model import Gate
from aparte.server.conversations import actions as conversations
from aparte.server.devices import actions as devices
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.receipts import actions as receipts
from aparte.server.receipts.model import Mark
from aparte.server.sessions import actions as sessions
from aparte.wire.conversations import ConversationChange, NewConversation
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, OfferId
from aparte.wire.keys import NewDirect

ROUNDS = 6


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


async def outcomes(*attempts: Awaitable[Any]) -> list[str]:
    """How attempts at once end: `done`, or the code of the refusal, sorted."""

    async def one(attempt: Awaitable[Any]) -> str:
        try:
            await attempt
        except Refusal as refusal:
            return refusal.code
        return "done"

    return sorted(await asyncio.gather(*(one(attempt) for attempt in attempts)))


async def listed(here: Gate, who: Caller) -> DeviceList:
    return DeviceList.deserialize((await newest(here, who)).list)


async def test_two_admissions_on_one_list_are_one_after_the_other(here: Gate, alice: Caller) -> None:
    for round_ in range(3):
        one, other = [await new_device(here, "alice", number=2 * round_ + n) for n in (2, 3)]
        for new in (one, other):
            await answer(here, alice, new)
        both = [await admission(here, alice, new) for new in (one, other)]
        tries = [admit(here, alice, new, given) for new, given in zip((one, other), both, strict=True)]
        assert await outcomes(*tries) == ["done", "stale_list"]
        known = await listed(here, alice)
        late = one if known.find(one.who.device.bytes) is None else other
        await admit(here, alice, late)
    assert len((await listed(here, alice)).devices) == 7


async def test_an_offer_is_used_once(here: Gate, alice: Caller, admin: Any) -> None:
    tablet = await link(here, alice, "alice")
    await settled(admin)
    for _ in range(ROUNDS):
        new = await new_device(here, "alice", number=3)
        assert await outcomes(answer(here, alice, new), answer(here, tablet, new)) == ["done", "offer_gone"]
        winner = await admin.fetchval("SELECT answered_by FROM link_offers WHERE offer_id = $1", new.id)
        who = alice if winner == alice.device else tablet
        given = await admission(here, who, new)
        assert set(await outcomes(*(admit(here, who, new, given) for _ in range(3)))) == {"done"}
        assert len((await listed(here, alice)).devices) == 3
        await succeed(here, who, without(await newest(here, who), new.who.device))


async def test_an_admission_racing_the_removal_of_who_admits(here: Gate, alice: Caller, admin: Any) -> None:
    """Whichever is first, the other was signed on an old list; who is off the list admits nobody."""
    for _ in range(ROUNDS):
        tablet = await link(here, alice, "alice")
        await settled(admin)
        new = await new_device(here, "alice", number=3)
        await answer(here, tablet, new)
        given, shorter = await admission(here, tablet, new), without(await newest(here, alice), tablet.device)
        ended = await outcomes(admit(here, tablet, new, given), succeed(here, alice, shorter))
        # The removal of who answered takes the offer with it.
        assert ended in (["done", "not_found"], ["done", "stale_list"]), ended
        known = await listed(here, alice)
        is_admitted = known.find(new.who.device.bytes) is not None
        assert is_admitted == (known.find(tablet.device.bytes) is not None)
        for row in known.devices:
            if row.device != alice.device.bytes:
                await succeed(here, alice, without(await newest(here, alice), UUID(bytes=row.device)))


async def test_an_admission_racing_the_revocation_of_the_new_device(here: Gate, alice: Caller, admin: Any) -> None:
    """A device that is listed is active and signed in; one that was switched off first is not listed."""
    for _ in range(ROUNDS):
        new = await new_device(here, "alice")
        await answer(here, alice, new)
        given = await admission(here, alice, new)
        tries = admit(here, alice, new, given), devices.revoke(here.db, alice, new.who.device, HOME)
        assert await outcomes(*tries) in (["done", "invalid"], ["done", "offer_gone"])
        is_listed = (await listed(here, alice)).find(new.who.device.bytes) is not None
        row = await admin.fetchrow("SELECT is_active, is_listed FROM devices WHERE device_id = $1", new.who.device)
        assert tuple(row) == (is_listed, is_listed)
        assert bool(await sessions.valid(here.db, [new.who.session])) == is_listed
        if is_listed:
            await succeed(here, alice, without(await newest(here, alice), new.who.device))


async def test_two_devices_that_put_each_other_out(here: Gate, alice: Caller, admin: Any) -> None:
    """One of them is first; the other is out, whatever it has signed."""
    tablet = await link(here, alice, "alice")
    await settled(admin)
    before = await newest(here, alice)
    tries = succeed(here, alice, without(before, tablet.device)), succeed(here, tablet, without(before, alice.device))
    assert await outcomes(*tries) in (["done", "link_needed"], ["done", "stale_list"])
    (left,) = (await listed(here, alice)).devices
    open_ = await sessions.valid(here.db, [alice.session, tablet.session])
    assert open_ == {alice.session if left.device == alice.device.bytes else tablet.session}


async def test_many_offers_at_once_are_three(here: Gate, alice: Caller) -> None:
    asking = [caller_of(await log_in(here, "alice")) for _ in range(6)]
    tries = [offer(here, linking.NewDevice(who, cheap.offer(2 + n, who.device))) for n, who in enumerate(asking)]
    assert await outcomes(*tries) == ["done"] * 3 + ["too_many"] * 3
    assert alice


async def test_one_id_offered_by_two_accounts_at_once_is_one_offer(here: Gate, alice: Caller, admin: Any) -> None:
    bob = await register(here, "bob")
    for _ in range(ROUNDS):
        tries, taken = [], OfferId(uuid4())
        for name in ("alice", "bob"):
            who = caller_of(await log_in(here, name))
            given = cheap.offer(2, who.device)
            tries.append(offer(here, linking.NewDevice(who, type(given)(taken, given.offer, given.prekeys))))
        assert await outcomes(*tries) == ["done", "offer_gone"]
        await admin.execute("DELETE FROM link_offers")
        for who in (alice, bob):
            for one in (await devices.mine(here.db, who)).devices:
                if one.is_active and one.device_id != who.device:
                    await devices.revoke(here.db, who, one.device_id, HOME)


async def test_nothing_that_two_people_do_at_once_locks_them_out(here: Gate, alice: Caller, admin: Any) -> None:
    """Lists change while conversations are opened, rooms entered and devices renamed: all in one order of locks."""
    bob = await register(here, "bob")
    room = (await conversations.create(here.db, bob, NewConversation("room", "here"))).id
    pair = ConversationId(UUID(bytes=roster.direct_id(alice.account.bytes, bob.account.bytes)))
    codes: set[str] = set()
    for _ in range(ROUNDS):
        steps = []
        for who, name, other in ((alice, "alice", bob), (bob, "bob", alice)):
            new = await new_device(here, name)
            await answer(here, who, new)
            given = await admission(here, who, new)
            steps += [
                admit(here, who, new, given),
                succeed(here, who, linking.rotated(await newest(here, who)), "a wrong password"),
                conversations.open_direct(here.db, who, NewDirect(pair, other.account)),
                conversations.join(here.db, alice, room),
                devices.rename(here.db, who, new.who.device, "telephone"),
                authenticate(here.db, here.keys, "no token"),
                offer(here, new),
            ]
        codes |= set(await outcomes(*steps))
        await admin.execute("UPDATE accounts SET failed_login_attempts = 0")
        await conversations.leave(here.db, alice, room)
        for who in (alice, bob):
            for row in (await listed(here, who)).devices[1:]:
                await succeed(here, who, without(await newest(here, who), UUID(bytes=row.device)))
    assert codes <= {"done", "bad_credentials", "unauthenticated", "offer_gone", "invalid"}, codes
    assert await admin.fetchval("SELECT epoch FROM heads WHERE conversation_id = $1", pair) > ROUNDS


async def test_a_list_that_waits_for_a_conversation_keeps_no_mark_waiting(
    here: Gate, alice: Caller, admin: Any
) -> None:
    """Else a mark (a member's row, then one's state), a list (state, then the head) and a send (head, then the row)
    wait for each other in a circle, and one of them is torn down."""
    tablet = await link(here, alice, "alice")
    await settled(admin)
    room = await conversations.create(here.db, alice, NewConversation(kind="room", name="read"))
    room = await conversations.change(here.db, alice, room.id, ConversationChange(topic="to be read"))
    own = ConversationId(UUID(bytes=roster.direct_id(alice.account.bytes, alice.account.bytes)))
    await conversations.open_direct(here.db, alice, NewDirect(own, alice.account))
    async with here.db.transaction() as sending:
        await log.lock(sending, own)
        shorter = asyncio.ensure_future(succeed(here, alice, without(await newest(here, alice), tablet.device)))
        async with asyncio.timeout(30):
            while not await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)
        await asyncio.wait_for(receipts.read(here.db, Mark(alice, room.id, "read", room.head)), 5)
    await shorter
    assert len((await listed(here, alice)).devices) == 1
