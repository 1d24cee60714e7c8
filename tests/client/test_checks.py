"""The checks of a sealed entry's place, in their order: each refusal by its name, and what is no refusal."""

from dataclasses import replace
from typing import Any

import pytest

from aparte.client.core.checks import Aim, Place, Standing, leaves_gap, order_code, place_code, right_code
from aparte.e2ee.content import Text
from aparte.e2ee.entry import ZERO_HASH, Head
from aparte.e2ee.membership import ADMIN, MEMBER, MODERATOR, OWNER, POLICY_HISTORY, POLICY_MODERATORS_WRITE
from aparte.wire import kinds

A, B, ROSTER, OTHER = b"a" * 32, b"b" * 32, b"r" * 32, b"o" * 32
HASH, PREV = b"h" * 32, b"p" * 32
ANN, BOB = b"n" * 16, b"m" * 16
HEAD = Head(1, b"c" * 16, ANN, b"d" * 16, epoch=4, roster=ROSTER, counter=3, client_id=b"i" * 16, prev=PREV)
KNOWN = Place(
    newest_epoch=4,
    known_roster=ROSTER,
    is_known=False,
    same_counter=None,
    hash_before=PREV,
    prev_after=None,
    newest_counter=2,
    is_edge=False,
)


def test_an_entry_in_its_place_holds() -> None:
    assert place_code(HEAD, HASH, KNOWN) is None
    assert not leaves_gap(HEAD, KNOWN)


@pytest.mark.parametrize(
    ("around", "code"),
    [
        ({"newest_epoch": 5}, "epoch_back"),
        ({"known_roster": OTHER}, "roster_mismatch"),
        ({"known_roster": None}, "roster_mismatch"),
        ({"is_known": True}, "replayed"),
        ({"same_counter": A}, "entry_forked"),
        ({"hash_before": A}, "entry_forked"),
        ({"prev_after": A}, "entry_forked"),
        ({"newest_epoch": 3}, None),
        ({"hash_before": None}, None),
        ({"same_counter": HASH}, None),
        ({"prev_after": HASH, "newest_counter": 4}, None),
        # the earlier check is the one that is told
        ({"newest_epoch": 5, "known_roster": OTHER, "is_known": True}, "epoch_back"),
        ({"known_roster": OTHER, "is_known": True}, "roster_mismatch"),
        ({"is_known": True, "same_counter": A}, "replayed"),
    ],
)
def test_a_place_is_checked(around: dict[str, Any], code: str | None) -> None:
    assert place_code(HEAD, HASH, replace(KNOWN, **around)) == code


def test_a_first_entry_has_nothing_before_it() -> None:
    first = replace(HEAD, counter=1)
    nobody = replace(KNOWN, hash_before=None, newest_counter=0)
    assert place_code(first, HASH, nobody) == "entry_forked"
    assert place_code(replace(first, prev=ZERO_HASH), HASH, nobody) is None


@pytest.mark.parametrize(
    ("counter", "newest", "is_edge", "gap"),
    [
        (3, 2, False, False),
        (4, 2, False, True),
        (2, 5, False, False),
        (1, 0, False, False),
        (2, 0, False, True),
        (2, 0, True, False),
        (7, 2, True, True),
    ],
)
def test_a_missing_entry_is_a_gap_but_for_the_edge(counter: int, newest: int, is_edge: bool, gap: bool) -> None:
    place = replace(KNOWN, newest_counter=newest, is_edge=is_edge)
    assert leaves_gap(replace(HEAD, counter=counter), place) is gap


MESSAGE_OF_ANN, MESSAGE_OF_BOB = Aim(kinds.MESSAGE, ANN), Aim(kinds.MESSAGE, BOB)
EDIT_OF_ANN = Aim(kinds.EDIT, ANN)


@pytest.mark.parametrize(
    ("kind", "target", "aim", "code"),
    [
        (kinds.MESSAGE, ZERO_HASH, None, None),
        (kinds.MESSAGE, A, MESSAGE_OF_BOB, None),
        (kinds.EDIT, A, MESSAGE_OF_ANN, None),
        (kinds.EDIT, A, MESSAGE_OF_BOB, "not_entitled"),
        (kinds.EDIT, A, EDIT_OF_ANN, "not_entitled"),
        (kinds.EDIT, A, None, None),
        (kinds.EDIT, ZERO_HASH, None, "bad_entry"),
        (kinds.DELETION, A, MESSAGE_OF_ANN, None),
        (kinds.DELETION, A, MESSAGE_OF_BOB, "not_entitled"),
        (kinds.DELETION, ZERO_HASH, None, "bad_entry"),
        (kinds.REACTION, A, MESSAGE_OF_BOB, None),
        (kinds.REACTION, A, EDIT_OF_ANN, "not_entitled"),
        (kinds.PIN, A, MESSAGE_OF_BOB, None),
        (kinds.SETTINGS, ZERO_HASH, None, None),
        (kinds.SETTINGS, A, MESSAGE_OF_ANN, "bad_entry"),
        (kinds.PROFILE, ZERO_HASH, None, "not_entitled"),
        (99, ZERO_HASH, None, "not_entitled"),
    ],
)
def test_who_may_do_what(kind: int, target: bytes, aim: Aim | None, code: str | None) -> None:
    assert right_code(replace(HEAD, kind=kind, target=target), aim) == code


