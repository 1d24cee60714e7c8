"""What is said in groups: whoever can read has the sender's chain, whoever cannot gets nothing, and nothing is lost."""

import asyncio
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import pytest
from tests.server.messages.conftest import Sealing, parts
from tests.support import rooms
from tests.support.sealed_groups import Group, found
from tests.support.sealing import Pair, Sealer, add_device, give_keys, pair

from aparte.e2ee.membership import Action
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.model import PENDING_CHAINS
from aparte.wire import limits
from aparte.wire.codec import Decoder
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import FIRST_ID, DeviceId, EntryId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Envelope, SealedTarget, SealEntry

Admin = Any


class Three(NamedTuple):
    """A group of Alice, who owns it, Bob and Carol, with a device each."""

    group: Group
    alice: Caller
    bob: Caller
    carol: Caller
    a: Sealer


@pytest.fixture
async def three(db: Database, admin: Admin) -> Three:
    """Alice, Bob and Carol; Alice is about to begin her first chain."""
    people = [await person(admin) for _ in range(3)]
    group = await found(db, admin, *people)
    return Three(group, *people, await group.sealer(people[0]))


async def person(admin: Admin) -> Caller:
    """Somebody with keys and one device."""
    who = await rooms.person(admin)
    await give_keys(admin, who)
    return who


async def code_of(sealing: Sealing, sealer: Sealer, **other: Any) -> str:
    """Why an entry is refused; the sealer's chain of entries does not go on with it."""
    with pytest.raises(Refusal) as refused:
        await sealing.seal(sealer.caller, sealer.conversation, replace(sealer).seal(**other))
    return refused.value.code


async def say(sealing: Sealing, sealer: Sealer, **other: Any) -> int:
    """Store an entry; gives its position."""
    return (await sealing.seal(sealer.caller, sealer.conversation, sealer.seal(**other))).seq


async def log_of(sealing: Sealing, reader: Caller, group: Group) -> list[Entry]:
    """The sealed part of the log, as one device reads it."""
    page = await actions.entries(sealing.db, reader, group.id, FIRST_ID, 100)
    return [entry for entry in page.entries if entry.sealed]


async def pending(admin: Admin) -> set[DeviceId]:
    """Who has something waiting."""
    return {row[0] for row in await admin.fetch("SELECT device_id FROM distributions WHERE seq IS NULL")}


# Coverage -------------------------------------------------------------------------------------------------------------


async def test_the_first_entry_of_a_chain_brings_it_to_everybody(sealing: Sealing, three: Three) -> None:
    given = {envelope.device: envelope for envelope in await sealing.give(three.a)}
    entry = three.a.seal()
    sent = await sealing.seal(three.alice, three.group.id, entry)
    for who in (three.bob, three.carol):
        [read] = await log_of(sealing, who, three.group)
        assert read.sealed is not None
        assert (read.sealed.envelope, read.sealed.key) == (given[who.device], entry.key)
    [mine] = await log_of(sealing, three.alice, three.group)
    assert mine.sealed is not None
    assert mine.sealed.envelope is None
    assert sealing.rung_to_all()[-1] == ("hint", sent.seq)


async def test_a_later_entry_is_pushed_once_for_all_and_asks_nobody(
    admin: Admin, sealing: Sealing, three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sealing.give(three.a)
    await say(sealing, three.a)
    monkeypatch.setattr(sealing.db, "read", None)
    monkeypatch.setattr(sealing.db, "transaction", None)
    entry = three.a.seal()
    sent = await sealing.seal(three.alice, three.group.id, entry)
    assert sealing.rung_to_all()[-1] == ("entry", sent.seq)
    rung = sealing.rung[-1].frame.entry.sealed  # type: ignore[union-attr]
    assert (rung.key, rung.envelope, rung.sealed) == (entry.key, None, entry.sealed)
    assert await admin.fetchval("SELECT count(*) FROM messages WHERE sealed = $1", entry.sealed) == 1
    assert await admin.fetchval("SELECT group_key FROM message_key_sets WHERE seq = $1", sent.seq) == entry.key


async def test_without_its_chain_for_everybody_nothing_is_stored(admin: Admin, sealing: Sealing, three: Three) -> None:
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a, three.bob.device)
    assert await code_of(sealing, three.a) == "missing_devices"
    assert await log_of(sealing, three.bob, three.group) == []
    assert await pending(admin) == {three.bob.device}
    await sealing.give(three.a, three.carol.device)
    await say(sealing, three.a)
    assert await pending(admin) == set()


