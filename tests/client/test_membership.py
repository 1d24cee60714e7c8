"""Who is in a group, changed by people and learnt by their devices, over a real server."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from tests.client.conftest import Newcomer
from tests.client.linked import by, linking

from aparte.client import Client, ClientError, Place
from aparte.client.api import groups as api
from aparte.client.crypto import learning, membership, rosters
from aparte.client.crypto.epoch import Epoch
from aparte.client.store import conversations, invite_links, list_versions, notices
from aparte.e2ee.invite import Invite
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, POLICY_MEMBERS_ADD, Membership
from aparte.wire.ids import AccountId, ConversationId


def account(client: Client) -> AccountId:
    return client._session.profile.account


def state(client: Client, group: ConversationId) -> Membership:
    with client._session.store.reading() as tx:
        found = membership.state(tx, group)
    assert found is not None
    return found


def roles(client: Client, group: ConversationId) -> dict[AccountId, int]:
    found = state(client, group)
    return {AccountId(UUID(bytes=one)): member.role for one, member in found.members.items()}


def ready(client: Client, group: ConversationId) -> Epoch:
    """The epoch to write in, without asking anybody."""
    with client._session.store.transaction() as tx:
        row = conversations.select_conversation(tx, group)
        assert row is not None
        found = rosters.ready(tx, row)
    assert found is not None
    return found


def role_here(client: Client, group: ConversationId) -> str | None:
    """One's own role as the store has it; None once one is out."""
    with client._session.store.reading() as tx:
        row = conversations.select_conversation(tx, group)
    assert row is not None
    return row.role


def told(client: Client) -> set[str]:
    with client._session.store.reading() as tx:
        return {notice.code for notice in notices.select_unshown(tx)}


async def enter(client: Client, group: ConversationId) -> None:
    """Hear of a group, as the gateway brings it."""
    await client._rooms.get(group)


async def test_everybody_knows_who_is_in_a_new_group(newcomer: Newcomer) -> None:
    ann, bob, carl = await newcomer("ann"), await newcomer("bob"), await newcomer("carl")
    made = await membership.create(ann._session, [account(bob), account(carl), account(bob), account(ann)], 0)
    assert roles(ann, made.id) == {account(ann): OWNER, account(bob): MEMBER, account(carl): MEMBER}
    assert set(ready(ann, made.id).lists) == {account(ann), account(bob), account(carl)}
    for other in (bob, carl):
        await enter(other, made.id)
        assert state(other, made.id) == state(ann, made.id)
        assert ready(other, made.id) == ready(ann, made.id)
    assert not told(ann) | told(bob) | told(carl)


async def test_a_group_of_one(newcomer: Newcomer) -> None:
    ann = await newcomer("ann")
    made = await membership.create(ann._session, [], POLICY_MEMBERS_ADD)
    assert roles(ann, made.id) == {account(ann): OWNER}
    assert state(ann, made.id).policy == POLICY_MEMBERS_ADD


async def test_who_has_no_keys_cannot_be_in_a_group_and_is_named(newcomer: Newcomer) -> None:
    ann, nobody = await newcomer("ann"), AccountId(uuid4())
    with pytest.raises(ClientError, match="peer_without_keys") as refused:
        await membership.create(ann._session, [nobody], 0)
    assert refused.value.data == {"accounts": [str(nobody)]}


async def test_people_come_and_go_by_signed_statements(newcomer: Newcomer) -> None:
    ann, bob, carl = await newcomer("ann"), await newcomer("bob"), await newcomer("carl")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    await membership.add(ann._session, group, [account(carl), account(bob)])
    await membership.role(ann._session, group, account(bob), MODERATOR)
    await enter(bob, group)
    assert roles(bob, group) == {account(ann): OWNER, account(bob): MODERATOR, account(carl): MEMBER}
    await membership.remove(bob._session, group, account(carl))
    await membership.policy(ann._session, group, POLICY_MEMBERS_ADD)
    assert roles(ann, group) == {account(ann): OWNER, account(bob): MODERATOR}
    assert ready(ann, group).membership == state(ann, group)
    await membership.leave(ann._session, group)
    await membership.learn(bob._session, group)
    assert roles(bob, group) == {account(bob): OWNER}
    assert set(ready(bob, group).lists) == {account(bob)}
    assert role_here(ann, group) is None


