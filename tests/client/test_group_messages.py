"""What is said in a group: sealed once, read by everybody inside and by nobody else, whatever happens in between."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from tests.client.conftest import PASSWORD, Newcomer
from tests.client.linked import by, linking
from tests.support.valkey import until

from aparte.client import Client, ClientError, Place, TimeOver
from aparte.client.api import keys as api
from aparte.client.crypto import key_requests, membership, pins
from aparte.client.crypto.arrivals import Reader
from aparte.client.errors import Unreachable
from aparte.client.model import Message
from aparte.client.store import conversations, own_chains, payloads, sealed
from aparte.client.store import pins as pins_rows
from aparte.client.store.own_chains import GivenRow
from aparte.e2ee.membership import MODERATOR, POLICY_MODERATORS_WRITE
from aparte.wire import limits
from aparte.wire.groups import Distributions
from aparte.wire.ids import AccountId, ConversationId, DeviceId

Group = ConversationId
Admin = asyncpg.Connection  # of the maintenance role


def account_of(who: Client) -> AccountId:
    return who._session.profile.account


async def group_of(owner: Client, *others: Client) -> Group:
    """A group without a name."""
    return (await membership.create(owner._session, [account_of(one) for one in others], 0)).id


async def shown(who: Client, group: Group) -> list[Message]:
    return await who.history(str(group))


async def texts(who: Client, group: Group) -> list[str | None]:
    return [message.text for message in await shown(who, group)]


def chain_of(who: Client, group: Group) -> int | None:
    with who._session.store.reading() as tx:
        row = own_chains.select_own_chain(tx, group)
    return row.chain_id if row is not None else None


def given_by(who: Client, group: Group) -> dict[DeviceId, GivenRow]:
    with who._session.store.reading() as tx:
        return own_chains.select_given(tx, group)


def forget_chains(who: Client, group: Group) -> None:
    """Lose what others have given, as a store that was set right by hand would have."""
    with who._session.store.transaction() as tx:
        tx.run("DELETE FROM sender_chains WHERE conversation_id = ?", group.bytes)


def notices_of(who: Client) -> set[str]:
    with who._session.store.reading() as tx:
        return {code for (code,) in tx.rows("SELECT code FROM notices")}


async def test_what_one_says_all_read_and_the_second_time_nobody_is_given_anything(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    told: list[tuple[str, int, int]] = []
    ann._session.progress = lambda what, done, total: told.append((what, done, total))
    await ann.send(str(group), "hello all")
    assert ("sessions", 2, 2) in told
    assert ("distribution", 2, 2) in told
    told.clear()
    await ann.send(str(group), "and again")
    assert told == []
    await bob.send(str(group), "hello ann")
    for one in (ann, bob, carol):
        assert await texts(one, group) == ["hello all", "and again", "hello ann"]


async def test_a_newcomer_reads_from_then_on_in_the_same_chain(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob)
    await ann.send(str(group), "before carol")
    chain = chain_of(ann, group)
    await membership.add(ann._session, group, [account_of(carol)])
    await ann.send(str(group), "with carol")
    assert chain_of(ann, group) == chain
    assert await texts(carol, group) == ["with carol"]
    assert await texts(bob, group) == ["before carol", "with carol"]
    await carol.send(str(group), "thanks")
    assert await texts(bob, group) == ["before carol", "with carol", "thanks"]


async def test_after_a_removal_everybody_begins_a_new_chain(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    for one in (ann, bob, carol):
        await one.send(str(group), "while we were three")
    chains = {chain_of(ann, group), chain_of(bob, group)}
    await membership.remove(ann._session, group, account_of(carol))
    await ann.send(str(group), "without carol")
    await bob.send(str(group), "indeed")
    assert not chains & {chain_of(ann, group), chain_of(bob, group)}
    assert carol.device_id not in {*given_by(ann, group), *given_by(bob, group)}
    assert (await texts(bob, group))[-2:] == ["without carol", "indeed"]
    with pytest.raises(ClientError) as refused:
        await carol.send(str(group), "hello?")
    assert refused.value.code == "not_member"


async def test_a_device_that_is_linked_is_given_the_chains_of_the_others(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await ann.send(str(group), "before the phone")
    chain = chain_of(ann, group)
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        await ann.send(str(group), "to the phone too")
        assert chain_of(ann, group) == chain
        assert (await texts(phone, group))[-1] == "to the phone too"
        await bob.send(str(group), "by bob")
        assert (await texts(phone, group))[-2:] == ["to the phone too", "by bob"]
        await phone.send(str(group), "by phone")
        assert (await texts(ann, group))[-1] == "by phone"
        await bob.keys.revoke(phone.device_id, PASSWORD)
        await ann.send(str(group), "bob has lost the phone")
        assert chain_of(ann, group) != chain
        assert set(given_by(ann, group)) == {ann.device_id, bob.device_id}
        assert (await texts(bob, group))[-1] == "bob has lost the phone"


# Dying and losing -----------------------------------------------------------------------------------------------------


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


async def acknowledged(server_admin: Admin, who: Client) -> None:
    """Wait until the server knows that a device has read what was given to it."""

    async def is_gone() -> bool:
        left = await server_admin.fetchval("SELECT count(*) FROM distributions WHERE device_id = $1", who.device_id)
        return bool(left == 0)

    await until(is_gone)


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


async def keep_silent(*_: Any) -> None:
    """Ask nobody."""


async def exchanged(asking: Client, asked: Client) -> None:
    """Let a request and its answer go their way."""
    for one in (asking, asked, asking):
        await mailbox_of(one).exchange()


def mailbox_of(who: Client) -> Any:
    return who._gateway._mailbox


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


# Bundles --------------------------------------------------------------------------------------------------------------


async def test_a_device_whose_bundle_is_of_no_use_blocks_nobody_and_catches_up(
    newcomer: Newcomer, server_admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    real = api.bundles

    async def without_carol(session: Any, account: AccountId, devices: Any) -> Any:
        return [one for one in await real(session, account, devices) if one.device != carol.device_id]

    monkeypatch.setattr(api, "bundles", without_carol)
    await ann.send(str(group), "one")
    assert "no_keys" in notices_of(ann)
    assert await texts(bob, group) == ["one"]
    assert [message.kind for message in await shown(carol, group)] == ["waiting"]
    monkeypatch.setattr(api, "bundles", real)
    await shown(ann, group)
    await exchanged(ann, carol)
    await exchanged(carol, ann)
    await acknowledged(server_admin, carol)
    await ann.send(str(group), "two")
    assert await texts(carol, group) == ["one", "two"]


# Rights ---------------------------------------------------------------------------------------------------------------


async def test_a_moderator_deletes_what_others_said_and_restores_it_with_its_edits(newcomer: Newcomer) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    await membership.role(ann._session, group, account_of(bob), MODERATOR)
    sent = await carol.send(str(group), "rude")
    await carol.edit(str(group), sent.id, "ruder")
    for one in (ann, bob):
        assert await texts(one, group) == ["ruder"]
    await bob.delete(str(group), sent.id)
    for one in (ann, bob, carol):
        [message] = await shown(one, group)
        assert (message.text, message.code) == (None, None)
        assert message.deleted_at is not None
    await bob.restore(str(group), sent.id)
    for one in (ann, bob, carol):
        assert await texts(one, group) == ["ruder"]


async def test_where_only_moderators_write_members_are_refused_by_everybody(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = await group_of(ann, bob)
    await bob.send(str(group), "said while I could")
    await membership.policy(ann._session, group, POLICY_MODERATORS_WRITE)
    with pytest.raises(ClientError) as refused:
        await bob.send(str(group), "and now")
    assert refused.value.code == "forbidden"
    await ann.send(str(group), "by its owner")
    assert await texts(bob, group) == ["said while I could", "by its owner"]


async def test_reactions_are_everybodys(newcomer: Newcomer, tag: str) -> None:
    ann, bob, carol = await newcomer("ann"), await newcomer("bob"), await newcomer("carol")
    group = await group_of(ann, bob, carol)
    sent = await ann.send(str(group), "good?")
    await bob.react(str(group), sent.id, "👍")
    await carol.react(str(group), sent.id, "👍")
    await carol.react(str(group), sent.id, "👍", on=False)
    for one in (ann, bob, carol):
        [message] = await shown(one, group)
        assert dict(message.reactions) == {"👍": (f"bob-{tag}",)}
