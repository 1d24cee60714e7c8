"""The batch of sealed entries: each has its own outcome, chains hold, nobody is left out and nobody is slipped in."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from tests.server.messages.conftest import Sealing, waits_for_a_lock
from tests.support import database, rooms
from tests.support.sealing import Pair, Sealer, add_device, give_keys, open_direct, pair, roster

from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, DeviceId
from aparte.wire.messages import SendMessage
from aparte.wire.sealed import Envelope, SealEntry

Admin = Any


@pytest.fixture
async def two(db: Database, admin: Admin) -> Pair:
    """Alice and Bob."""
    return await pair(db, admin, await rooms.person(admin), await rooms.person(admin))


def codes(outcomes: Any) -> list[Any]:
    """What became of each: its position, or why not."""
    return [o.code if isinstance(o, Refusal) else o.seq for o in outcomes]


def other(entry: SealEntry, **fields: Any) -> SealEntry:
    """The same entry but for these fields."""
    return msgspec.structs.replace(entry, **fields)


async def stored(admin: Admin, conversation: Any) -> list[tuple[int, int]]:
    """Position and counter of every message."""
    rows = await admin.fetch("SELECT seq, counter FROM messages WHERE conversation_id = $1 ORDER BY id", conversation)
    return [(row["seq"], row["counter"]) for row in rows]


async def test_entries_take_positions_and_continue_their_devices_chain(
    admin: Admin, sealing: Sealing, two: Pair
) -> None:
    order = (two.a, two.b, two.a, two.b, two.b)
    sent = [await sealing.seal(sealer.caller, two.conversation, sealer.seal()) for sealer in order]
    assert [s.seq for s in sent] == [1, 2, 3, 4, 5]
    assert await stored(admin, two.conversation) == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)]
    rows = await admin.fetch("SELECT device_id, counter, hash FROM chains")
    assert {row["device_id"]: (row["counter"], row["hash"]) for row in rows} == {
        two.alice.device: (2, two.a.prev),
        two.bob.device: (3, two.b.prev),
    }
    head = await admin.fetchrow("SELECT last_seq, last_ordinal, message_count FROM heads WHERE epoch > 0")
    assert tuple(head) == (5, 5, 5)


async def test_a_device_may_send_many_at_once(admin: Admin, sealing: Sealing, two: Pair) -> None:
    """Entries of one batch are chained to each other, or a client would wait a round trip for each."""
    entries = [two.a.seal() for _ in range(40)]
    sent = await asyncio.gather(*(sealing.seal(two.alice, two.conversation, entry) for entry in entries))
    assert [s.seq for s in sent] == list(range(1, 41))
    assert await stored(admin, two.conversation) == [(n, n) for n in range(1, 41)]
    assert await admin.fetchval("SELECT hash FROM chains") == two.a.prev


async def test_each_entry_of_a_batch_has_its_own_outcome(
    db: Database, admin: Admin, sealing: Sealing, two: Pair
) -> None:
    carol, dave, eve = [await rooms.person(admin) for _ in range(3)]
    room = await rooms.room(admin, two.alice)
    blocked, dead = await pair(db, admin, carol, dave), await pair(db, admin, carol, eve)
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", dave.account, carol.account)
    first = two.a.seal()
    await sealing.seal(two.alice, two.conversation, first)
    await sealing.seal(two.bob, two.conversation, two.b.seal())
    third = two.a.seal()
    stale = Sealer(two.bob, two.conversation, 2, two.b.roster, two.b.others, two.b.counter, two.b.prev)
    forged = replace(stale, epoch=1, roster=bytes(32))
    alone = dead.b.seal(envelopes=[])
    message = SendMessage(ClientMessageId(uuid4()), MessageContent("in the clear"))
    outcomes = await asyncio.gather(
        sealing.seal(two.alice, two.conversation, third),
        sealing.seal(two.alice, two.conversation, first),
        sealing.seal(two.alice, two.conversation, other(first, sealed=third.sealed)),
        sealing.seal(eve, two.conversation, Sealer(eve, two.conversation, 1, two.a.roster, two.a.others).seal()),
        sealing.seal(two.alice, room, Sealer(two.alice, room, 1, bytes(32), []).seal()),
        sealing.seal(carol, blocked.conversation, blocked.a.seal()),
        sealing.seal(dave, blocked.conversation, blocked.b.seal()),
        sealing.seal(two.bob, two.conversation, stale.seal()),
        sealing.seal(two.bob, two.conversation, forged.seal()),
        sealing.seal(two.bob, two.conversation, two.b.seal(counter=5)),
        sealing.seal(eve, dead.conversation, alone),
        actions.send(sealing.writer, two.alice, two.conversation, message),
        sealing.seal(carol, dead.conversation, dead.a.seal()),
        return_exceptions=True,
    )
    assert codes(outcomes) == [
        3,
        1,
        "client_id_reused",
        "not_member",
        "mode_mismatch",
        "blocked",
        "blocked",
        "stale_epoch",
        "stale_epoch",
        "chain_broken",
        "missing_devices",
        "mode_mismatch",
        1,
    ]
    assert await stored(admin, two.conversation) == [(1, 1), (2, 1), (3, 2)]
    assert await admin.fetchval("SELECT count(*) FROM messages WHERE content IS NOT NULL") == 0


async def test_a_stale_epoch_is_told_the_right_one(admin: Admin, sealing: Sealing, two: Pair) -> None:
    two.a.epoch = 7
    with pytest.raises(Refusal, match="stale_epoch") as refused:
        await sealing.seal(two.alice, two.conversation, two.a.seal())
    epoch, present = await roster(admin, two.conversation)
    assert refused.value.data == {"epoch": epoch, "roster": present.hex()}


async def test_a_broken_chain_is_told_where_it_ends(sealing: Sealing, two: Pair) -> None:
    """With the server's counter and hash a client tells a lost answer from an old copy of its state."""
    kept = replace(two.a)
    await sealing.seal(two.alice, two.conversation, two.a.seal())
    await sealing.seal(two.alice, two.conversation, two.a.seal())
    with pytest.raises(Refusal, match="chain_broken") as refused:
        await sealing.seal(two.alice, two.conversation, kept.seal())
    assert refused.value.data == {"counter": 2, "hash": two.a.prev.hex()}


