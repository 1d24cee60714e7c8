"""What a device is handed of a group, and when it is gone: its own distributions, until it has acknowledged them."""

from typing import Any, NamedTuple

import pytest
from tests.server.messages.conftest import Sealing
from tests.server.messages.test_sealed_reading import acknowledge, rebuilt
from tests.server.messages.three import log_of, person, say
from tests.support.sealed_groups import Group, found
from tests.support.sealing import Sealer, add_device

from aparte.server.jobs.schedule import until_none
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions, rules
from aparte.server.receipts import actions as receipts
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID
from aparte.wire.messages import Sent

Admin = Any


class Three(NamedTuple):
    """A group of three in which Alice has said something: her chain is everybody's."""

    group: Group
    alice: Caller
    bob: Caller
    carol: Caller
    a: Sealer
    sent: Sent
    given: dict[Any, Any]


@pytest.fixture
async def three(db: Database, admin: Admin, sealing: Sealing) -> Three:
    """Alice, Bob and Carol."""
    people = [await person(admin) for _ in range(3)]
    group = await found(db, admin, *people)
    a = await group.sealer(people[0])
    given = {envelope.device: envelope for envelope in await sealing.give(a)}
    sent = await sealing.seal(people[0], group.id, a.seal())
    return Three(group, *people, a, sent, given)


async def handed(sealing: Sealing, who: Caller, group: Group) -> list[tuple[bool, bool]]:
    """Of each sealed entry whether its key, and whether a chain is handed out to a device."""
    entries = await log_of(sealing, who, group)
    return [(e.sealed.key is not None, e.sealed.envelope is not None) for e in entries if e.sealed]


async def distributions(admin: Admin) -> set[Any]:
    """For whom there are any."""
    return {row[0] for row in await admin.fetch("SELECT device_id FROM distributions")}


async def keys_at(admin: Admin) -> list[int]:
    """Positions whose keys are kept."""
    return [row[0] for row in await admin.fetch("SELECT seq FROM message_key_sets ORDER BY seq")]


async def test_every_head_can_be_rebuilt_and_every_device_gets_its_own_chain(sealing: Sealing, three: Three) -> None:
    hashes = [three.a.prev]
    await say(sealing, three.a)
    hashes.append(three.a.prev)
    for who in (three.bob, three.carol):
        entries = await log_of(sealing, who, three.group)
        assert [rebuilt(entry, three.group.id) for entry in entries] == hashes
        own = [entry.sealed.envelope for entry in entries if entry.sealed]
        assert own == [three.given[who.device], None]


async def test_what_is_pending_is_handed_to_nobody(sealing: Sealing, three: Three) -> None:
    await sealing.give(three.a, chain=2)
    before = await log_of(sealing, three.bob, three.group)
    assert [entry.sealed.envelope for entry in before if entry.sealed] == [three.given[three.bob.device]]


@pytest.mark.parametrize("kind", ["delivered", "read"])
async def test_what_is_acknowledged_is_handed_out_no_more(
    db: Database, admin: Admin, sealing: Sealing, three: Three, kind: Any
) -> None:
    await say(sealing, three.a)
    assert await handed(sealing, three.bob, three.group) == [(True, True), (True, False)]
    await acknowledge(db, three.bob, three.group.id, three.sent, kind)
    assert await handed(sealing, three.bob, three.group) == [(False, False), (True, False)]
    assert await distributions(admin) == {three.carol.device}
    assert await handed(sealing, three.carol, three.group) == [(True, True), (True, False)]


async def test_acknowledging_what_came_before_takes_nothing(
    db: Database, admin: Admin, sealing: Sealing, three: Three
) -> None:
    before = (await actions.entries(sealing.db, three.bob, three.group.id, FIRST_ID, 100)).entries[0]
    assert before.seq < three.sent.seq
    await acknowledge(db, three.bob, three.group.id, before, "delivered")
    assert await handed(sealing, three.bob, three.group) == [(True, True)]
    assert three.bob.device in await distributions(admin)


async def test_keys_go_when_everybody_has_them(db: Database, admin: Admin, sealing: Sealing, three: Three) -> None:
    last = await sealing.seal(three.alice, three.group.id, three.a.seal())
    for who in (three.alice, three.bob):
        await acknowledge(db, who, three.group.id, last, "delivered")
    assert await actions.erase_group_keys(db) == 0
    await acknowledge(db, three.carol, three.group.id, three.sent, "read")
    assert await keys_at(admin) == [three.sent.seq, last.seq]
    assert await actions.erase_group_keys(db) == 1
    assert await keys_at(admin) == [last.seq]
    await acknowledge(db, three.carol, three.group.id, last, "delivered")
    assert await actions.erase_group_keys(db) == 1
    assert await keys_at(admin) == []


@pytest.mark.parametrize("gone", ["left", "asleep", "switched off"])
async def test_nobody_waits_for_who_is_gone(db: Database, admin: Admin, three: Three, gone: str) -> None:
    for who in (three.alice, three.bob):
        await acknowledge(db, who, three.group.id, three.sent, "delivered")
    carol = three.carol.device
    if gone == "left":
        await three.group.remove(three.alice, three.carol)
    elif gone == "asleep":
        await admin.execute(
            "UPDATE devices SET last_active_at = now() - interval '46 days' WHERE device_id = $1", carol
        )
    else:
        await admin.execute("UPDATE devices SET is_active = false WHERE device_id = $1", carol)
    await actions.erase_group_keys(db)
    assert await keys_at(admin) == []
    assert await distributions(admin) == ({carol} if gone == "asleep" else set())