async def test_an_empty_distribution_is_one(sealing: Sealing, three: Three) -> None:
    """A device whose bundle is unusable must not silence everybody else."""
    nothing = Envelope(three.bob.device, 0)
    await sealing.give(three.a, envelopes=[nothing, *parts([three.carol.device])])
    await say(sealing, three.a)
    [read] = await log_of(sealing, three.bob, three.group)
    assert read.sealed is not None
    assert read.sealed.envelope == nothing


async def test_who_comes_is_given_the_chain_and_nobody_again(admin: Admin, sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    await say(sealing, three.a)
    dave, tablet = await person(admin), await add_device(admin, three.bob)
    await three.group.add(three.alice, dave)
    await three.group.link(three.bob, tablet.device)
    assert await code_of(sealing, three.a) == "stale_epoch"
    await three.group.renew(three.a)
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a, dave.device)
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a, tablet.device)
    position = await say(sealing, three.a)
    assert sealing.rung_to_all()[-1] == ("hint", position)
    rows = await admin.fetch("SELECT device_id FROM distributions WHERE seq = $1", position)
    assert {row[0] for row in rows} == {dave.device, tablet.device}
    assert await say(sealing, three.a) == position + 1
    assert sealing.rung_to_all()[-1] == ("entry", position + 1)


@pytest.mark.parametrize("what", ["member", "device", "leaver"])
async def test_a_chain_ends_when_somebody_goes(admin: Admin, sealing: Sealing, three: Three, what: str) -> None:
    tablet = await add_device(admin, three.bob)
    await three.group.link(three.bob, tablet.device)
    await three.group.renew(three.a)
    await sealing.give(three.a)
    await say(sealing, three.a)
    if what == "member":
        await three.group.remove(three.alice, three.carol)
    elif what == "device":
        await three.group.unlink(three.bob, tablet.device)
    else:
        await three.group.say(three.carol, Action.LEAVE, subject=three.carol.account.bytes)
    await three.group.renew(three.a)
    assert await code_of(sealing, three.a) == "chain_too_old"
    await sealing.give(three.a)  # whoever gives it again to everybody left does not make it younger
    assert await code_of(sealing, three.a) == "chain_too_old"
    three.a.chain = 2
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a)
    await say(sealing, three.a)


