"""Who may do what: the table of rights, names, succession. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.conversations import rights, rules, settings
from aparte.server.conversations.model import MemberRow, RoomRow, Standing
from aparte.wire.content import Profile, Role
from aparte.wire.conversations import ConversationChange
from aparte.wire.errors import Refusal
from aparte.wire.ids import START, AccountId, ConversationId

ROOM = ConversationId(UUID(int=1))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROLES: tuple[Role, ...] = ("member", "moderator", "admin", "owner")


def standing(role: Role, account: int = 1) -> Standing:
    """A member of the room."""
    may = rights.base("room", "server", role)
    return Standing(ROOM, "room", "server", True, AccountId(UUID(int=account)), role, 5, START, START, may)


def member(role: Role, account: int = 2, days: int = 0, *, is_current: bool = True) -> MemberRow:
    """A row of the members' table."""
    joined_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
    return MemberRow(AccountId(UUID(int=account)), role, START, joined_at, is_current)


def test_whoever_is_in_reads_and_guests_do_nothing_else() -> None:
    rules.check("read", standing("member"), "guest")
    with pytest.raises(Refusal, match="forbidden"):
        rules.check("post", standing("owner"), "guest")


def test_a_silence_keeps_from_writing_and_reacting_and_from_nothing_else() -> None:
    silenced = replace(standing("moderator"), silenced_until=NOW, silence_reason="shouting")
    for right in ("post", "react"):
        with pytest.raises(Refusal, match="silenced") as refusal:
            rules.check(right, silenced, "user")  # type: ignore[arg-type]
        assert refusal.value.data == {"until": NOW.isoformat(), "reason": "shouting"}
    for right in ("read", "manage_messages", "manage_members"):
        rules.check(right, silenced, "user")  # type: ignore[arg-type]


def test_an_archive_is_read_and_taken_back() -> None:
    archived = replace(standing("owner"), is_archived=True)
    rules.check("read", archived, "user")
    rules.check("edit_profile", archived, "user")
    for right in rights.ALL - {"edit_profile"}:
        with pytest.raises(Refusal, match="archived"):
            rules.check(right, archived, "user")


@pytest.mark.parametrize(
    ("until", "is_taken"),
    [
        (NOW, False),
        (NOW + timedelta(seconds=1), True),
        (NOW + rules.LONGEST_SILENCE, True),
        (NOW + rules.LONGEST_SILENCE + timedelta(seconds=1), False),
        (datetime(2027, 1, 1), False),  # noqa: DTZ001 - a moment of no time zone is none
    ],
)
def test_a_silence_ends(until: datetime, is_taken: bool) -> None:
    if is_taken:
        rules.check_silence(until, NOW)
    else:
        with pytest.raises(Refusal, match="invalid"):
            rules.check_silence(until, NOW)


def test_only_public_rooms_with_room_left_are_joined() -> None:
    assert rules.check_join(RoomRow(ROOM, "room", True, 4, 5)).member_count == 4
    with pytest.raises(Refusal, match="room_full"):
        rules.check_join(RoomRow(ROOM, "room", True, 5, 5))
    for hidden in (None, RoomRow(ROOM, "room", False, 1, 5)):
        with pytest.raises(Refusal, match="not_found"):
            rules.check_join(hidden)


@given(actor=st.sampled_from(ROLES), target=st.sampled_from(ROLES), role=st.sampled_from(ROLES))
def test_nobody_lifts_anybody_to_their_own_height(actor: Role, target: Role, role: Role) -> None:
    """Whatever is allowed, a role below the owner's is given only by somebody above both ends of the change."""
    try:
        rules.check_role_change(standing(actor), member(target), role)
    except Refusal:
        return
    assert actor == "owner" or (
        rights.RANK[role] < rights.RANK[actor] and rights.RANK[target] < rights.RANK[actor] and role != "owner"
    )


def test_an_owner_does_not_step_down_without_an_heir() -> None:
    with pytest.raises(Refusal, match="last_owner"):
        rules.check_role_change(standing("owner"), member("owner", account=1), "member")


@given(actor=st.sampled_from(ROLES), target=st.sampled_from(ROLES))
def test_a_member_is_removed_only_from_above(actor: Role, target: Role) -> None:
    """R-155: who may manage members without a higher role does so as a moderator would."""
    if rights.RANK[target] < max(rights.RANK[actor], 1):
        rules.check_removal(standing(actor), member(target))
    else:
        with pytest.raises(Refusal, match="forbidden"):
            rules.check_removal(standing(actor), member(target))


def test_a_room_passes_to_the_highest_role_and_the_longest_membership() -> None:
    others = [
        member("member", 2, 0),
        member("moderator", 3, 5),
        member("moderator", 4, 2),
        member("admin", 5, is_current=False),
    ]
    heir = rules.successor(others)
    assert heir is not None
    assert heir.account == UUID(int=4)
    assert rules.successor([]) is None


@pytest.mark.parametrize("name", ["", "  ", "a:b", "#lounge", "@me", "a\u202eb", "a\u200bb", "a\nb", "\ufeff"])
def test_names_that_deceive_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        rules.clean_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Lounge", "lounge"), ("Straße", "STRASSE"), ("Café", "Cafe\u0301"), ("ﬁn", "fin"), ("a  b", "a b")],
)
def test_names_that_read_the_same_are_the_same(one: str, other: str) -> None:
    """B-018, B-109: unique with case is not unique."""
    assert rules.name_key(rules.clean_name(one)) == rules.name_key(rules.clean_name(other))


@given(st.text(max_size=200))
def test_the_key_of_a_name_is_its_own_key(name: str) -> None:
    key = rules.name_key(name)
    assert rules.name_key(key) == key


def test_a_change_leaves_out_what_it_does_not_name() -> None:
    old = Profile("lounge", "talk", "for all")
    assert settings.profile_after(old, ConversationChange(topic="tea")) == Profile("lounge", "tea", "for all")
    assert settings.profile_after(old, ConversationChange()) == old


def test_wildcards_in_a_search_are_ordinary_characters() -> None:
    assert rules.like("50%_\\") == "%50\\%\\_\\\\%"
