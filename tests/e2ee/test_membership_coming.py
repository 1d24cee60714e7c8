"""The table of membership: who is let in, by whom, by which link; as it is allowed, and what is refused."""

import pytest
from tests.e2ee.groups import RANKS, Account, Group, People, allowed, company, refused, with_roles
from tests.e2ee.people import seeded

from aparte.e2ee import invite
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import (
    ADMIN,
    LINKS_MAX,
    MEMBER,
    MEMBERS_MAX,
    MODERATOR,
    OWNER,
    POLICY_HISTORY,
    POLICY_MEMBERS_ADD,
    POLICY_MODERATORS_WRITE,
    Action,
    Member,
)

SEED, OTHER_SEED = b"\x05" * 16, b"\x06" * 16


# Adding --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [0, POLICY_MEMBERS_ADD, POLICY_HISTORY | POLICY_MODERATORS_WRITE])
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("role", [MEMBER, MODERATOR, ADMIN])
def test_who_may_add_whom(rank: int, role: int, policy: int) -> None:
    group, first, _, outside = company(policy)
    by_admins = {(OWNER, MEMBER), (OWNER, MODERATOR), (OWNER, ADMIN), (ADMIN, MEMBER), (ADMIN, MODERATOR)}
    by_all = {(MEMBER, MEMBER), (MODERATOR, MEMBER)} if policy == POLICY_MEMBERS_ADD else set()
    allowed((rank, role) in by_admins | by_all, lambda: group.add(first[rank], outside, role), group)
    if group.state.role_of(outside.id):
        assert group.state.members[outside.id] == Member(outside.id, role, group.state.number, outside.key33)


def test_who_is_inside_is_added_again_only_after_a_reset() -> None:
    group, (owner, admin, member, _) = with_roles(ADMIN, MEMBER)
    for account in (owner, member):
        refused(lambda account=account: group.add(admin, account), group)
        account.rotate()
        refused(lambda account=account: group.add(admin, account), group)
    member.reset()
    group.add(admin, member)
    assert group.state.members[member.id] == Member(member.id, MEMBER, group.state.number, member.key33)


def test_an_old_key_is_no_reset() -> None:
    """With the key of before a rotation, an admin cannot put the owner down."""
    group, (owner, admin, _) = with_roles(ADMIN)
    group.leave(admin)
    owner.rotate()
    group.add(owner, admin, ADMIN)
    old = group.next(admin, Action.ADD, subject=owner.id, subject_key=owner.keys[0].public.serialize(), role=1)
    refused(lambda: group.take(group.sign(old)), group)
    assert group.state.owner == owner.id


def test_neither_is_a_key_from_before_a_reset_nor_one_that_nobody_knows() -> None:
    group, (owner, admin, *_) = with_roles(ADMIN)
    group.leave(owner)
    owner.reset()
    group.add(admin, owner, ADMIN)
    group.give(admin, owner, OWNER)
    for key in (owner.keys[0], KeyPair.generate(seeded(2))):
        fields = {"subject": owner.id, "subject_key": key.public.serialize(), "role": MEMBER}
        refused(lambda fields=fields: group.say(admin, Action.ADD, **fields), group)


@pytest.mark.parametrize("rank", [MEMBER, MODERATOR, ADMIN, OWNER])
@pytest.mark.parametrize("role", [MEMBER, MODERATOR, ADMIN])
def test_who_may_admit_again_and_from_where(rank: int, role: int) -> None:
    group, first, second, _ = company(POLICY_MEMBERS_ADD)
    for lost in second.values():
        if lost.id in group.state.members:
            lost.reset()
            allowed(rank >= ADMIN and role == MEMBER, lambda lost=lost: group.add(first[rank], lost, role), group)


def test_an_owner_who_is_admitted_again_has_an_heir() -> None:
    group, (owner, admin, other, *_) = with_roles(ADMIN, ADMIN)
    owner.reset()
    group.add(other, owner)
    assert group.roles() == {1: MEMBER, 2: OWNER, 3: ADMIN}
    assert admin.id == group.state.owner


def test_nobody_admits_themselves_again() -> None:
    group, (owner, *_) = with_roles(ADMIN)
    owner.reset()
    with pytest.raises(BadStatement):
        group.add(owner, owner)


def crowd(count: int) -> tuple[Group, list[Account]]:
    """The owner and `count` - 1 others, who share a key: who they are is told by their ids."""
    owner = Account.create(1)
    others = [Account((1_000 + number).to_bytes(16, "big"), owner.keys, owner.lines) for number in range(count + 2)]
    group = Group(People([owner, *others]), owner)
    for other in others[: count - 1]:
        group.add(owner, other)
    return group, [owner, *others]


def test_500_fit_and_no_more() -> None:
    group, accounts = crowd(MEMBERS_MAX - 1)
    owner, last, one_too_many = accounts[0], accounts[MEMBERS_MAX - 1], accounts[MEMBERS_MAX]
    group.link(owner, SEED)
    group.add(owner, last)
    assert len(group.state.members) == MEMBERS_MAX
    refused(lambda: group.add(owner, one_too_many), group)
    refused(lambda: group.join(one_too_many, SEED), group)
    group.remove(owner, last)
    group.join(one_too_many, SEED)
    assert len(group.state.members) == MEMBERS_MAX


def test_somebody_is_admitted_again_where_500_are_inside() -> None:
    group, accounts = crowd(MEMBERS_MAX)
    lost = Account(accounts[5].id, list(accounts[5].keys))
    lost.reset()
    group.people.accounts[5] = lost
    group.add(accounts[0], lost)
    assert group.state.members[lost.id].number == group.state.number