async def test_who_was_put_out_without_knowing_leaves_all_the_same(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    await enter(bob, group)
    assert role_here(bob, group) == "member"
    await membership.remove(ann._session, group, account(bob))
    await membership.leave(bob._session, group)
    assert role_here(bob, group) is None


async def test_what_is_said_already_is_not_said_again(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    assert await membership.add(ann._session, group, [account(bob)]) is None
    assert await membership.policy(ann._session, group, 0) is None
    assert await membership.role(ann._session, group, account(bob), MEMBER) is None
    assert state(ann, group).number == 2


async def test_who_may_not_is_told_before_anything_is_sent(newcomer: Newcomer) -> None:
    ann, bob, carl = await newcomer("ann"), await newcomer("bob"), await newcomer("carl")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    await enter(bob, group)
    for forbidden in (
        membership.add(bob._session, group, [account(carl)]),
        membership.remove(bob._session, group, account(ann)),
        membership.role(bob._session, group, account(bob), OWNER),
        membership.policy(bob._session, group, POLICY_MEMBERS_ADD),
        membership.link(bob._session, group),
    ):
        with pytest.raises(ClientError, match="forbidden"):
            await forbidden
    with bob._session.store.reading() as tx:
        assert invite_links.select_links(tx, group) == []
    with pytest.raises(ClientError, match="no_such_member"):
        await membership.remove(ann._session, group, account(carl))
    with pytest.raises(ClientError, match="no_such_member"):
        await membership.role(ann._session, group, account(carl), ADMIN)
    assert not told(ann) | told(bob)


async def test_many_at_once_are_all_heard(newcomer: Newcomer) -> None:
    """Everybody signs on the same statement; all but one must look again, on what waits to be stored too."""
    ann, bob, *others = [await newcomer(name) for name in ("ann", "bob", "carl", "dave", "eve", "frank")]
    group = (await membership.create(ann._session, [account(bob)], POLICY_MEMBERS_ADD)).id
    await enter(bob, group)
    await asyncio.gather(
        membership.add(ann._session, group, [account(others[0])]),
        membership.add(bob._session, group, [account(others[1])]),
        membership.add(ann._session, group, [account(others[2])]),
        membership.policy(ann._session, group, POLICY_MEMBERS_ADD | 2),
        membership.add(bob._session, group, [account(others[3])]),
    )
    for one in (ann, bob):
        await membership.learn(one._session, group)
    assert set(roles(ann, group)) == {account(one) for one in (ann, bob, *others)}
    assert state(bob, group) == state(ann, group)
    assert state(ann, group).number == 7
    assert ready(bob, group).roster == ready(ann, group).roster
    assert not told(ann) | told(bob)


# Links ----------------------------------------------------------------------------------------------------------------


async def test_who_has_a_link_joins_and_is_seen_to(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [], 0)).id
    link = await membership.link(ann._session, group, MODERATOR, uses=1)
    joined = await membership.join(bob._session, link)
    assert joined.id == group
    await membership.learn(ann._session, group)
    assert roles(bob, group) == roles(ann, group) == {account(ann): OWNER, account(bob): MODERATOR}
    assert ready(bob, group).roster == ready(ann, group).roster
    assert (await membership.join(bob._session, link)).id == group, "who is inside stays"
    carl = await newcomer("carl")
    with pytest.raises(ClientError, match="invite_over"):
        await membership.join(carl._session, link)


async def test_a_closed_link_leads_nowhere(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [], 0)).id
    link = await membership.link(ann._session, group)
    [link_id] = state(ann, group).links
    await membership.close_link(ann._session, group, link_id)
    assert state(ann, group).links == {}
    with pytest.raises(ClientError, match="invite_over"):
        await membership.join(bob._session, link)
    with pytest.raises(ClientError, match="not_found"):
        await membership.close_link(ann._session, group, link_id)
    with ann._session.store.reading() as tx:
        assert invite_links.select_links(tx, group) == []


