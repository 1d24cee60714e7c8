"""The table of membership: the chain, its keys, the policy; every row as it is allowed, and what each refuses."""

from dataclasses import replace

import pytest
from tests.e2ee.groups import RANKS, Group, allowed, company, people, refused, with_roles
from tests.e2ee.people import seeded

from aparte.e2ee import membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.membership import ADMIN, MEMBER, OWNER, POLICY_HISTORY, POLICY_MEMBERS_ADD, Action, Member

SEED, OTHER_SEED = b"\x05" * 16, b"\x06" * 16


# Creation ------------------------------------------------------------------------------------------------------------


def test_who_creates_a_group_owns_it() -> None:
    group = Group(people(), people().accounts[0], POLICY_HISTORY)
    owner = group.people.accounts[0]
    assert group.state.members == {owner.id: Member(owner.id, OWNER, 1, owner.key33)}
    assert group.state.owner == owner.id
    assert (group.state.number, group.state.policy, group.state.versions) == (1, POLICY_HISTORY, {owner.id: 1})


def test_a_group_is_created_once() -> None:
    group, (owner, *_) = with_roles()
    again = membership.create(owner.id, 1, 0, bytes(16), owner.key33)
    refused(lambda: group.take(group.sign(again)), group)
    with pytest.raises(BadStatement):
        membership.apply(group.state, again, group.people.is_other_line)


def test_nobody_creates_a_group_in_the_name_of_another_key() -> None:
    owner, other = people().accounts[:2]
    said = membership.create(owner.id, 1, 0, bytes(16), owner.key33)
    with pytest.raises(BadStatement):
        membership.verify(membership.sign(said, other.key, seeded(1)), other.key.public, None)
    with pytest.raises(BadStatement):
        membership.verify(membership.sign(said, other.key, seeded(1)), owner.key.public, None)


def test_no_chain_begins_with_anything_else() -> None:
    group, (owner, other, outside) = with_roles(MEMBER)
    for said in (
        group.next(owner, Action.ADD, subject=outside.id, subject_key=outside.key33, role=1),
        group.next(other, Action.LEAVE, subject=other.id),
        group.next(outside, Action.JOIN, subject=outside.id, subject_key=outside.key33, role=1),
    ):
        with pytest.raises(BadStatement):
            membership.verify(group.sign(said), group.people.find(said.actor).key.public, None)


# The place in the chain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"number": 4},
        {"number": 1},
        {"previous": bytes(32)},
        {"previous": b"\1" * 32},
        {"conversation": b"\xc1" * 16},
    ],
)
def test_what_does_not_follow_is_refused(change: dict[str, object]) -> None:
    group, (owner, _, outside) = with_roles(MEMBER)
    assert group.state.number == 2
    sound = group.next(owner, Action.ADD, subject=outside.id, subject_key=outside.key33, role=1)
    refused(lambda: group.take(group.sign(replace(sound, **change))), group)
    group.take(group.sign(sound))


def test_a_statement_is_taken_once() -> None:
    group, (owner, *_) = with_roles()
    signed = group.sign(group.next(owner, Action.POLICY, policy=1))
    group.take(signed)
    refused(lambda: group.take(signed), group)


def test_of_two_at_once_one_is_taken() -> None:
    group, (owner, admin, outside) = with_roles(ADMIN)
    one = group.sign(group.next(owner, Action.REMOVE, subject=admin.id))
    other = group.sign(group.next(admin, Action.ADD, subject=outside.id, subject_key=outside.key33, role=1))
    group.take(one)
    refused(lambda: group.take(other), group)


def test_statements_of_another_group_do_not_count() -> None:
    group, accounts = with_roles(ADMIN)
    other = Group(group.people, accounts[0], seed=8)
    other.add(accounts[0], accounts[1], ADMIN)
    signed = other.sign(other.next(accounts[1], Action.POLICY, policy=1))
    refused(lambda: group.take(signed), group)


def test_versions_of_an_actor_never_fall() -> None:
    group, (owner, admin, _) = with_roles(ADMIN)
    owner.rotate()
    group.set_policy(owner, 1)
    assert group.state.versions == {owner.id: 2}
    old = replace(group.next(owner, Action.POLICY, policy=2), actor_version=1)
    refused(lambda: group.take(group.sign(old, by=owner.keys[0])), group)
    group.set_policy(admin, 2)
    group.set_policy(owner, 3)
    assert group.state.versions == {owner.id: 2, admin.id: 1}


def test_versions_are_remembered_of_those_who_left() -> None:
    group, (owner, member, _) = with_roles(MEMBER)
    member.rotate()
    group.leave(member)
    group.add(owner, member)
    old = replace(group.next(member, Action.LEAVE, subject=member.id), actor_version=1)
    refused(lambda: group.take(group.sign(old, by=member.keys[0])), group)
    group.leave(member)


# Keys ----------------------------------------------------------------------------------------------------------------


def test_who_rotates_goes_on_and_who_resets_is_silent() -> None:
    group, (owner, admin, _) = with_roles(ADMIN)
    admin.rotate()
    group.set_policy(admin, 1)
    admin.reset()
    refused(lambda: group.set_policy(admin, 2), group)
    refused(lambda: group.leave(admin), group)
    group.add(owner, admin)
    group.leave(admin)


def test_without_knowing_rotations_the_admitted_key_alone_counts() -> None:
    group, (owner, *_) = with_roles()
    said = group.next(owner, Action.POLICY, policy=1)
    assert membership.verify(group.sign(said), owner.key.public, group.state) == said
    owner.rotate()
    said = group.next(owner, Action.POLICY, policy=1)
    with pytest.raises(BadStatement):
        membership.verify(group.sign(said), owner.key.public, group.state)
    assert membership.verify(group.sign(said), owner.key.public, group.state, group.people.follows) == said


def test_a_key_from_before_the_admitted_one_does_not_speak() -> None:
    """It was rotated away, for instance because a device was stolen."""
    group, (owner, admin, *_) = with_roles()
    admin.rotate()
    group.add(owner, admin, ADMIN)
    said = replace(group.next(admin, Action.POLICY, policy=1), actor_version=1)
    refused(lambda: group.take(group.sign(said, by=admin.keys[0])), group)
    group.set_policy(admin, 1)


# Policy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("policy", range(8))
def test_who_may_set_the_policy(rank: int, policy: int) -> None:
    group, first, _, _ = company(POLICY_MEMBERS_ADD)
    allowed(rank >= ADMIN, lambda: group.set_policy(first[rank], policy), group)
    assert group.state.policy == (policy if rank >= ADMIN else POLICY_MEMBERS_ADD)


# The state -----------------------------------------------------------------------------------------------------------


def test_a_state_stays_what_it_was() -> None:
    group, (owner, member, outside) = with_roles(MEMBER)
    before = group.state
    members, versions, links = dict(before.members), dict(before.versions), dict(before.links)
    group.link(owner, SEED)
    group.join(outside, SEED)
    group.remove(owner, member)
    group.give(owner, outside, OWNER)
    assert (before.members, before.versions, before.links, before.removed) == (members, versions, links, frozenset())
