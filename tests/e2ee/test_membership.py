"""The table of membership: every row as it is allowed, and what each refuses."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.e2ee.groups import Account, Group, People, people, with_roles
from tests.e2ee.people import seeded

from aparte.e2ee import invite, membership
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
    ROLES,
    Action,
    Member,
)

SEED, OTHER_SEED = b"\x05" * 16, b"\x06" * 16
RANKS = (0, *ROLES)


def refused(say: Callable[[], object], group: Group) -> None:
    """It is refused, and nothing has changed."""
    before = group.state
    with pytest.raises(BadStatement):
        say()
    assert group.state is before


def allowed(is_allowed: bool, say: Callable[[], object], group: Group) -> None:
    if is_allowed:
        say()
    else:
        refused(say, group)


def company(policy: int = 0) -> tuple[Group, dict[int, Account], dict[int, Account], Account]:
    """A group, somebody of each role (0: outside), somebody else of each role below owner, and one more outside."""
    everybody = people(9)
    owner, admin, moderator, member, admin2, moderator2, member2, outside, outside2 = everybody.accounts
    group = Group(everybody, owner, policy)
    for role, account in ((3, admin), (2, moderator), (1, member), (3, admin2), (2, moderator2), (1, member2)):
        group.add(owner, account, role)
    first = {OWNER: owner, ADMIN: admin, MODERATOR: moderator, MEMBER: member, 0: outside}
    return group, first, {ADMIN: admin2, MODERATOR: moderator2, MEMBER: member2, 0: outside2}, outside2


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


# Removing and leaving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("other", [0, MEMBER, MODERATOR, ADMIN, OWNER])
def test_who_may_remove_whom(rank: int, other: int) -> None:
    if rank == other == OWNER:
        return
    group, first, second, _ = company(POLICY_MEMBERS_ADD)
    subject = first[OWNER] if other == OWNER else second[other]
    may = {(OWNER, ADMIN), (OWNER, MODERATOR), (OWNER, MEMBER), (ADMIN, MODERATOR), (ADMIN, MEMBER), (ADMIN, OWNER)}
    may |= {(MODERATOR, MEMBER)}
    allowed((rank, other) in may, lambda: group.remove(first[rank], subject), group)
    assert (subject.id in group.state.removed) == ((rank, other) in may)


def test_nobody_removes_themselves() -> None:
    group, first, _, _ = company()
    for account in first.values():
        with pytest.raises(BadStatement):
            group.remove(account, account)


def test_whoever_is_inside_may_leave_and_nobody_else() -> None:
    group, first, second, _ = company()
    for account in (*second.values(), *first.values()):
        allowed(account.id in group.state.members, lambda account=account: group.leave(account), group)
    assert group.state.members == {}


def test_nobody_lets_another_leave() -> None:
    group, (owner, member, _) = with_roles(MEMBER)
    said = replace(group.next(owner, Action.LEAVE, subject=owner.id), subject=member.id)
    with pytest.raises(BadStatement):
        group.take(group.sign(said))
    forged = replace(said, actor=member.id)
    with pytest.raises(BadStatement):
        group.take(group.sign(forged, by=owner.key))


def test_who_was_removed_speaks_no_more() -> None:
    group, (owner, admin, outside) = with_roles(ADMIN)
    group.remove(owner, admin)
    for say in (
        lambda: group.add(admin, outside),
        lambda: group.add(admin, admin),
        lambda: group.remove(admin, owner),
        lambda: group.leave(admin),
        lambda: group.give(admin, owner, MEMBER),
        lambda: group.link(admin, SEED),
        lambda: group.set_policy(admin, 1),
    ):
        with pytest.raises(BadStatement):
            say()


def test_an_empty_group_is_over() -> None:
    group, (owner, _, outside) = with_roles(MEMBER)
    group.link(owner, SEED)
    group.leave(group.people.accounts[1])
    group.leave(owner)
    assert group.state.owner is None
    assert membership.heir(group.state.members) is None
    refused(lambda: group.join(outside, SEED), group)
    refused(lambda: group.add(owner, outside), group)


# The owner's heir ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "heir"),
    [
        ((MEMBER, ADMIN, ADMIN), 1),
        ((ADMIN, MEMBER), 0),
        ((MEMBER, MODERATOR, MODERATOR), 1),
        ((MEMBER, MEMBER), 0),
    ],
)
def test_who_follows_an_owner_who_leaves(roles: tuple[int, ...], heir: int) -> None:
    group, (owner, *others) = with_roles(*roles)
    assert group.leave(owner).owner == others[heir].id
    assert group.state.role_of(others[heir].id) == OWNER


def test_the_order_of_admission_begins_anew_with_a_new_admission() -> None:
    group, (owner, one, two, _) = with_roles(MEMBER, MEMBER)
    group.leave(one)
    group.add(owner, one)
    assert group.leave(owner).owner == two.id


def test_a_change_of_role_keeps_the_order_of_admission() -> None:
    group, (owner, one, two, _) = with_roles(MEMBER, ADMIN)
    group.give(owner, one, ADMIN)
    assert group.state.members[one.id].number == 2
    assert group.leave(owner).owner == one.id
    assert group.state.role_of(two.id) == ADMIN


def test_an_owner_who_is_removed_is_followed() -> None:
    group, (owner, one, two, _) = with_roles(ADMIN, ADMIN)
    assert group.remove(two, owner).owner == one.id
    assert owner.id in group.state.removed


# Roles ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("old", [0, MEMBER, MODERATOR, ADMIN, OWNER])
@pytest.mark.parametrize("new", ROLES)
def test_who_may_give_which_role_to_whom(rank: int, old: int, new: int) -> None:
    if rank == old == OWNER:
        return
    group, first, second, _ = company(POLICY_MEMBERS_ADD)
    subject = first[OWNER] if old == OWNER else second[old]
    by_owner = rank == OWNER and old in (MEMBER, MODERATOR, ADMIN)
    by_admin = rank == ADMIN and old in (MEMBER, MODERATOR) and new in (MEMBER, MODERATOR)
    allowed(by_owner or by_admin, lambda: group.give(first[rank], subject, new), group)
    if by_owner or by_admin:
        assert group.state.role_of(subject.id) == new


def test_who_hands_on_the_group_is_an_admin() -> None:
    group, (owner, member, _) = with_roles(MEMBER)
    assert group.give(owner, member, OWNER).owner == member.id
    assert group.roles() == {1: ADMIN, 2: OWNER}
    refused(lambda: group.give(owner, member, MEMBER), group)


def test_nobody_changes_their_own_role() -> None:
    group, first, _, _ = company()
    for account in first.values():
        for role in ROLES:
            with pytest.raises(BadStatement):
                group.give(account, account, role)


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
