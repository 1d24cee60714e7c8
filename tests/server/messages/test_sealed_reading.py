"""The sealed log as devices read it: enough to rebuild every head, one's own envelope, and nobody else's, ever."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.messages.conftest import Sealing
from tests.support import rooms
from tests.support.sealing import Pair, Sealer, add_device, give_keys, open_direct, pair, roster

from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions, envelopes, rules
from aparte.server.receipts import actions as receipts
from aparte.server.receipts.model import Mark
from aparte.wire.codec import to_json
from aparte.wire.ids import FIRST_ID, DeviceId, Position, new_id
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope

Admin = Any
ENVELOPES = st.lists(
    st.builds(
        Envelope,
        st.uuids().map(DeviceId),
        st.sampled_from([0, 2, 3]),
        st.binary(max_size=300),
    ),
    max_size=64,
    unique_by=lambda envelope: envelope.device,
)


@pytest.fixture
async def two(db: Database, admin: Admin) -> Pair:
    """Alice and Bob."""
    return await pair(db, admin, await rooms.person(admin), await rooms.person(admin))


async def log_of(sealing: Sealing, reader: Caller, conversation: Any) -> list[Entry]:
    """The whole log, as one device reads it."""
    return (await actions.entries(sealing.db, reader, conversation, FIRST_ID, 100)).entries


def own(entries: list[Entry]) -> list[bytes | None]:
    """The envelopes of a page."""
    return [e.sealed.envelope.body if e.sealed and e.sealed.envelope else None for e in entries]


@given(ENVELOPES)
def test_a_set_of_envelopes_gives_each_device_its_own(given_: list[Envelope]) -> None:
    packed = envelopes.pack(given_)
    if packed is None:
        assert given_ == []
        return
    assert packed[0] == len(given_)
    for envelope in given_:
        assert envelopes.own_of(packed, envelope.device) == envelope
    assert envelopes.own_of(packed, DeviceId(new_id())) is None


async def test_every_head_can_be_rebuilt_from_what_is_read(sealing: Sealing, two: Pair) -> None:
    hashes = []
    for sealer in (two.a, two.b, two.a):
        await sealing.seal(sealer.caller, two.conversation, sealer.seal())
        hashes.append(sealer.prev)
    entries = await log_of(sealing, two.bob, two.conversation)
    assert [rebuilt(entry, two.conversation) for entry in entries] == hashes


def rebuilt(entry: Entry, conversation: Any) -> bytes:
    """The hash of an entry, from what a device was given alone."""
    sealed = entry.sealed
    assert sealed is not None and sealed.sealed is not None  # noqa: PT018
    assert entry.device is not None and entry.client_message_id is not None  # noqa: PT018
    head = Head(
        entry.kind,
        conversation.bytes,
        entry.account.bytes,
        entry.device.bytes,
        sealed.epoch,
        sealed.roster,
        sealed.counter,
        entry.client_message_id.bytes,
        sealed.prev,
        sealed.target or ZERO_HASH,
    )
    return entry_hash(head, sha256(sealed.sealed).digest())


async def test_a_device_gets_its_own_envelope_and_no_other(db: Database, admin: Admin, sealing: Sealing) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    phone = await add_device(admin, bob)
    await give_keys(admin, alice)
    await give_keys(admin, bob, phone.device)
    conversation = (await open_direct(db, alice, bob)).id
    sealer = Sealer(alice, conversation, *await roster(admin, conversation), [bob.device, phone.device])
    entry = sealer.seal()
    await sealing.seal(alice, conversation, entry)
    bodies = {envelope.device: envelope.body for envelope in entry.envelopes}
    for reader in (bob, phone):
        page = await log_of(sealing, reader, conversation)
        assert own(page) == [bodies[reader.device]]
        [foreign] = set(bodies) - {reader.device}
        assert to_json(bodies[foreign]).strip(b'"') not in to_json(page)
    assert own(await log_of(sealing, alice, conversation)) == [None]


@pytest.mark.parametrize("kind", ["delivered", "read"])
async def test_what_is_acknowledged_is_handed_out_no_more(
    db: Database, admin: Admin, sealing: Sealing, kind: Any
) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    phone = await add_device(admin, bob)
    await give_keys(admin, alice)
    await give_keys(admin, bob, phone.device)
    conversation = (await open_direct(db, alice, bob)).id
    sealer = Sealer(alice, conversation, *await roster(admin, conversation), [bob.device, phone.device])
    sent = [await sealing.seal(alice, conversation, sealer.seal()) for _ in range(3)]
    await acknowledge(db, bob, conversation, sent[1], kind)
    assert [body is None for body in own(await log_of(sealing, bob, conversation))] == [True, True, False]
    assert None not in own(await log_of(sealing, phone, conversation))
    assert await kept(admin) == [1, 2, 3]
    await acknowledge(db, phone, conversation, sent[0], "delivered")
    assert await kept(admin) == [2, 3]
    await acknowledge(db, phone, conversation, sent[2], kind)
    assert await kept(admin) == [3]
    await acknowledge(db, bob, conversation, sent[2], "read")
    assert await kept(admin) == []


async def acknowledge(db: Database, who: Caller, conversation: Any, sent: Any, kind: Any) -> None:
    """This device has it."""
    mark = Mark(who, conversation, kind, Position(sent.seq, sent.id))
    await (receipts.read(db, mark) if kind == "read" else receipts.delivered(db, [mark]))


async def kept(admin: Admin) -> list[int]:
    """Positions whose envelopes are there still."""
    return [row["seq"] for row in await admin.fetch("SELECT seq FROM message_key_sets ORDER BY seq")]


async def test_envelopes_wait_for_their_device(admin: Admin, sealing: Sealing, two: Pair) -> None:
    """Erased at the send, or at the sender's own acknowledgement, a message would never open on the other side."""
    entry = two.a.seal()
    sent = await sealing.seal(two.alice, two.conversation, entry)
    assert await kept(admin) == [1]
    await acknowledge(sealing.db, two.alice, two.conversation, sent, "read")
    assert await kept(admin) == [1]
    assert own(await log_of(sealing, two.bob, two.conversation)) == [entry.envelopes[0].body]