@pytest.mark.parametrize("wrong", [{"counter": 2}, {"counter": 4}, {"prev": b"\1" * 32}, {"prev": bytes(32)}])
async def test_what_does_not_continue_the_chain_is_refused_and_all_after_it(
    admin: Admin, sealing: Sealing, two: Pair, wrong: dict[str, Any]
) -> None:
    for _ in range(2):
        await sealing.seal(two.alice, two.conversation, two.a.seal())
    entries = [two.a.seal(**wrong), two.a.seal(), two.a.seal()]
    outcomes = await asyncio.gather(
        *(sealing.seal(two.alice, two.conversation, entry) for entry in entries), return_exceptions=True
    )
    assert codes(outcomes) == ["chain_broken"] * 3
    assert await stored(admin, two.conversation) == [(1, 1), (2, 2)]


async def test_what_came_before_a_break_is_stored_and_the_chain_ends_there(
    admin: Admin, sealing: Sealing, two: Pair
) -> None:
    entries = [two.a.seal(), two.a.seal()]
    end = two.a.prev
    entries += [two.a.seal(prev=bytes(32)), two.a.seal()]
    outcomes = await asyncio.gather(
        *(sealing.seal(two.alice, two.conversation, entry) for entry in entries), return_exceptions=True
    )
    assert codes(outcomes) == [1, 2, "chain_broken", "chain_broken"]
    row = await admin.fetchrow("SELECT counter, hash FROM chains")
    assert tuple(row) == (2, end)