async def test_newcomers_and_devices_waiting_to_be_linked_hold_up_nothing(
    db: Database, admin: Admin, three: Three
) -> None:
    for who in (three.alice, three.bob, three.carol):
        await acknowledge(db, who, three.group.id, three.sent, "delivered")
    await three.group.add(three.alice, await person(admin))
    waiting = await add_device(admin, three.bob)
    await admin.execute("UPDATE devices SET is_listed = false WHERE device_id = $1", waiting.device)
    assert await actions.erase_group_keys(db) == 1


async def test_who_has_left_is_handed_nothing_and_nothing_waits_for_them(
    db: Database, admin: Admin, sealing: Sealing, three: Three
) -> None:
    await three.group.remove(three.alice, three.carol)
    with pytest.raises(Refusal, match="not_member"):
        await log_of(sealing, three.carol, three.group)
    assert three.carol.device in await distributions(admin)
    await actions.erase_group_keys(db)
    assert await distributions(admin) == {three.bob.device}


async def test_a_group_of_many_is_looked_through_in_steps(
    db: Database, admin: Admin, sealing: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aparte.server.messages.actions.housekeeping.GROUPS", 2)
    for _ in range(5):
        alice = await person(admin)
        group = await found(db, admin, alice)
        a = await group.sealer(alice)
        sent = await sealing.seal(alice, group.id, a.seal())
        await acknowledge(db, alice, group.id, sent, "delivered")
    assert await actions.erase_group_keys(db) == 5
    assert await keys_at(admin) == []


async def test_after_sixty_days_everything_goes(db: Database, admin: Admin, sealing: Sealing, three: Three) -> None:
    for table in ("message_key_sets", "distributions"):
        await admin.execute(f"UPDATE {table} SET id = id_at(now() - interval '59 days')")  # noqa: S608 - names from here
    assert await actions.forget_envelopes(db) == 0
    for table in ("message_key_sets", "distributions"):
        await admin.execute(f"UPDATE {table} SET id = id_at(now() - interval '61 days')")  # noqa: S608 - names from here
    assert await actions.forget_envelopes(db) == 3
    assert await handed(sealing, three.bob, three.group) == [(False, False)]


async def test_what_nobody_committed_is_forgotten_and_nothing_else(
    db: Database, admin: Admin, sealing: Sealing, three: Three
) -> None:
    await sealing.give(three.a, three.bob.device, chain=2)
    await sealing.give(three.a, three.carol.device, chain=2)
    age = "UPDATE distributions SET id = id_at(now() - make_interval(mins => $1)) WHERE device_id = $2"
    await admin.execute(age, 14, three.bob.device)
    await admin.execute(age, 16, three.carol.device)
    assert await until_none(db, actions.forget_pending) == 1
    rows = await admin.fetch("SELECT device_id FROM distributions WHERE seq IS NULL")
    assert [row[0] for row in rows] == [three.bob.device]
    assert await distributions(admin) == {three.bob.device, three.carol.device}


async def test_the_old_way_of_erasing_leaves_the_keys_of_groups(admin: Admin, three: Three) -> None:
    """A server of the version before is told of acknowledgements too while both run."""
    await admin.fetchval("SELECT erase_envelopes_v1($1, $2, $3)", [three.group.id], [0], [three.sent.seq])
    assert await keys_at(admin) == [three.sent.seq]


async def test_five_hundred_members_keep_receipts_and_one_more_does_not(
    db: Database, admin: Admin, three: Three
) -> None:
    """Without them nobody knew whose keys can go; a readable room stops at half as many."""
    for members, who, kind, kept in (
        (501, three.bob, "delivered", 0),
        (501, three.bob, "read", 0),
        (500, three.bob, "delivered", 1),
        (500, three.carol, "read", 2),
    ):
        await admin.execute(
            "UPDATE conversations SET member_count = $2 WHERE conversation_id = $1", three.group.id, members
        )
        await acknowledge(db, who, three.group.id, three.sent, kind)
        assert await admin.fetchval("SELECT count(*) FROM receipts") == kept
    listed = await receipts.of_message(db, three.alice, three.group.id, three.sent.id)
    assert {receipt.account for receipt in listed.receipts} == {three.bob.account, three.carol.account}


async def test_a_page_weighs_what_its_keys_weigh(sealing: Sealing, three: Three) -> None:
    for _ in range(9):
        await say(sealing, three.a, sealed=bytes(65_472 - 160 * 26), key=bytes(4_096))
    page = await actions.entries(sealing.db, three.bob, three.group.id, FIRST_ID, 100)
    assert page.more
    assert sum(rules.weight(entry) for entry in page.entries) <= rules.PAGE_BYTES
    assert sum(len(entry.sealed.key or b"") for entry in page.entries if entry.sealed) > 4_096
