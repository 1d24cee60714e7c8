"""What is sealed ahead: stored when it is due in the epoch it was sealed for, outside of its device's chain."""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.server.scheduling.conftest import SOON, Process, let_pass, status_of
from tests.support import groups, rooms
from tests.support.sealing import Pair, Sealer, add_device, pair, roster

from aparte.server.kit.clock import now
from aparte.server.messages import actions as messages
from aparte.server.messages import sender_keys
from aparte.server.scheduling import actions
from aparte.server.scheduling.rules import entry_of
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.codec import Decoder, to_json
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import ClientMessageId
from aparte.wire.messages import ScheduledChange, ScheduledSeal
from aparte.wire.sealed import Envelope, SealEntry

Admin = Any


@pytest.fixture
async def two(process: Process, admin: Admin) -> Pair:
    """Alice and bob in private."""
    return await pair(process.db, admin, await rooms.person(admin), await rooms.person(admin))


def sealed(sealer: Sealer, **other: Any) -> ScheduledSeal:
    """What a device seals ahead: its chain does not move."""
    seal = ScheduledSeal(sealer.epoch, sealer.roster, os.urandom(192), chain=sealer.chain)
    if sealer.chain is not None:
        seal = msgspec.structs.replace(seal, key=os.urandom(40))
    return msgspec.structs.replace(seal, **other)


async def new_epoch(admin: Admin, conversation: Any) -> None:
    """Somebody has another list."""
    await admin.execute(
        "UPDATE heads SET epoch = epoch + 1, roster = sha256(roster) WHERE conversation_id = $1", conversation
    )


async def test_it_is_stored_beside_the_chain_of_its_device(process: Process, admin: Admin, two: Pair) -> None:
    before = two.a.seal()
    await process.delivery.seal(two.alice, two.conversation, before)
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    await process.delivery.seal(two.alice, two.conversation, two.a.seal())
    await let_pass(admin, one.id)
    await process.round()
    await process.delivery.seal(two.alice, two.conversation, two.a.seal())
    rows = await admin.fetch("SELECT counter, prev, client_message_id FROM messages ORDER BY id")
    assert [row["counter"] for row in rows] == [1, 2, 0, 3]
    assert (rows[2]["prev"], rows[2]["client_message_id"]) == (bytes(32), one.client_message_id)
    assert await status_of(admin, one.id) == ("sent", None)
    kept = await admin.fetchrow("SELECT sealed, epoch, roster, group_key FROM scheduled_messages")
    assert set(kept.values()) == {None}


async def test_nobody_stores_counter_zero_by_another_door(two: Pair) -> None:
    """The wire has no such entry: what has no place in a chain comes when it is due, or not at all."""
    entry = msgspec.structs.replace(two.a.seal(), counter=0)
    with pytest.raises(Refusal) as refusal:
        Decoder(SealEntry)(to_json(entry))
    assert refusal.value.code == "invalid"


async def test_another_epoch_makes_it_stale_and_sealing_again_lets_it_go(
    process: Process, admin: Admin, two: Pair
) -> None:
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    await new_epoch(admin, two.conversation)
    await let_pass(admin, one.id, 60)
    await process.round()
    assert await status_of(admin, one.id) == ("stale", None)
    assert await process.round() == 0
    epoch, present = await roster(admin, two.conversation)
    wanted = ScheduledChange(sealed=sealed(two.a))
    with pytest.raises(Refusal) as refusal:
        await actions.change(process.db, process.delivery, two.alice, (two.conversation, one.id), wanted)
    assert refusal.value.code == "stale_epoch"
    assert refusal.value.data == {"epoch": epoch, "roster": present.hex()}


async def test_it_is_noticed_before_it_is_due(process: Process, admin: Admin, two: Pair) -> None:
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    other = await process.add(two.bob, two.conversation, sealed(two.b))
    assert await actions.mark_stale(process.db) == 0
    await new_epoch(admin, two.conversation)
    assert await actions.mark_stale(process.db) == 2
    assert await actions.mark_stale(process.db) == 0
    for caller, marked in ((two.alice, one), (two.bob, other)):
        page = await state.page(process.db, caller, 0)
        [item] = [item for item in page.items if item.key == f"scheduled:{marked.id}"]
        assert item.value["status"] == "stale"
        assert "sealed" not in item.value