async def test_a_repeat_is_answered_before_anything_that_has_changed_since(
    admin: Admin, sealing: Sealing, two: Pair
) -> None:
    entry = two.a.seal()
    sent = await sealing.seal(two.alice, two.conversation, entry)
    await admin.execute("UPDATE heads SET epoch = 9, roster = $1 WHERE epoch > 0", bytes(32))
    await admin.execute(
        "INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", two.bob.account, two.alice.account
    )
    assert await sealing.seal(two.alice, two.conversation, entry) == sent
    assert await sealing.seal(two.alice, two.conversation, other(entry, envelopes=[])) == sent
    assert await stored(admin, two.conversation) == [(1, 1)]
    assert len(sealing.live()) == 1


async def test_an_epoch_that_began_while_the_batch_waited_is_seen(
    admin: Admin, cluster: database.Cluster, database_name: str, sealing: Sealing, two: Pair
) -> None:
    """The lock and the decision are two statements: in one, the older snapshot would take the entry."""
    holder = await asyncpg.connect(cluster.dsn(database_name, service=True), ssl=False)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", two.conversation)
        await holder.execute("UPDATE heads SET epoch = 2, roster = $1 WHERE epoch = 1", b"\2" * 32)
        waiting = asyncio.create_task(sealing.seal(two.alice, two.conversation, two.a.seal()))
        await waits_for_a_lock(admin)
        assert not waiting.done()
    with pytest.raises(Refusal, match="stale_epoch") as refused:
        await waiting
    assert refused.value.data == {"epoch": 2, "roster": "02" * 32}
    await holder.close()


async def test_a_repeat_that_waited_for_its_first_finds_it(
    admin: Admin, cluster: database.Cluster, database_name: str, db: Database, sealing: Sealing, two: Pair
) -> None:
    entry = two.a.seal()
    far = Sealing(cluster.dsn(database_name, service=True), db)
    far.writer.start()
    holder = await asyncpg.connect(cluster.dsn(database_name, service=True), ssl=False)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM heads WHERE conversation_id = $1 FOR NO KEY UPDATE", two.conversation)
        both = [asyncio.create_task(here.seal(two.alice, two.conversation, entry)) for here in (sealing, far)]
        await waits_for_a_lock(admin, count=2)
    first, second = [await task for task in both]
    assert first == second
    assert await stored(admin, two.conversation) == [(1, 1)]
    assert len(sealing.live()) + len(far.live()) == 1
    await holder.close()
    await far.writer.close()
    await far.lanes.close()


async def test_every_listed_device_needs_an_envelope_and_nobody_else_gets_one(
    db: Database, admin: Admin, sealing: Sealing
) -> None:
    alice, bob, eve = [await rooms.person(admin) for _ in range(3)]
    phone, asleep = await add_device(admin, alice), await add_device(admin, bob)
    await give_keys(admin, alice, phone.device)
    await give_keys(admin, bob, asleep.device)
    await admin.execute(
        "UPDATE devices SET last_active_at = now() - interval '46 days' WHERE device_id = $1", asleep.device
    )
    conversation = (await open_direct(db, alice, bob)).id
    epoch, present = await roster(admin, conversation)
    needed = [phone.device, bob.device]
    for others in ([bob.device], [phone.device], [*needed, eve.device], [*needed, alice.device], []):
        sealer = Sealer(alice, conversation, epoch, present, list(others))
        with pytest.raises(Refusal, match="missing_devices"):
            await sealing.seal(alice, conversation, sealer.seal())
    sealer = Sealer(alice, conversation, epoch, present, [*needed, asleep.device])
    sent = await sealing.seal(alice, conversation, sealer.seal())
    assert sent.seq == 1
    [rung] = sealing.live()
    assert {envelope.device for envelope in rung.envelopes} == set(needed)  # the sleeper's was dropped
    packed = await admin.fetchval("SELECT envelopes FROM message_key_sets")
    assert asleep.device.bytes not in packed


