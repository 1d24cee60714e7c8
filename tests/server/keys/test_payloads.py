"""Payloads: from who may, to listed devices, once, until their device has them."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import keys
from tests.support.people import Device, Problem, World
from tests.support.sign_in import Bell, gate, link, register

from aparte.e2ee.roster import direct_id
from aparte.server.authentication.model import Gate
from aparte.server.contacts import actions as contacts
from aparte.server.keys import actions
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToDevice
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.frames import Waiting
from aparte.wire.ids import AccountId, DeviceId, PayloadId
from aparte.wire.keys import NewPayload, NewPayloads

Admin = Any


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


@pytest.fixture
async def bob(here: Gate, alice: Caller, admin: Admin) -> Caller:
    """Somebody who has a direct conversation with Alice."""
    bob = await register(here, "bob")
    await share(admin, alice, bob)
    return bob


async def share(admin: Admin, *members: Caller, kind: str = "direct", mode: str = "e2ee") -> UUID:
    """A conversation of these people."""
    conversation = uuid4()
    await admin.execute(
        """
        INSERT INTO conversations (conversation_id, kind, encryption_mode, is_public, name)
        VALUES ($1, $2::text::conversation_kind, $3::text::encryption_mode, false, $4)
        """,
        conversation,
        kind,
        mode,
        "room" if mode == "server" else None,
    )
    await admin.executemany(
        """
        INSERT INTO members (conversation_id, account_id, joined_seq, joined_id, read_seq, read_id, read_ordinal)
        VALUES ($1, $2, 0, $1, 0, $1, 0)
        """,
        [(conversation, member.account) for member in members],
    )
    return conversation


def payload(device: DeviceId, body: bytes = b"sealed", payload_id: UUID | None = None) -> NewPayload:
    return NewPayload(PayloadId(payload_id or uuid4()), device, 2, body)


async def send(db: Database, sender: Caller, account: AccountId, *some: NewPayload) -> str:
    """Send payloads; tells the code of the refusal, or that it is done."""
    try:
        await actions.send(db, sender, NewPayloads(account, list(some)))
    except Refusal as refusal:
        return refusal.code
    return "done"


async def bodies(db: Database, who: Caller) -> list[bytes]:
    page = await actions.waiting(db, who)
    return [one.body for one in page.payloads]


async def test_a_payload_reaches_its_device_and_is_gone_when_that_has_it(
    db: Database, here: Gate, alice: Caller, bob: Caller
) -> None:
    phone = await link(here, "alice")
    db.doorbell = bell = Bell()
    assert await send(db, bob, alice.account, payload(alice.device, b"one")) == "done"
    assert await send(db, bob, alice.account, payload(alice.device, b"two")) == "done"
    assert bell.rung == [ToDevice(alice.device, Waiting())] * 2
    on_phone = alice._replace(device=phone.device_id)
    assert await bodies(db, on_phone) == []
    page = await actions.waiting(db, alice)
    assert [(one.account, one.device, one.type) for one in page.payloads] == [(bob.account, bob.device, 2)] * 2
    assert [one.body for one in page.payloads] == [b"one", b"two"]
    await actions.done(db, on_phone, [one.id for one in page.payloads])
    assert await bodies(db, alice) == [b"one", b"two"]
    await actions.done(db, alice, [page.payloads[0].id, PayloadId(uuid4())])
    assert await bodies(db, alice) == [b"two"]


async def test_a_repeat_is_stored_once_and_rings_once(db: Database, alice: Caller, bob: Caller) -> None:
    db.doorbell = bell = Bell()
    same = payload(alice.device)
    assert [await send(db, bob, alice.account, same) for _ in range(3)] == ["done"] * 3
    assert await bodies(db, alice) == [b"sealed"]
    assert len(bell.rung) == 1
    assert await send(db, alice, alice.account, same) == "done"
    assert len(await bodies(db, alice)) == 2  # another sender's ids are other ids


async def test_who_may_send(db: Database, here: Gate, alice: Caller, bob: Caller, admin: Admin) -> None:
    carol, dave = [await register(here, name) for name in ("carol", "dave")]
    await share(admin, carol, alice, kind="room", mode="server")
    left = await share(admin, dave, alice, kind="group")
    await admin.execute("UPDATE members SET left_at = now() WHERE account_id = $1", dave.account)
    assert await send(db, bob, alice.account, payload(alice.device)) == "done"
    assert await send(db, alice, alice.account, payload(alice.device)) == "done"
    assert await send(db, carol, alice.account, payload(alice.device)) == "not_found"
    assert await send(db, dave, alice.account, payload(alice.device)) == "not_found"
    assert await send(db, bob, AccountId(uuid4()), payload(alice.device)) == "not_found"
    await admin.execute("UPDATE members SET left_at = NULL WHERE conversation_id = $1", left)
    assert await send(db, dave, alice.account, payload(alice.device)) == "done"
    assert len(await bodies(db, alice)) == 3


@pytest.mark.parametrize("blocker", ["alice", "bob"])
async def test_a_block_either_way_stops_payloads(db: Database, alice: Caller, bob: Caller, blocker: str) -> None:
    one, other = (alice, bob) if blocker == "alice" else (bob, alice)
    await contacts.block(db, one, other.account, None)
    assert await send(db, bob, alice.account, payload(alice.device)) == "blocked"
    assert await bodies(db, alice) == []


async def test_all_are_stored_or_none(db: Database, alice: Caller, bob: Caller) -> None:
    unlisted = DeviceId(uuid4())
    assert await send(db, bob, alice.account, payload(alice.device), payload(unlisted)) == "not_found"
    assert await send(db, bob, alice.account, payload(alice.device), payload(bob.device)) == "not_found"
    assert await bodies(db, alice) == []


async def test_a_dormant_device_gets_none_and_stops_nobody(
    db: Database, here: Gate, alice: Caller, bob: Caller, admin: Admin
) -> None:
    phone = (await link(here, "alice")).device_id
    await admin.execute("UPDATE devices SET last_active_at = now() - interval '46 days' WHERE device_id = $1", phone)
    assert await send(db, bob, alice.account, payload(alice.device), payload(phone)) == "done"
    assert await bodies(db, alice) == [b"sealed"]
    assert await bodies(db, alice._replace(device=phone)) == []


async def test_a_full_device_takes_no_more(db: Database, alice: Caller, bob: Caller, admin: Admin) -> None:
    await admin.execute(
        """
        INSERT INTO device_envelopes (device_id, id, account_id, sender_device_id, payload_id, type, body)
        SELECT $1, id_now(now()), $2, $3, gen_random_uuid(), 2, 'x' FROM generate_series(1, $4)
        """,
        alice.device,
        bob.account,
        bob.device,
        limits.PAYLOADS_KEPT - 1,
    )
    assert await send(db, bob, alice.account, payload(alice.device)) == "done"
    assert await send(db, bob, alice.account, payload(alice.device)) == "too_many"
    page = await actions.waiting(db, alice)
    await actions.done(db, alice, [page.payloads[0].id])
    assert await send(db, bob, alice.account, payload(alice.device)) == "done"


async def test_pages_are_bounded_and_lose_nothing(db: Database, alice: Caller, bob: Caller) -> None:
    for n in range(40):
        body = n.to_bytes(2) + bytes(limits.PAYLOAD_BYTES - 2)
        assert await send(db, bob, alice.account, payload(alice.device, body)) == "done"
    for n in range(40, 150):
        assert await send(db, bob, alice.account, payload(alice.device, n.to_bytes(2))) == "done"
    found: list[int] = []
    sizes = []
    more = True
    while more:
        page = await actions.waiting(db, alice)
        more = page.more
        sizes.append(len(page.payloads))
        found += [int.from_bytes(one.body[:2]) for one in page.payloads]
        await actions.done(db, alice, [one.id for one in page.payloads])
    assert sorted(found) == list(range(150))
    assert sizes[0] == 16
    assert max(sizes) == limits.PAGE_PAYLOADS


async def test_what_nobody_fetches_in_60_days_goes(db: Database, alice: Caller, bob: Caller, admin: Admin) -> None:
    assert await send(db, bob, alice.account, payload(alice.device, b"old"), payload(alice.device, b"new")) == "done"
    for days, body in ((61, b"old"), (59, b"new")):
        await admin.execute(
            "UPDATE device_envelopes SET id = id_now(now() - make_interval(days => $1)) WHERE body = $2", days, body
        )
    async with db.transaction() as tx:
        assert await actions.delete_old(tx) == 1
    assert await bodies(db, alice) == [b"new"]


async def test_a_removed_device_leaves_nothing_waiting(db: Database, alice: Caller, bob: Caller) -> None:
    assert await send(db, bob, alice.account, payload(alice.device)) == "done"
    async with db.transaction() as tx:
        await actions.forget(tx, [alice.device])
    assert await bodies(db, alice) == []


# Over REST and gateway -----------------------------------------------------------------------------------------------


async def test_over_rest_with_a_hint_at_the_gateway(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    conversation = UUID(bytes=direct_id(UUID(alice.account).bytes, UUID(bob.account).bytes))
    await bob.post("/conversations/direct", {"id": str(conversation), "account": alice.account})
    async with alice.gateway() as gateway, bob.gateway() as others:
        await bob.post("/payloads", body_of(alice, b"sealed"))
        await gateway.wait(lambda frame: frame["type"] == "waiting")
        assert not [frame for frame in others.frames if frame["type"] == "waiting"]
    page = await alice.get("/payloads")
    assert [one["body"] for one in page["payloads"]] == [keys.base64_of(b"sealed")]
    await alice.post("/payloads/done", {"ids": [page["payloads"][0]["id"]]})
    assert await alice.get("/payloads") == {"payloads": [], "more": False}


@pytest.mark.parametrize("size", [0, limits.PAYLOAD_BYTES + 1])
async def test_sizes_are_limited(world: World, size: int) -> None:
    alice = await world.register("alice")
    with pytest.raises(Problem) as refused:
        await alice.post("/payloads", body_of(alice, bytes(size)))
    assert refused.value.code == "invalid"


def body_of(target: Device, body: bytes) -> dict[str, Any]:
    """A request with one payload for somebody's device."""
    one = {"payload_id": str(uuid4()), "device": target.id, "type": 2, "body": keys.base64_of(body)}
    return {"account": target.account, "payloads": [one]}
