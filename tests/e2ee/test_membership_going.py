"""The table of membership: removing, leaving, heirs and roles; as it is allowed, and what is refused."""

from dataclasses import replace

import pytest
from tests.e2ee.groups import RANKS, allowed, company, refused, with_roles

from aparte.e2ee import membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, POLICY_MEMBERS_ADD, ROLES, Action

SEED, OTHER_SEED = b"\x05" * 16, b"\x06" * 16


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