async def test_a_link_leads_where_it_says_or_nowhere(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    one = (await membership.create(ann._session, [], 0)).id
    other = (await membership.create(ann._session, [], 0)).id
    to_one, to_other = await membership.link(ann._session, one), await membership.link(ann._session, other)
    token, secret = to_one.split("#")[0], to_other.split("#")[1]
    with pytest.raises(ClientError, match="bad_invite"):
        await membership.join(bob._session, f"{token}#{secret}")
    mixed = membership.link_text("", membership.parse_link(to_one)[0], _mixed(to_one, to_other))
    with pytest.raises(ClientError, match="invite_over"):
        await membership.join(bob._session, mixed)
    for no_link in ("", "#x", "https://x/i/", to_one[:-1], to_one + "A", to_one.replace("/i/", "/i/x"), to_one + "#"):
        with pytest.raises(ClientError, match="bad_invite"):
            await membership.join(bob._session, no_link)


def _mixed(one: str, other: str) -> Invite:
    """The group of one link with the secret of another."""
    return Invite(membership.parse_link(one)[1].conversation, membership.parse_link(other)[1].seed)


async def test_who_was_put_out_does_not_come_back_by_a_link(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    link = await membership.link(ann._session, group)
    await membership.remove(ann._session, group, account(bob))
    with pytest.raises(ClientError, match="forbidden"):
        await membership.join(bob._session, link)
    await membership.add(ann._session, group, [account(bob)])
    assert roles(ann, group)[account(bob)] == MEMBER


async def test_who_was_banned_is_not_added_until_the_ban_is_lifted(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    await membership.remove(ann._session, group, account(bob), ban=True)
    with pytest.raises(ClientError, match="banned"):
        await membership.add(ann._session, group, [account(bob)])
    assert [ban.account for ban in await api.bans(ann._session, group)] == [account(bob)]
    await api.lift_ban(ann._session, group, account(bob))
    await membership.add(ann._session, group, [account(bob)])
    assert account(bob) in roles(ann, group)


# Devices --------------------------------------------------------------------------------------------------------------


async def test_a_linked_device_learns_what_was_before_it(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    """It is told the newest lists alone; the chain was signed under older ones, which it learns from the first on."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    async with linking(place("phone"), f"ann-{tag}", by(ann)) as phone:
        await enter(phone, group)
        await membership.learn(ann._session, group)
        assert state(phone, group) == state(ann, group)
        assert ready(phone, group).roster == ready(ann, group).roster
        assert len(ready(phone, group).lists[account(ann)].devices) == 2
        with phone._session.store.reading() as tx:
            assert [version for version, _ in list_versions.select_versions(tx, account(ann))] == [2, 1]
            assert rosters.is_truncated(tx, account(ann))
        await membership.policy(phone._session, group, POLICY_MEMBERS_ADD)
        assert not told(phone)


async def test_an_epoch_of_the_past_is_learnt_by_its_number(newcomer: Newcomer) -> None:
    ann, bob, carl = await newcomer("ann"), await newcomer("bob"), await newcomer("carl")
    group = (await membership.create(ann._session, [account(bob)], 0)).id
    first = ready(ann, group)
    await membership.add(ann._session, group, [account(carl)])
    await enter(bob, group)
    await learning.learn(bob._session, group, first.number)
    me = account(bob)
    with bob._session.store.transaction() as tx:
        row = conversations.select_conversation(tx, group)
        assert row is not None
        found = rosters.compute(tx, row, me, (first.number, first.roster), 1)
    assert found is not None
    assert found[1] == first
