"""What base role, custom role and overrides make of each other: laws of the pure decision."""

from dataclasses import replace
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee.statement import POLICY_MEMBERS_ADD, POLICY_MODERATORS_WRITE, Action
from aparte.server.conversations import rights
from aparte.server.conversations.model import Place, Seat, Standing
from aparte.wire.content import Permission, Role
from aparte.wire.errors import Refusal
from aparte.wire.ids import START, AccountId, ConversationId

ROLES: tuple[Role, ...] = get_args(Role)[::-1]
MODERATOR = {"post", "react", "invite", "pin", "manage_messages", "manage_members"}
ADMIN = MODERATOR | {"edit_profile", "manage_roles"}
PERMISSIONS = st.dictionaries(st.sampled_from(get_args(Permission)), st.booleans())


@st.composite
def places(draw: Any, mode: str | None = None) -> Place:
    """Anybody anywhere."""
    kind = draw(st.sampled_from(["group", "room", "channel"]))
    mode = mode or ("e2ee" if kind == "group" else draw(st.sampled_from(["e2ee", "server"])))
    kind = "room" if mode == "server" and kind == "group" else kind
    return Place(
        kind,
        mode,  # type: ignore[arg-type]
        draw(st.sampled_from(ROLES)),
        draw(PERMISSIONS),
        draw(PERMISSIONS),
        draw(st.integers(0, 7)) if mode == "e2ee" else 0,
        is_unwanted_bot=draw(st.booleans()),
    )


def standing(place: Place, account: int = 1) -> Standing:
    """A member as rules see them."""
    here, who = ConversationId(UUID(int=1)), AccountId(UUID(int=account))
    may = rights.effective(place)
    return Standing(here, place.kind, place.mode, False, who, place.role, 5, START, START, may)


def seat(place: Place, account: int = 2) -> Seat:
    """Another member."""
    return Seat(AccountId(UUID(int=account)), place, None, None, False)


@pytest.mark.parametrize(
    ("kind", "mode", "role", "policy", "may"),
    [
        ("room", "server", "member", 0, {"post", "react"}),
        ("room", "server", "moderator", 0, MODERATOR),
        ("room", "server", "admin", 0, ADMIN),
        ("room", "server", "owner", 0, ADMIN),
        ("channel", "server", "member", 0, {"react"}),
        ("channel", "server", "moderator", 0, MODERATOR),
        ("group", "e2ee", "member", 0, {"post", "react"}),
        ("group", "e2ee", "member", POLICY_MEMBERS_ADD, {"post", "react", "invite"}),
        ("group", "e2ee", "moderator", 0, MODERATOR - {"invite"}),
        ("group", "e2ee", "admin", 0, ADMIN),
        ("room", "e2ee", "member", 0, {"post", "react"}),
        ("channel", "e2ee", "member", POLICY_MODERATORS_WRITE, set()),
        ("channel", "e2ee", "moderator", POLICY_MODERATORS_WRITE, MODERATOR - {"invite"}),
        ("direct", "e2ee", "member", 0, {"post", "react", "pin"}),
        ("self", "e2ee", "member", 0, {"post", "react", "pin"}),
    ],
)
def test_a_base_role_is_always_there(kind: Any, mode: Any, role: Role, policy: int, may: set[str]) -> None:
    """B-048: without any custom role a member has what their base role gives, no more and no less."""
    assert rights.base(kind, mode, role, policy) == may
    assert rights.effective(Place(kind, mode, role, policy=policy)) == may


@given(places(mode="server"))
def test_an_override_decides_else_the_custom_role_else_the_base_role(place: Place) -> None:
    place = replace(place, is_unwanted_bot=False)
    may = rights.effective(place)
    for right in rights.ALL:
        if place.role == "owner":
            assert right in may
        else:
            base = right in rights.base(place.kind, place.mode, place.role)
            assert (right in may) == place.overrides.get(right, place.custom.get(right, base))


@given(places(mode="e2ee"))
def test_where_statements_decide_the_server_only_narrows(place: Place) -> None:
    base = rights.base(place.kind, place.mode, place.role, place.policy)
    assert rights.effective(place) <= base
    assert rights.denied(place) == base - rights.effective(place)


@given(places())
def test_a_guest_of_the_platform_reads_whatever_somebody_grants(place: Place) -> None:
    assert rights.effective(replace(place, is_guest=True)) == set()


@given(places())
def test_a_bot_that_is_not_wanted_does_not_post_whatever_somebody_grants(place: Place) -> None:
    """B-130."""
    place = replace(place, is_unwanted_bot=True)
    assert "post" not in rights.effective(place)
    assert rights.is_kept_from_posting(place)


@given(places(mode="server"))
def test_what_is_kept_for_sending_is_the_right_to_post(place: Place) -> None:
    assert rights.is_kept_from_posting(place) == ("post" not in rights.effective(place))


@given(places(mode="e2ee"))
def test_what_is_kept_beside_a_chain_narrows_it(place: Place) -> None:
    """Together with the policy, which is asked at sending, it is the right to post."""
    by_chain = "post" in rights.base(place.kind, place.mode, place.role, place.policy)
    assert (by_chain and not rights.is_kept_from_posting(place)) == ("post" in rights.effective(place))


@given(places(), places(), PERMISSIONS, PERMISSIONS)
def test_nobody_gives_what_they_lack_nor_touches_who_is_not_below(
    mine: Place, theirs: Place, custom: dict[Permission, bool], overrides: dict[Permission, bool]
) -> None:
    actor, target = standing(mine), seat(theirs)
    after = replace(theirs, custom=custom, overrides=overrides)
    try:
        rights.check_grant(actor, overrides, theirs.overrides)
        rights.check_seat(actor, target, after)
    except Refusal:
        return
    assert rights.effective(after) - rights.effective(theirs) <= actor.rights
    assert {right for right, on in overrides.items() if on and not theirs.overrides.get(right)} <= actor.rights
    assert rights.RANK[theirs.role] < rights.RANK[mine.role]


@given(places(mode="server"), PERMISSIONS)
def test_a_role_is_changed_for_nobody_who_is_not_below(mine: Place, custom: dict[Permission, bool]) -> None:
    actor = standing(mine)
    holders = [seat(Place("room", "server", role), account) for account, role in enumerate(ROLES, 2)]
    try:
        rights.check_holders(actor, holders, custom)
    except Refusal:
        return
    for holder in holders:
        after = replace(holder.place, custom=custom)
        if rights.effective(after) != rights.effective(holder.place):
            assert rights.RANK[holder.role] < rights.RANK[mine.role]
            assert rights.effective(after) - rights.effective(holder.place) <= actor.rights


def test_the_owner_is_denied_nothing_even_by_the_owner() -> None:
    place = Place("room", "server", "owner")
    rights.check_seat(standing(place), seat(place, 1), replace(place, custom={"post": True}))
    for denied in ({"custom": {"react": False}}, {"overrides": {"post": False}}):
        with pytest.raises(Refusal, match="forbidden"):
            rights.check_seat(standing(place), seat(place, 1), replace(place, **denied))  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="forbidden"):
        rights.check_holders(standing(place), [seat(place, 1)], {"react": False})


def test_what_was_denied_is_not_done_by_statement_either() -> None:
    place = Place("group", "e2ee", "admin", {}, {"manage_members": False})
    actor = replace(standing(place), denied=rights.denied(place))
    rights.check_statements(actor, [Action.ADD, Action.ROLE, Action.LEAVE])
    with pytest.raises(Refusal, match="forbidden"):
        rights.check_statements(actor, [Action.ADD, Action.REMOVE])