async def test_what_is_due_is_left_to_the_attempt(process: Process, admin: Admin, two: Pair) -> None:
    """It may have been sent in its epoch, by a process that died before it wrote that down."""
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    entry = (await actions.mine(process.db, two.alice, two.conversation)).scheduled[0].sealed
    assert entry is not None
    await process.delivery.seal(two.alice, two.conversation, entry_of(entry, one.client_message_id))
    await new_epoch(admin, two.conversation)
    await let_pass(admin, one.id)
    assert await actions.mark_stale(process.db) == 0
    await process.round()
    assert await status_of(admin, one.id) == ("sent", None)
    assert await admin.fetchval("SELECT count(*) FROM messages") == 1


async def test_another_device_of_the_account_seals_it_again(process: Process, admin: Admin, two: Pair) -> None:
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    tablet = await add_device(admin, two.alice)
    again = sealed(two.a)
    changed = await actions.change(
        process.db, process.delivery, tablet, (two.conversation, one.id), ScheduledChange(sealed=again)
    )
    assert (changed.device, changed.sealed, changed.due) == (tablet.device, again, one.due)
    await let_pass(admin, one.id)
    await process.round()
    assert await admin.fetchval("SELECT device_id FROM messages") == tablet.device


@pytest.mark.parametrize(
    "what",
    [
        {"sealed": bytes(193)},
        {"chain": 7},
        {"chain": 7, "key": b"x"},
        {"epoch": 9},
        {"roster": b"\1" * 32},
    ],
    ids=str,
)
async def test_what_could_not_be_sent_now_is_not_kept(
    process: Process, admin: Admin, two: Pair, what: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refusal:
        await process.add(two.alice, two.conversation, sealed(two.a, **what))
    assert refusal.value.code == ("stale_epoch" if {"epoch", "roster"} & set(what) else "invalid")
    assert await admin.fetchval("SELECT count(*) FROM scheduled_messages") == 0


async def test_words_are_not_kept_for_private_conversations_nor_seals_for_rooms(
    process: Process, admin: Admin, two: Pair
) -> None:
    room = await rooms.room(admin, two.alice)
    for where, what in ((two.conversation, "readable"), (room, sealed(two.a))):
        with pytest.raises(Refusal) as refusal:
            await process.add(two.alice, where, what)
        assert refusal.value.code == "mode_mismatch"


async def test_sealed_ones_are_three_weeks_ahead_at_most(process: Process, two: Pair) -> None:
    last = now() + timedelta(days=limits.SCHEDULE_SEALED_DAYS)
    await process.add(two.alice, two.conversation, sealed(two.a), due=last - timedelta(seconds=5))
    with pytest.raises(Refusal) as refusal:
        await process.add(two.alice, two.conversation, sealed(two.a), due=last + timedelta(seconds=5))
    assert refusal.value.code == "invalid"


async def test_who_was_blocked_meanwhile_is_refused(process: Process, admin: Admin, two: Pair) -> None:
    """B-072: blocks are judged when it is due."""
    one = await process.add(two.alice, two.conversation, sealed(two.a))
    await admin.execute(
        "INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", two.bob.account, two.alice.account
    )
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("refused", "blocked")
    assert await admin.fetchval("SELECT count(*) FROM messages") == 0


async def test_time_to_live_counts_from_being_sent(process: Process, admin: Admin, two: Pair) -> None:
    one = await process.add(two.alice, two.conversation, sealed(two.a, ttl=60))
    await let_pass(admin, one.id, 3_600)
    await process.round()
    left = await admin.fetchval("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM messages")
    assert 0 < left <= 60


# Groups ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def three(process: Process, admin: Admin) -> Sealer:
    """Alice in a group with bob and carol, with a chain of hers that nobody has."""
    alice, bob, carol = [await groups.person(admin) for _ in range(3)]
    made = await groups.group(process.db, alice, bob, carol)
    epoch, present = await roster(admin, made.id)
    return Sealer(alice, made.id, epoch, present, [bob.device, carol.device], chain=7)


async def give(process: Process, sealer: Sealer) -> None:
    """Upload the sealer's chain for everybody."""
    envelopes = [Envelope(device, 2, os.urandom(30)) for device in sealer.others]
    given = Distributions(sealer.chain or 0, sealer.epoch, envelopes)
    await messages.distribute(process.db, process.coverage, sealer.caller, sealer.conversation, given)


async def test_in_a_group_everybody_must_be_given_the_chain_first(process: Process, three: Sealer) -> None:
    with pytest.raises(Refusal) as refusal:
        await process.add(three.caller, three.conversation, sealed(three))
    assert refusal.value.code == "missing_devices"


async def test_a_chain_that_is_on_its_way_waits_with_the_message(process: Process, admin: Admin, three: Sealer) -> None:
    await give(process, three)
    one = await process.add(three.caller, three.conversation, sealed(three))
    await admin.execute("UPDATE distributions SET id = id_at(clock_timestamp() - interval '1 hour')")
    async with process.db.transaction() as tx:
        assert await sender_keys.delete_pending(tx, 100) == 0
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("sent", None)
    seq = await admin.fetchval("SELECT seq FROM messages WHERE counter = 0")
    given = await admin.fetch("SELECT device_id, seq FROM distributions")
    assert {(row["device_id"], row["seq"]) for row in given} == {(device, seq) for device in three.others}
    assert await admin.fetchval("SELECT group_key FROM message_key_sets WHERE seq = $1", seq) is not None


async def test_once_it_is_long_over_the_chain_is_forgotten(process: Process, admin: Admin, three: Sealer) -> None:
    await give(process, three)
    await process.add(three.caller, three.conversation, sealed(three))
    kept = await admin.fetchval("SELECT min(kept_until) FROM distributions")
    assert now() + SOON + timedelta(hours=23) < kept < now() + SOON + timedelta(hours=25)
    await admin.execute(
        """
        UPDATE distributions SET id = id_at(clock_timestamp() - interval '1 hour'),
               kept_until = clock_timestamp() - interval '1 second'
        """
    )
    async with process.db.transaction() as tx:
        assert await sender_keys.delete_pending(tx, 100) == len(three.others)


async def test_a_chain_that_was_followed_by_another_is_stale(process: Process, admin: Admin, three: Sealer) -> None:
    await give(process, three)
    await process.delivery.seal(three.caller, three.conversation, three.seal())
    one = await process.add(three.caller, three.conversation, sealed(three))
    three.chain = 8
    await give(process, three)
    await process.delivery.seal(three.caller, three.conversation, three.seal())
    assert await actions.mark_stale(process.db) == 1
    assert await status_of(admin, one.id) == ("stale", None)


async def test_one_whose_chain_nobody_has_any_more_is_stale_when_it_is_due(
    process: Process, admin: Admin, three: Sealer
) -> None:
    await give(process, three)
    one = await process.add(three.caller, three.conversation, sealed(three))
    await admin.execute("DELETE FROM distributions")
    await let_pass(admin, one.id)
    await process.round()
    assert await status_of(admin, one.id) == ("stale", None)
    assert await admin.fetchval("SELECT count(*) FROM messages") == 0


async def test_a_role_that_may_not_write_schedules_nothing(process: Process, admin: Admin) -> None:
    alice, bob = [await groups.person(admin) for _ in range(2)]
    made = await groups.group(process.db, alice, bob, policy=groups.MODERATORS_WRITE)
    epoch, present = await roster(admin, made.id)
    sealer = Sealer(bob, made.id, epoch, present, [alice.device], chain=3)
    with pytest.raises(Refusal) as refusal:
        await process.add(bob, made.id, sealed(sealer))
    assert refusal.value.code == "forbidden"


async def test_the_same_client_id_is_one_message_however_it_is_asked(process: Process, two: Pair) -> None:
    key, due, seal = ClientMessageId(uuid4()), now() + SOON, sealed(two.a)
    first = await process.add(two.alice, two.conversation, seal, key=key, due=due)
    assert (await process.add(two.alice, two.conversation, seal, key=key, due=due)).id == first.id
    with pytest.raises(Refusal) as refusal:
        await process.add(two.alice, two.conversation, sealed(two.a), key=key, due=due)
    assert refusal.value.code == "client_id_reused"