async def test_two_who_acknowledge_at_once_leave_nothing_behind(db: Database, admin: Admin, sealing: Sealing) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    phone = await add_device(admin, bob)
    await give_keys(admin, alice)
    await give_keys(admin, bob, phone.device)
    conversation = (await open_direct(db, alice, bob)).id
    sealer = Sealer(alice, conversation, *await roster(admin, conversation), [bob.device, phone.device])
    for _ in range(10):
        sent = await sealing.seal(alice, conversation, sealer.seal())
        both = [acknowledge(db, who, conversation, sent, "delivered") for who in (bob, phone)]
        await asyncio.gather(*both)
        assert await kept(admin) == []


async def test_nobody_waits_for_a_device_that_is_gone(admin: Admin, sealing: Sealing, two: Pair, db: Database) -> None:
    carol = await rooms.person(admin)
    tablet = await add_device(admin, carol)
    await give_keys(admin, carol, tablet.device)
    conversation = (await open_direct(db, two.alice, carol)).id
    others = [carol.device, tablet.device]
    sealer = Sealer(two.alice, conversation, *await roster(admin, conversation), others)
    sent = await sealing.seal(two.alice, conversation, sealer.seal())
    await admin.execute("UPDATE devices SET is_active = false WHERE device_id = $1", tablet.device)
    await acknowledge(db, carol, conversation, sent, "delivered")
    assert await kept(admin) == []


async def test_after_sixty_days_envelopes_go(admin: Admin, sealing: Sealing, two: Pair) -> None:
    for _ in range(2):
        await sealing.seal(two.alice, two.conversation, two.a.seal())
    await admin.execute("UPDATE message_key_sets SET id = id_at(now() - interval '59 days') WHERE seq = 2")
    assert await actions.forget_envelopes(sealing.db) == 0
    await admin.execute("UPDATE message_key_sets SET id = id_at(now() - interval '61 days') WHERE seq = 1")
    assert await actions.forget_envelopes(sealing.db) == 1
    assert await kept(admin) == [2]


async def test_live_entries_carry_no_envelope_of_their_own(sealing: Sealing, two: Pair) -> None:
    """The hub adds each device its own; the frame they share has none."""
    entry = two.a.seal()
    await sealing.seal(two.alice, two.conversation, entry)
    [hint] = sealing.live()
    assert hint.frame.entry.sealed is not None
    assert hint.frame.entry.sealed.envelope is None
    assert hint.envelopes == entry.envelopes
    [stored] = await log_of(sealing, two.alice, two.conversation)
    assert stored == hint.frame.entry


async def test_a_page_is_cut_where_it_grows_too_large(sealing: Sealing, two: Pair) -> None:
    for _ in range(10):
        await sealing.seal(two.alice, two.conversation, two.a.seal(sealed=bytes(65_472)))
    page = await actions.entries(sealing.db, two.bob, two.conversation, FIRST_ID, 100)
    assert page.more
    assert 1 <= len(page.entries) < 10
    assert sum(rules.weight(entry) for entry in page.entries) <= rules.PAGE_BYTES
    rest = await actions.entries(sealing.db, two.bob, two.conversation, page.entries[-1].id, 100)
    assert rest.entries[0].seq == len(page.entries) + 1
