"""What is said in a group: sealed once, read by everybody inside and by nobody else, whatever happens in between."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.client.conftest import PASSWORD, Newcomer
from tests.client.grouped import (
    Admin,
    account_of,
    acknowledged,
    chain_of,
    exchanged,
    given_by,
    group_of,
    notices_of,
    shown,
    texts,
)
from tests.client.linked import by, linking

from aparte.client import ClientError, Place
from aparte.client.api import keys as api
from aparte.client.crypto import membership
from aparte.e2ee.membership import MODERATOR, POLICY_MODERATORS_WRITE
from aparte.wire.ids import AccountId


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