async def test_an_empty_envelope_is_an_envelope(sealing: Sealing, two: Pair) -> None:
    """A device whose keys are unusable must not silence everybody else."""
    entry = two.a.seal(envelopes=[Envelope(two.bob.device, 0)])
    assert (await sealing.seal(two.alice, two.conversation, entry)).seq == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sealed": bytes(193)},
        {"kind": 2},
        {"kind": 7, "target": "some"},
        {"tag": bytes(16)},
        {"on": False},
        {"envelopes": "twice"},
        {"envelopes": "empty"},
    ],
)
async def test_what_no_client_can_mean_is_refused(sealing: Sealing, two: Pair, wrong: dict[str, Any]) -> None:
    some = two.a.at(two.a.seal(), await sealing.seal(two.bob, two.conversation, two.b.seal()))
    twice = [Envelope(two.bob.device, 2, b"x")] * 2
    made = {"some": some, "twice": twice, "empty": [Envelope(two.bob.device, 2, b"")]}
    fields = {name: made.get(value, value) if isinstance(value, str) else value for name, value in wrong.items()}
    with pytest.raises(Refusal, match="invalid"):
        await sealing.seal(two.alice, two.conversation, two.a.seal(**fields))


async def test_a_guest_seals_nothing(sealing: Sealing, two: Pair) -> None:
    with pytest.raises(Refusal, match="forbidden"):
        await sealing.seal(two.alice._replace(role="guest"), two.conversation, two.a.seal())


@pytest.mark.parametrize(
    ("field", "fits", "over"),
    [
        ("sealed", 65_472, limits.SEALED_BYTES + 1),
        ("sealed", 192, 191),
        ("prev", 32, 33),
        ("roster", 32, 31),
        ("tag", 16, 17),
    ],
)
def test_sizes_at_the_limit_and_past_it(field: str, fits: int, over: int) -> None:
    decode = Decoder(SealEntry, "msgpack")
    entry = msgspec.to_builtins(blank(), builtin_types=(bytes,))
    assert decode(msgspec.msgpack.encode({**entry, field: bytes(fits)}))
    with pytest.raises(Refusal, match="invalid"):
        decode(msgspec.msgpack.encode({**entry, field: bytes(over)}))


def test_envelopes_at_the_limit_and_past_it() -> None:
    decode = Decoder(SealEntry)
    envelope = Envelope(DeviceId(uuid4()), 2, bytes(limits.ENVELOPE_BYTES))
    at_limit = other(blank(), envelopes=[envelope] * limits.ENVELOPES)
    assert decode(msgspec.json.encode(at_limit)) == at_limit
    long = msgspec.structs.replace(envelope, body=bytes(limits.ENVELOPE_BYTES + 1))
    for past in ([envelope] * (limits.ENVELOPES + 1), [long]):
        with pytest.raises(Refusal, match="invalid"):
            decode(msgspec.json.encode(other(blank(), envelopes=past)))


def blank() -> SealEntry:
    """An entry of no conversation."""
    return SealEntry(ClientMessageId(uuid4()), 1, bytes(32), 1, bytes(32), bytes(192), [])


async def test_the_largest_entry_fits(sealing: Sealing, two: Pair) -> None:
    assert (await sealing.seal(two.alice, two.conversation, two.a.seal(sealed=bytes(65_472)))).seq == 1


async def test_sealing_moves_ones_own_read_mark_and_nobody_elses(admin: Admin, sealing: Sealing, two: Pair) -> None:
    await sealing.seal(two.alice, two.conversation, two.a.seal())
    await sealing.seal(two.bob, two.conversation, two.b.seal())
    rows = await admin.fetch("SELECT account_id, read_seq, read_ordinal, message_count FROM members")
    marks = {row["account_id"]: (row["read_seq"], row["read_ordinal"], row["message_count"]) for row in rows}
    assert marks == {two.alice.account: (1, 1, 1), two.bob.account: (2, 2, 1)}
