"""What is said in groups: whoever can read has the sender's chain, whoever cannot gets nothing, and nothing is lost."""

import asyncio
from typing import Any

import pytest
from tests.server.messages.conftest import Sealing, parts
from tests.server.messages.three import Three, code_of, log_of, pending, person, say
from tests.support.sealing import add_device

from aparte.e2ee.membership import Action
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.wire.sealed import Envelope

Admin = Any


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
