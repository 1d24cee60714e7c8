"""The small rules: how long to wait, how names are read, when to acknowledge, and that every error has words."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.catalogue import text
from aparte.client import ClientError, NotSignedIn, Unreachable, describe, language_of
from aparte.client.core import retry
from aparte.client.core.acks import Acks
from aparte.client.core.names import IdTarget, RoomTarget, name_key, parse_target
from aparte.client.errors import OWN_CODES, error_for
from aparte.client.words import ERRORS
from aparte.wire.errors import CODES
from aparte.wire.ids import ConversationId, EntryId, Position

ROOM = ConversationId(UUID(int=9))


@given(st.integers(0, 200), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_anywhere_up_to_a_doubling_ceiling_of_a_minute(attempt: int, chance: float) -> None:
    assert 0 <= retry.delay(attempt, chance) <= min(60, 2**attempt)


@given(st.floats(0, 50), st.floats(0, 1, exclude_max=True))
def test_the_servers_wish_is_the_least_that_is_waited(wish: float, chance: float) -> None:
    assert wish <= retry.delay(0, chance, wish) <= 2 * wish
    told = ClientError("slow_mode", status=429, retry_after=wish)
    assert retry.pause(told, 0, chance) == retry.delay(0, 0, wish)
    untold = ClientError("slow_mode", status=429)
    assert retry.pause(untold, 0, chance) == retry.delay(0, chance)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Unreachable("unreachable"), True),
        (error_for("rate_limited"), True),
        (error_for("too_slow"), True),
        (error_for("unavailable"), True),
        (error_for("storage_full"), True),
        (error_for("internal"), True),
        (error_for("not_member"), False),
        (error_for("client_id_reused"), False),
        (error_for("account_locked"), False),
        (error_for("unauthenticated"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ClientError, again: bool) -> None:
    assert retry.is_transient(error) is again


def test_targets() -> None:
    assert parse_target("#Grand Salon") == RoomTarget("Grand Salon")
    assert parse_target(str(ROOM)) == IdTarget(ROOM)


@pytest.mark.parametrize(
    ("text", "code"),
    [("lounge", "bad_target"), ("#", "bad_target"), ("", "bad_target"), ("@", "bad_target")],
)
def test_what_is_no_target_is_said_to_be_none(text: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_target(text)
    assert caught.value.code == code


def test_names_are_the_same_whatever_their_case_form_and_spaces() -> None:
    assert name_key("Café  du\u00a0Port") == name_key("CAFE\u0301 DU PORT")


def test_acknowledgements_are_one_a_second_and_the_newest() -> None:
    acks = Acks()
    for seq in (1, 3, 2):
        acks.note(ROOM, Position(seq, EntryId(UUID(int=seq))))
    assert [ack.up_to.seq for ack in acks.due(10.0)] == [3]
    acks.note(ROOM, Position(4, EntryId(UUID(int=4))))
    assert acks.due(10.5) == []
    assert [ack.up_to.seq for ack in acks.due(11.0)] == [4]
    assert acks.due(20.0) == []


def test_at_the_end_nothing_waits_for_its_second() -> None:
    acks = Acks()
    acks.note(ROOM, Position(1, EntryId(UUID(int=1))))
    acks.due(10.0)
    acks.note(ROOM, Position(2, EntryId(UUID(int=2))))
    assert [ack.up_to.seq for ack in acks.due(10.1, closing=True)] == [2]


def test_every_code_has_its_words_in_both_languages() -> None:
    assert ERRORS.keys() == CODES.keys() | OWN_CODES.keys()
    for code in ERRORS:
        english, french = text("errors", code, "en"), text("errors", code, "fr")
        assert english.endswith(".")
        assert french.endswith(".")
        assert english != french


def test_words_follow_the_environment() -> None:
    assert language_of({"LANG": "fr_FR.UTF-8"}) == "fr"
    assert language_of({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}) == "en"
    assert language_of({}) == "en"
    assert describe(ClientError("not_member"), "fr") == "Vous n'êtes pas dans cette conversation."


@pytest.mark.parametrize("until", ["", "soon", 7, None, "9999-12-31T23:59:59.999999-14:00"])
def test_whoever_is_silenced_is_told_until_when_if_the_server_says_so(until: object) -> None:
    told = describe(ClientError("silenced", data={"until": "2030-01-31T12:00:00+00:00", "reason": "enough"}))
    assert re.fullmatch(r"A moderator has silenced you here until 2030-01-\d\d \d\d:\d\d \(enough\)\.", told)
    assert describe(ClientError("silenced", data={"until": until})) == "A moderator has silenced you here for a while."


@pytest.mark.parametrize("code", ["bad_credentials", "refresh_reused", "unauthenticated", "not_signed_in"])
def test_whatever_ends_a_session_is_not_signed_in(code: str) -> None:
    assert isinstance(error_for(code), NotSignedIn)