async def test_who_goes_while_a_chain_is_on_its_way_never_gets_it(admin: Admin, sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    await three.group.remove(three.alice, three.carol)
    await three.group.renew(three.a)
    position = await say(sealing, three.a)
    rows = await admin.fetch("SELECT device_id FROM distributions WHERE seq = $1", position)
    assert [row[0] for row in rows] == [three.bob.device]
    await three.group.add(three.alice, three.carol)
    entries = await log_of(sealing, three.carol, three.group)
    assert [entry.sealed.envelope for entry in entries if entry.sealed] == [None]


async def test_who_comes_while_a_chain_is_on_its_way_is_waited_for(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    await sealing.give(three.a)
    dave = await person(admin)
    await three.group.add(three.alice, dave)
    await three.group.renew(three.a)
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a, dave.device)
    await say(sealing, three.a)
    assert await pending(admin) == set()


async def test_a_sleeping_device_is_not_waited_for_and_gets_the_chain_when_it_wakes(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    old = "UPDATE devices SET last_active_at = now() - interval '46 days' WHERE device_id = $1"
    await admin.execute(old, three.carol.device)
    await sealing.give(three.a)
    assert await pending(admin) == {three.bob.device}
    await say(sealing, three.a)
    await admin.execute("UPDATE devices SET last_active_at = now() WHERE device_id = $1", three.carol.device)
    sealing.coverage = Coverage(sealing.db)
    given = await sealing.give(three.a, three.carol.device)
    position = await say(sealing, three.a)
    assert sealing.rung_to_all()[-1] == ("hint", position)
    read = (await log_of(sealing, three.carol, three.group))[-1]
    assert read.sealed is not None
    assert [read.sealed.envelope] == given


async def test_what_is_pending_for_too_long_does_not_count(admin: Admin, sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    age = "UPDATE distributions SET id = id_at(now() - make_interval(mins => $1)) WHERE device_id = $2"
    await admin.execute(age, 11, three.bob.device)
    await admin.execute(age, 9, three.carol.device)
    assert await code_of(sealing, three.a) == "missing_devices"
    await sealing.give(three.a, three.bob.device)
    await say(sealing, three.a)


async def test_anothers_chain_of_the_same_number_counts_for_nobody_else(sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    b = await three.group.sealer(three.bob)
    assert await code_of(sealing, b) == "missing_devices"


async def test_what_another_process_has_stored_is_known(admin: Admin, sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    await say(sealing, three.a)
    sealing.coverage = Coverage(sealing.db)
    await say(sealing, three.a)
    assert await admin.fetchval("SELECT complete FROM sender_chains") == three.a.epoch


async def test_a_chain_that_was_given_up_must_be_given_to_everybody_again(sealing: Sealing, three: Three) -> None:
    for chain in (1, 2):
        three.a.chain = chain
        await sealing.give(three.a)
        await say(sealing, three.a)
    three.a.chain = 1
    sealing.coverage = Coverage(sealing.db)
    assert await code_of(sealing, three.a) == "missing_devices"


# Together -------------------------------------------------------------------------------------------------------------


async def test_entries_at_once_of_one_new_chain_commit_it_once(admin: Admin, sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    entries = [three.a.seal() for _ in range(20)]
    sent = await asyncio.gather(*(sealing.seal(three.alice, three.group.id, entry) for entry in entries))
    first = sent[0].seq
    assert [s.seq for s in sent] == list(range(first, first + 20))
    rows = await admin.fetch("SELECT device_id, seq FROM distributions")
    assert {(row[0], row[1]) for row in rows} == {(three.bob.device, first), (three.carol.device, first)}
    assert sealing.rung_to_all()[-20:] == [("hint", first), *(("entry", s.seq) for s in sent[1:])]


async def test_entries_whose_chain_an_earlier_batch_has_committed_are_stored(sealing: Sealing, three: Three) -> None:
    """They were judged while the distributions were pending; under the lock they no longer are."""
    await sealing.give(three.a)
    judged = Coverage(sealing.db)
    first, second = three.a.seal(), three.a.seal()
    late = await actions.enqueue_sealed(Held(), judged, three.alice, three.group.id, second)  # type: ignore[arg-type]
    await sealing.seal(three.alice, three.group.id, first)
    assert (await sealing.writer.put(late.held)).is_new  # type: ignore[attr-defined]


class Held:
    """A writer that keeps what it is given for later."""

    def put(self, message: Any) -> Any:
        """Keep it."""
        message.done.held = message
        return message.done


async def test_two_chains_of_a_device_in_one_batch(admin: Admin, sealing: Sealing, three: Three) -> None:
    entries = []
    for chain in (1, 2):
        three.a.chain = chain
        await sealing.give(three.a)
        entries += [three.a.seal(), three.a.seal()]
    await asyncio.gather(*(sealing.seal(three.alice, three.group.id, entry) for entry in entries))
    assert await pending(admin) == set()
    assert await admin.fetchval("SELECT chain_id FROM sender_chains") == 2


async def test_after_a_crash_between_upload_and_entry_the_upload_is_repeated(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    await sealing.give(three.a)
    again = {envelope.device: envelope for envelope in await sealing.give(three.a)}
    entry = three.a.seal()
    await sealing.seal(three.alice, three.group.id, entry)
    [read] = await log_of(sealing, three.bob, three.group)
    assert read.sealed is not None
    assert read.sealed.envelope == again[three.bob.device]
    await sealing.give(three.a)  # the answer was lost: upload and entry once more
    sent = await sealing.seal(three.alice, three.group.id, entry)
    [once] = await log_of(sealing, three.bob, three.group)
    assert (once, once.seq) == (read, sent.seq)
    await say(sealing, three.a)
    assert await pending(admin) == set()


async def test_a_device_that_could_not_read_a_chain_is_given_it_again(sealing: Sealing, three: Three) -> None:
    """It asks before its acknowledgement has arrived, perhaps; what it was given first is not taken from it."""
    first = {envelope.device: envelope for envelope in await sealing.give(three.a)}
    await say(sealing, three.a)
    [again] = await sealing.give(three.a, three.bob.device)
    await say(sealing, three.a)
    await say(sealing, three.a)
    own = [entry.sealed.envelope for entry in await log_of(sealing, three.bob, three.group) if entry.sealed]
    assert own == [first[three.bob.device], again, None]
    assert [kind for kind, _ in sealing.rung_to_all()[-3:]] == ["hint", "hint", "entry"]


async def test_a_repeat_is_answered_whatever_has_changed_since(sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a)
    entry = three.a.seal()
    sent = await sealing.seal(three.alice, three.group.id, entry)
    await three.group.remove(three.alice, three.carol)
    assert await sealing.seal(three.alice, three.group.id, entry) == sent


# Uploads --------------------------------------------------------------------------------------------------------------


async def upload_code(sealing: Sealing, sealer: Sealer, *devices: DeviceId, **other: Any) -> str:
    """Why an upload is refused."""
    with pytest.raises(Refusal) as refused:
        await sealing.give(sealer, *devices, **other)
    return refused.value.code


async def test_only_listed_devices_of_others_are_given_a_chain(admin: Admin, sealing: Sealing, three: Three) -> None:
    stranger = await person(admin)
    for device in (stranger.device, three.alice.device, DeviceId(uuid4())):
        assert await upload_code(sealing, three.a, three.bob.device, device) == "missing_devices"
    assert await upload_code(sealing, three.a, three.bob.device, three.bob.device) == "invalid"
    for wrong in (Envelope(three.bob.device, 0, b"x"), Envelope(three.bob.device, 2)):
        assert await upload_code(sealing, three.a, envelopes=[wrong]) == "invalid"
    assert await upload_code(sealing, three.a, epoch=three.a.epoch + 1) == "stale_epoch"
    await three.group.remove(three.alice, three.carol)
    assert await upload_code(sealing, three.a) == "stale_epoch"
    assert await pending(admin) == set()


async def test_a_guest_uploads_and_says_nothing(sealing: Sealing, three: Three) -> None:
    guest = replace(three.a, caller=three.alice._replace(role="guest"))
    assert await upload_code(sealing, guest) == "forbidden"
    assert await code_of(sealing, guest) == "forbidden"


async def test_who_is_no_member_uploads_nothing_and_learns_nothing(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    stranger = await person(admin)
    for who in (stranger, three.carol):
        sealer = await three.group.sealer(who)
        if who is three.carol:
            await three.group.remove(three.alice, three.carol)
            await three.group.renew(sealer)
        assert await upload_code(sealing, sealer, three.bob.device) == "not_member"
        nowhere = replace(sealer, conversation=uuid4())
        assert await upload_code(sealing, nowhere, three.bob.device) == "not_member"


async def test_a_stranger_who_knows_epoch_and_roster_learns_nothing(
    db: Database, admin: Admin, sealing: Sealing, three: Three
) -> None:
    """The roster of a direct conversation follows from lists that everybody can read."""
    two = await pair(db, admin, await rooms.person(admin), await rooms.person(admin))
    mallory = await person(admin)
    for sealer in (three.a, two.a):
        known = replace(sealer, caller=mallory)
        for shape in ({}, {"chain": 1, "key": b"k", "envelopes": []}, {"kind": 6}, {"chain": None, "key": None}):
            assert await code_of(sealing, known, **shape) == "not_member"


async def test_chains_belong_into_groups(admin: Admin, db: Database, sealing: Sealing) -> None:
    alice, bob = await rooms.person(admin), await rooms.person(admin)
    two = await pair(db, admin, alice, bob)
    room = await rooms.room(admin, alice)
    two.a.chain = 1
    assert await upload_code(sealing, two.a) == "mode_mismatch"
    assert await upload_code(sealing, replace(two.a, conversation=room)) == "mode_mismatch"


async def test_so_many_chains_are_on_their_way_at_once_and_of_more_the_oldest_goes(
    admin: Admin, sealing: Sealing, three: Three
) -> None:
    """Somebody whose chain is overtaken by one removal after the other can speak all the same."""

    async def kept(who: Caller) -> list[int]:
        """The chains of a device that are pending."""
        rows = await admin.fetch(
            "SELECT DISTINCT chain_id FROM distributions WHERE sender_device_id = $1 AND seq IS NULL ORDER BY 1",
            who.device,
        )
        return [row[0] for row in rows]

    b = await three.group.sealer(three.bob, chain=7)
    await sealing.give(b)
    for chain in range(PENDING_CHAINS):
        await sealing.give(replace(three.a, chain=chain))
    assert await kept(three.alice) == list(range(PENDING_CHAINS))
    await sealing.give(replace(three.a, chain=0))
    await sealing.give(replace(three.a, chain=PENDING_CHAINS))
    assert await kept(three.alice) == [0, *range(2, PENDING_CHAINS + 1)]
    assert await kept(three.bob) == [7]
    assert await code_of(sealing, replace(three.a, chain=1)) == "missing_devices"
    three.a.chain = PENDING_CHAINS
    await say(sealing, three.a)


def test_sizes_of_uploads_at_the_limit_and_past_it() -> None:
    decode = Decoder(Distributions, "msgpack")
    envelope = {"device": uuid4().bytes, "type": 2, "body": bytes(limits.ENVELOPE_BYTES)}
    right = {"chain": 2**31 - 1, "epoch": 1, "envelopes": [envelope] * limits.DISTRIBUTIONS}
    assert decode(msgspec.msgpack.encode(right))
    assert len(msgspec.msgpack.encode(right)) < limits.BODY_BYTES
    long = {**envelope, "body": bytes(limits.ENVELOPE_BYTES + 1)}
    for wrong in (
        {"chain": 2**31},
        {"chain": -1},
        {"epoch": 0},
        {"envelopes": []},
        {"envelopes": [envelope] * (limits.DISTRIBUTIONS + 1)},
        {"envelopes": [long]},
    ):
        with pytest.raises(Refusal, match="invalid"):
            decode(msgspec.msgpack.encode({**right, **wrong}))


# Shapes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain": None},
        {"key": None},
        {"chain": None, "key": None},
        {"chain": None, "key": None, "envelopes": "bob"},
        {"envelopes": "bob"},
        {"kind": 5},
        {"kind": 6, "target": SealedTarget(EntryId(uuid4()), bytes(32))},
        {"kind": 7, "target": SealedTarget(EntryId(uuid4()), bytes(32))},
    ],
)
async def test_a_group_takes_a_key_for_all_and_no_envelopes(
    sealing: Sealing, three: Three, wrong: dict[str, Any]
) -> None:
    await sealing.give(three.a)
    bob = parts([three.bob.device])
    assert await code_of(sealing, three.a, **{k: bob if v == "bob" else v for k, v in wrong.items()}) == "invalid"


async def test_a_direct_conversation_takes_envelopes_and_no_key(db: Database, admin: Admin, sealing: Sealing) -> None:
    two: Pair = await pair(db, admin, await rooms.person(admin), await rooms.person(admin))
    for wrong in ({"chain": 1, "key": b"k", "envelopes": []}, {"kind": 6}):
        assert await code_of(sealing, two.a, **wrong) == "invalid"
    await say(sealing, two.a)


def test_sizes_of_keys_at_the_limit_and_past_it() -> None:
    decode = Decoder(SealEntry, "msgpack")
    right = {
        "client_message_id": uuid4().bytes,
        "epoch": 1,
        "roster": bytes(32),
        "counter": 1,
        "prev": bytes(32),
        "sealed": bytes(192),
        "envelopes": [],
        "chain": 2**31 - 1,
        "key": bytes(limits.GROUP_KEY_BYTES),
    }
    assert decode(msgspec.msgpack.encode(right)).key
    for wrong in ({"chain": 2**31}, {"key": b""}, {"key": bytes(limits.GROUP_KEY_BYTES + 1)}, {"kind": 8}):
        with pytest.raises(Refusal, match="invalid"):
            decode(msgspec.msgpack.encode({**right, **wrong}))
