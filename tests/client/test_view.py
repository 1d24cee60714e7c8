"""A stale copy and the entries after it make what all entries make: members, profile, messages as they are now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.client.core.bodies import plain
from aparte.client.core.view import Gap, View, apply, replay
from aparte.wire import kinds
from aparte.wire.codec import to_msgpack
from aparte.wire.content import MessageContent, Profile
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Entry

ROOM = ConversationId(UUID(int=99))
ANN, BOB = AccountId(UUID(int=1)), AccountId(UUID(int=2))
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(seq: int, kind: int, body: Any, by: AccountId = ANN, target: int | None = None) -> Entry:
    place = Position(target, EntryId(UUID(int=target))) if target else None
    at = MOMENT + timedelta(seconds=seq)
    ordinal = seq if kind == kinds.MESSAGE else None
    return Entry(seq, EntryId(UUID(int=seq)), kind, at, by, ordinal=ordinal, target=place, body=body)


def said(text: str) -> MessageContent:
    return MessageContent(text)


STORY = [
    entry(1, kinds.CREATED, Profile("salon")),
    entry(2, kinds.JOINED, kinds.MemberChange(BOB, "member"), BOB),
    entry(3, kinds.MESSAGE, said("un"), BOB),
    entry(4, kinds.EDIT, said("deux"), BOB, target=3),
    entry(5, kinds.ROLE, kinds.MemberChange(BOB, "admin")),
    entry(6, kinds.PROFILE, Profile("salle", "sujet", "longue")),
    entry(7, kinds.DELETION, kinds.Switch(on=True), ANN, target=3),
    entry(8, kinds.DELETION, kinds.Switch(on=False, content=said("deux")), ANN, target=3),
    entry(9, kinds.EDIT, said("trois"), BOB, target=3),
    entry(10, kinds.MESSAGE, said("vier"), ANN),
    entry(11, kinds.DELETION, kinds.Switch(on=True), ANN, target=10),
    entry(12, 77, {"new": "kind"}, BOB),
    entry(13, kinds.LEFT, kinds.MemberChange(BOB), BOB),
]


def test_a_story_told_to_its_end() -> None:
    view = replay(View(ROOM), STORY)
    first, second = view.messages[EntryId(UUID(int=3))], view.messages[EntryId(UUID(int=10))]
    assert (view.name, view.topic, view.description) == ("salle", "sujet", "longue")
    assert set(view.members) == {ANN}
    assert view.owner == ANN
    assert first.content == said("trois")
    assert (first.edit_count, first.edited_at) == (2, MOMENT + timedelta(seconds=9))
    assert (first.deleted_at, first.deleted_by) == (None, None)
    assert (second.content, second.deleted_by) == (None, ANN)
    assert view.message_count == 1
    assert [unknown.kind for unknown in view.unknown] == [77]
    assert view.at == Position(13, EntryId(UUID(int=13)))


def test_a_role_keeps_the_place_where_the_member_came_in() -> None:
    view = replay(View(ROOM), STORY[:5])
    assert view.members[BOB].role == "admin"
    assert view.members[BOB].joined.seq == 2


def test_a_deletion_takes_the_words_and_a_restore_brings_them_back() -> None:
    deleted = replay(View(ROOM), STORY[:7])
    assert deleted.messages[EntryId(UUID(int=3))].content is None
    assert apply(deleted, STORY[7]).messages[EntryId(UUID(int=3))].content == said("deux")


def test_an_emptied_log_gives_the_same_as_the_full_one() -> None:
    emptied = [
        entry(e.seq, e.kind, None, e.account, e.target and e.target.seq)
        if e.seq == 10 or (e.target and e.target.seq == 10 and e.kind == kinds.EDIT)
        else e
        for e in STORY
    ]
    assert replay(View(ROOM), emptied) == replay(View(ROOM), STORY)


@given(st.integers(0, len(STORY)), st.integers(0, len(STORY)))
def test_a_stale_copy_and_what_followed_is_the_fresh_one(stale: int, overlap: int) -> None:
    copy = replay(View(ROOM), STORY[:stale])
    assert replay(copy, STORY[min(stale, overlap) :]) == replay(View(ROOM), STORY)


@given(st.integers(0, len(STORY) - 1))
def test_applying_an_entry_leaves_the_older_view_as_it_was(stale: int) -> None:
    copy = replay(View(ROOM), STORY[:stale])
    again = replay(View(ROOM), STORY[:stale])
    apply(copy, STORY[stale])
    assert copy == again


def test_a_missing_entry_is_noticed() -> None:
    with pytest.raises(Gap):
        apply(View(ROOM), STORY[2])


@pytest.mark.parametrize("of", STORY, ids=lambda e: kinds.name_of(e.kind))
def test_bodies_are_the_same_over_either_encoding(of: Entry) -> None:
    over_msgpack = msgspec.msgpack.decode(to_msgpack(of), type=Entry)
    over_json = msgspec.json.decode(msgspec.json.encode(of), type=Entry)
    assert plain(over_msgpack) == plain(over_json)
    assert apply(View(ROOM, at=Position(of.seq - 1, of.id)), over_msgpack) == apply(
        View(ROOM, at=Position(of.seq - 1, of.id)), over_json
    )
