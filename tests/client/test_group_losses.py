"""Devices of a group that die between two steps, lose what they were given, or ask for what they cannot open."""

from typing import Any

import pytest
from tests.client.conftest import Newcomer
from tests.client.grouped import (
    Admin,
    Group,
    account_of,
    acknowledged,
    chain_of,
    exchanged,
    forget_chains,
    given_by,
    group_of,
    keep_silent,
    shown,
    texts,
)

from aparte.client import Client, ClientError, TimeOver
from aparte.client.api import keys as api
from aparte.client.crypto import key_requests, membership, pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.errors import Unreachable
from aparte.client.store import conversations, own_chains, payloads, sealed
from aparte.client.store import pins as pins_rows
from aparte.wire import limits
from aparte.wire.groups import Distributions
from aparte.wire.ids import ConversationId, DeviceId


async def test_who_dies_between_two_parts_gives_the_rest_later_and_the_same_bytes(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    monkeypatch.setattr(limits, "DISTRIBUTIONS", 1)
    real, sent = api.distribute, []

    async def dies(session: Any, conversation: ConversationId, part: Distributions) -> None:
        await real(session, conversation, part)
        sent.append(part)
        raise Unreachable("unreachable", "the plug was pulled")

    monkeypatch.setattr(api, "distribute", dies)
    with pytest.raises(TimeOver):
        await ann.send(str(group), "in parts", deadline=1)

    async def lives(session: Any, conversation: ConversationId, part: Distributions) -> None:
        sent.append(part)
        await real(session, conversation, part)

    monkeypatch.setattr(api, "distribute", lives)
    await ann.send(str(group), "after all")
    for one in (bob, carol):
        assert await texts(one, group) == ["in parts", "after all"]
    by_device: dict[DeviceId, set[bytes]] = {}
    for part in sent:
        for envelope in part.envelopes:
            by_device.setdefault(envelope.device, set()).add(envelope.body)
    assert set(by_device) == {bob.device_id, carol.device_id}
    assert all(len(bodies) == 1 for bodies in by_device.values()), "a key was used for two messages"
    assert len({part.chain for part in sent}) == 1


async def test_what_the_server_has_forgotten_of_a_chain_is_handed_in_again(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after eleven minutes without network: the parts are gone, the entry that names them comes."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    real, lost = api.distribute, []

    async def loses(session: Any, conversation: ConversationId, part: Distributions) -> None:
        if lost:
            await real(session, conversation, part)
        lost.append(part)

    monkeypatch.setattr(api, "distribute", loses)
    await ann.send(str(group), "found again")
    assert len(lost) == 2
    assert lost[0].envelopes == lost[1].envelopes
    assert await texts(bob, group) == ["found again"]


async def test_a_chain_that_the_server_calls_too_old_is_left(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    await ann.send(str(group), "one")
    chain = chain_of(ann, group)
    await membership.remove(ann._session, group, account_of(carol))
    with ann._session.store.transaction() as tx:
        tx.run("DELETE FROM chain_devices WHERE device_id = ?", carol.device_id.bytes)
    await ann.send(str(group), "two")
    assert chain_of(ann, group) != chain
    assert await texts(bob, group) == ["one", "two"]


async def test_a_device_that_has_lost_a_chain_asks_and_is_given_it_with_the_next_entry(
    newcomer: Newcomer, server_admin: Admin
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await ann.send(str(group), "one")
    assert await texts(bob, group) == ["one"]
    forget_chains(bob, group)
    await ann.send(str(group), "two")
    assert [message.kind for message in await shown(bob, group)] == ["message", "waiting"]
    await shown(ann, group)
    await exchanged(ann, bob)
    await exchanged(bob, ann)
    await acknowledged(server_admin, bob)
    assert given_by(ann, group)[bob.device_id].is_due
    await ann.send(str(group), "three")
    assert await texts(bob, group) == ["one", "two", "three"]
    assert not given_by(ann, group)[bob.device_id].is_due


async def test_what_is_asked_before_ones_own_entry_is_back_is_answered_when_it_is(newcomer: Newcomer) -> None:
    """Who only sends has not fetched the log: the question comes before the entry that it is about."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await ann.send(str(group), "one")
    assert await texts(bob, group) == ["one"]
    forget_chains(bob, group)
    await ann.send(str(group), "two")
    assert [message.kind for message in await shown(bob, group)] == ["message", "waiting"]
    await exchanged(bob, ann)
    assert [message.kind for message in await shown(bob, group)] == ["message", "waiting"]
    await shown(ann, group)
    await exchanged(ann, bob)
    assert await texts(bob, group) == ["one", "two"]


async def test_who_is_out_is_given_no_key_any_more(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    sent = await ann.send(str(group), "to bob and carol")
    await shown(ann, group)
    await membership.remove(ann._session, group, account_of(carol))
    reader = Reader(account_of(ann), ann.device_id, None)
    with ann._session.store.transaction() as tx:
        row = sealed.select_at(tx, group, sent.seq)
        assert row is not None
        for who, given in ((carol, 0), (bob, 1)):
            pin = pins.pinned(tx, account_of(who))
            assert pin is not None
            key_requests.answer(tx, reader, account_of(who), pin.list.devices[0], [row.hash])
            assert len(payloads.select_payloads(tx, 10)) == given
            assert (given == 1) is own_chains.select_given(tx, group)[who.device_id].is_due


async def test_a_deletion_that_opens_after_the_restore_that_followed_it_takes_nothing_away(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is asked for from the newest on: so the restore opens first."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    sent = await ann.send(str(group), "said")
    assert await texts(bob, group) == ["said"]
    forget_chains(bob, group)
    ask = key_requests.ask
    monkeypatch.setattr(key_requests, "ask", keep_silent)
    await ann.delete(str(group), sent.id)
    await ann.restore(str(group), sent.id)
    assert await texts(bob, group) == ["said"]
    await shown(ann, group)
    monkeypatch.setattr(key_requests, "ask", ask)
    await exchanged(bob, ann)
    [message] = await shown(bob, group)
    assert (message.text, message.deleted_at) == ("said", None)
    with bob._session.store.reading() as tx:
        assert sealed.select_unreadable(tx) == {}


async def test_a_device_that_sealed_for_other_readers_stops_the_others_while_it_is_inside(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    await carol.send(str(group), "hello")
    assert await texts(ann, group) == ["hello"]
    with ann._session.store.transaction() as tx:
        tx.run("UPDATE sealed SET state = 'refused', code = 'roster_mismatch' WHERE conversation_id = ?", group.bytes)
    with pytest.raises(ClientError) as refused:
        await ann.send(str(group), "to whom?")
    assert refused.value.code == "roster_mismatch"
    await membership.remove(ann._session, group, account_of(carol))
    await ann.send(str(group), "to bob")
    assert (await texts(bob, group))[-1] == "to bob"


async def test_a_device_that_was_asleep_when_its_list_was_fetched_is_given_the_chain_all_the_same(
    newcomer: Newcomer,
) -> None:
    """The server knows that it is back: what it refuses makes the sender look again."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    with ann._session.store.transaction() as tx:
        pins_rows.update_asked(tx, account_of(bob), 1, bob.device_id.bytes)
    await ann.send(str(group), "are you there?")
    assert bob.device_id in given_by(ann, group)
    assert await texts(bob, group) == ["are you there?"]


async def test_a_name_that_is_read_late_is_the_groups_name_unless_a_later_one_was_read(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await ann.groups.new_group("first", [f"bob-{tag}"])).id
    await shown(bob, group)
    forget_chains(bob, group)
    ask = key_requests.ask
    monkeypatch.setattr(key_requests, "ask", keep_silent)
    for name in ("second", "third"):
        await ann.groups.change(group, name=name)
    await shown(bob, group)
    assert name_of(bob, group) == "first"
    await shown(ann, group)
    monkeypatch.setattr(key_requests, "ask", ask)
    await exchanged(bob, ann)
    assert name_of(bob, group) == "third"


def name_of(who: Client, group: Group) -> str | None:
    with who._session.store.reading() as tx:
        row = conversations.select_conversation(tx, group)
    return row.name if row is not None else None