# Invite links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("role", [MEMBER, MODERATOR, ADMIN])
def test_who_may_open_a_link_to_which_role(rank: int, role: int) -> None:
    group, first, _, outside = company(POLICY_MEMBERS_ADD)
    may = role < rank and rank >= ADMIN
    allowed(may, lambda: group.link(first[rank], SEED, role), group)
    allowed(may, lambda: group.join(outside, SEED, role), group)
    assert group.state.role_of(outside.id) == (role if may else 0)


@pytest.mark.parametrize("rank", RANKS)
def test_who_may_close_a_link(rank: int) -> None:
    group, first, _, outside = company(POLICY_MEMBERS_ADD)
    group.link(first[OWNER], SEED, ADMIN)
    allowed(rank >= ADMIN, lambda: group.link(first[rank], SEED, 0), group)
    allowed(rank < ADMIN, lambda: group.join(outside, SEED, ADMIN), group)


def test_a_link_that_is_not_there_is_not_closed() -> None:
    group, (owner, *_) = with_roles()
    refused(lambda: group.link(owner, SEED, 0), group)
    group.link(owner, SEED)
    group.link(owner, SEED, 0)
    refused(lambda: group.link(owner, SEED, 0), group)


def test_a_link_is_good_for_as_many_as_it_says() -> None:
    group, accounts = crowd(1)
    group.link(accounts[0], SEED, uses=2)
    group.join(accounts[1], SEED)
    group.join(accounts[2], SEED)
    refused(lambda: group.join(accounts[3], SEED), group)
    group.leave(accounts[2])
    refused(lambda: group.join(accounts[3], SEED), group)


def test_a_link_that_is_opened_again_counts_from_nothing() -> None:
    group, (owner, one, two, three) = with_roles(MEMBER, MEMBER)
    group.leave(one)
    group.leave(two)
    group.link(owner, SEED, uses=1)
    group.join(one, SEED)
    group.link(owner, SEED, MODERATOR, expires=9, uses=1)
    refused(lambda: group.join(two, SEED, MEMBER), group)
    group.join(two, SEED, MODERATOR)
    refused(lambda: group.join(three, SEED, MODERATOR), group)
    (link,) = group.state.links.values()
    assert (link.role, link.expires, link.uses, link.used) == (MODERATOR, 9, 1, 1)


def test_a_link_for_any_number_counts_too() -> None:
    group, accounts = crowd(1)
    group.link(accounts[0], SEED)
    for newcomer in accounts[1:]:
        group.join(newcomer, SEED)
    assert [link.used for link in group.state.links.values()] == [len(accounts) - 1]


def test_when_a_link_ends_is_judged_by_the_server_alone() -> None:
    group, (owner, outside) = with_roles()
    group.link(owner, SEED, expires=1)
    group.join(outside, SEED)


def test_a_link_gives_its_own_role_and_no_other() -> None:
    group, (owner, outside) = with_roles()
    group.link(owner, SEED, MODERATOR)
    for role in (MEMBER, ADMIN):
        refused(lambda role=role: group.join(outside, SEED, role), group)
    group.join(outside, SEED, MODERATOR)


def test_nobody_joins_without_the_seed() -> None:
    group, (owner, outside) = with_roles()
    group.link(owner, SEED)
    refused(lambda: group.join(outside, OTHER_SEED), group)
    link_id = invite.link_id(invite.link_key(SEED).public)
    said = group.next(outside, Action.JOIN, subject=outside.id, subject_key=outside.key33, role=1, arg=link_id)
    for seed in (None, OTHER_SEED):
        refused(lambda seed=seed: group.take(group.sign(said, seed=seed)), group)
    group.join(outside, SEED)


def test_nobody_joins_in_the_name_of_another() -> None:
    group, (owner, outside) = with_roles()
    group.link(owner, SEED)
    thief = KeyPair.generate(seeded(3))
    link_id = invite.link_id(invite.link_key(SEED).public)
    key33 = thief.public.serialize()
    for subject_key in (outside.key33, key33):
        said = group.next(outside, Action.JOIN, subject=outside.id, subject_key=subject_key, role=1, arg=link_id)
        refused(lambda said=said: group.take(group.sign(said, by=thief, seed=SEED)), group)


def test_who_is_inside_does_not_join() -> None:
    group, (owner, member, _) = with_roles(MEMBER)
    group.link(owner, SEED, ADMIN)
    for account in (owner, member):
        refused(lambda account=account: group.join(account, SEED, ADMIN), group)
        account.reset()
        refused(lambda account=account: group.join(account, SEED, ADMIN), group)


def test_who_was_removed_comes_back_only_if_added() -> None:
    group, (owner, member, _) = with_roles(MEMBER)
    group.link(owner, SEED)
    group.remove(owner, member)
    refused(lambda: group.join(member, SEED), group)
    member.reset()
    refused(lambda: group.join(member, SEED), group)
    group.add(owner, member)
    group.leave(member)
    group.join(member, SEED)


def test_as_many_links_as_there_may_be() -> None:
    group, (owner, *_) = with_roles()
    seeds = [number.to_bytes(16, "big") for number in range(LINKS_MAX + 1)]
    for seed in seeds[:-1]:
        group.link(owner, seed)
    refused(lambda: group.link(owner, seeds[-1]), group)
    group.link(owner, seeds[0], MODERATOR)
    group.link(owner, seeds[1], 0)
    group.link(owner, seeds[-1])
    assert len(group.state.links) == LINKS_MAX