@pytest.mark.parametrize(
    ("kind", "target", "aim", "least", "least_where_moderators_write"),
    [
        (kinds.MESSAGE, ZERO_HASH, None, MEMBER, MODERATOR),
        (kinds.MESSAGE, A, MESSAGE_OF_BOB, MEMBER, MODERATOR),
        (kinds.EDIT, A, MESSAGE_OF_ANN, MEMBER, MODERATOR),
        (kinds.EDIT, A, MESSAGE_OF_BOB, None, None),
        (kinds.DELETION, A, MESSAGE_OF_ANN, MEMBER, MEMBER),
        (kinds.DELETION, A, MESSAGE_OF_BOB, MODERATOR, MODERATOR),
        (kinds.REACTION, A, MESSAGE_OF_BOB, MEMBER, MODERATOR),
        (kinds.REACTION, A, EDIT_OF_ANN, None, None),
        (kinds.PIN, A, MESSAGE_OF_BOB, MODERATOR, MODERATOR),
        (kinds.PROFILE, ZERO_HASH, None, ADMIN, ADMIN),
        (kinds.SETTINGS, ZERO_HASH, None, ADMIN, ADMIN),
        (99, ZERO_HASH, None, None, None),
    ],
)
@pytest.mark.parametrize("role", [0, MEMBER, MODERATOR, ADMIN, OWNER])
def test_who_may_do_what_in_a_group(
    kind: int, target: bytes, aim: Aim | None, least: int | None, least_where_moderators_write: int | None, role: int
) -> None:
    head = replace(HEAD, kind=kind, target=target)
    for policy, needed in ((POLICY_HISTORY, least), (POLICY_MODERATORS_WRITE, least_where_moderators_write)):
        code = None if needed is not None and role >= needed else "not_entitled"
        assert right_code(head, aim, Standing(role, policy)) == code


@pytest.mark.parametrize(
    ("author", "deleted_by", "role", "code"),
    [
        (ANN, ANN, MEMBER, None),
        (ANN, BOB, MEMBER, "not_entitled"),
        (ANN, BOB, OWNER, "not_entitled"),
        (BOB, ANN, MODERATOR, None),
        (BOB, ANN, MEMBER, "not_entitled"),
        (BOB, BOB, MODERATOR, "not_entitled"),
        (ANN, None, MEMBER, None),
        (BOB, None, MEMBER, "not_entitled"),
    ],
)
def test_only_who_has_deleted_restores(author: bytes, deleted_by: bytes | None, role: int, code: str | None) -> None:
    head = replace(HEAD, kind=kinds.DELETION, target=A)
    aim = Aim(kinds.MESSAGE, author, deleted_by)
    assert right_code(head, aim, Standing(role, 0), is_restore=True) == code


@pytest.mark.parametrize("kind", [kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN])
def test_what_must_aim_aims_in_a_group_too(kind: int) -> None:
    assert right_code(replace(HEAD, kind=kind), None, Standing(OWNER, 0)) == "bad_entry"


@pytest.mark.parametrize(
    ("after", "known", "is_here", "code"),
    [
        (None, None, True, None),
        ((9, A), A, True, None),
        ((9, A), B, True, "reordered"),
        ((9, A), None, True, "reordered"),
        ((9, A), None, False, None),
        ((10, A), A, True, "reordered"),
        ((11, A), None, False, "reordered"),
    ],
)
def test_what_was_read_before_was_there_before(
    after: tuple[int, bytes] | None,
    known: bytes | None,
    is_here: bool,
    code: str | None,
) -> None:
    content = Text(at=1, text="x", after=after)
    assert order_code(content, 10, known, is_here=is_here) == code


@pytest.mark.parametrize(
    ("aim", "code"),
    [
        (None, None),
        (Aim(kinds.MESSAGE, BOB), None),
        (Aim(kinds.MESSAGE, BOB, is_reply=True), "not_entitled"),
        (Aim(kinds.EDIT, BOB), "not_entitled"),
        (Aim(kinds.PIN, BOB), "not_entitled"),
    ],
)
def test_a_thread_hangs_under_a_message_that_is_in_none(aim: Aim | None, code: str | None) -> None:
    head = replace(HEAD, kind=kinds.MESSAGE, target=A)
    for standing in (None, Standing(MEMBER, 0)):
        assert right_code(head, aim, standing) == code


def test_what_is_in_a_thread_is_changed_like_any_message() -> None:
    for kind in (kinds.EDIT, kinds.DELETION, kinds.REACTION, kinds.PIN):
        head = replace(HEAD, kind=kind, target=A)
        assert right_code(head, Aim(kinds.MESSAGE, head.account, is_reply=True)) is None
