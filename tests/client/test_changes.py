"""What entries make of a message beside its words: what a server would show after them, as far as a copy can know."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.client.core import changes
from aparte.client.core.view import View, replay
from aparte.wire import kinds, limits
from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Entry, Message, Reaction, Thread

ROOM = ConversationId(UUID(int=99))
ANN, BOB, CID = (AccountId(UUID(int=n)) for n in (1, 2, 3))
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(seq: int, kind: int, body: Any, by: AccountId = ANN, target: int | None = None) -> Entry:
    place = Position(target, EntryId(UUID(int=target))) if target else None
    ordinal = seq if kind == kinds.MESSAGE else None
    at = MOMENT + timedelta(seconds=seq)
    return Entry(seq, EntryId(UUID(int=seq)), kind, at, by, ordinal=ordinal, target=place, body=body)


def said(seq: int, by: AccountId, target: int | None = None) -> Entry:
    return entry(seq, kinds.MESSAGE, MessageContent("words"), by, target)


def reaction(seq: int, by: AccountId, emoji: str, *, on: bool = True) -> Entry:
    return entry(seq, kinds.REACTION, kinds.Reacted(emoji, on), by, 1)


def after(*entries: Entry, me: AccountId = ANN) -> dict[EntryId, Message]:
    return dict(replay(View(ROOM, me=me), entries).messages)


def first(messages: dict[EntryId, Message]) -> Message:
    return messages[EntryId(UUID(int=1))]


def test_reactions_are_counted_named_in_order_and_known_as_ones_own() -> None:
    story = [said(1, ANN), reaction(2, BOB, "+1"), reaction(3, ANN, "+1"), reaction(4, CID, "-1")]
    assert first(after(*story)).reactions == {"+1": Reaction(2, [BOB, ANN], True), "-1": Reaction(1, [CID])}
    story += [reaction(5, ANN, "+1", on=False), reaction(6, CID, "-1", on=False), reaction(7, BOB, "+1", on=False)]
    assert first(after(*story[:5])).reactions == {"+1": Reaction(1, [BOB]), "-1": Reaction(1, [CID])}
    assert first(after(*story)).reactions == {}


def test_a_copy_that_names_fifty_of_many_goes_on_counting() -> None:
    crowd = [AccountId(UUID(int=100 + n)) for n in range(limits.REACTORS_SHOWN + 1)]
    full = after(said(1, ANN), *(reaction(2 + n, who, "+1") for n, who in enumerate(crowd)))
    reacted = first(full).reactions["+1"]
    assert (reacted.count, reacted.accounts) == (len(crowd), crowd[: limits.REACTORS_SHOWN])
    less = changes.reacted({"+1": reacted}, kinds.Reacted("+1", on=False), crowd[0], ANN)["+1"]
    assert (less.count, less.accounts) == (len(crowd) - 1, crowd[1 : limits.REACTORS_SHOWN])
    more = changes.reacted({"+1": less}, kinds.Reacted("+1", on=True), BOB, ANN)["+1"]
    assert (more.count, more.accounts) == (len(crowd), less.accounts), "somebody between is not known by name"


def test_a_tombstone_keeps_its_pin_and_reactions_for_the_day_it_comes_back() -> None:
    story = [said(1, ANN), entry(2, kinds.PIN, kinds.Switch(on=True), BOB, 1), reaction(3, BOB, "+1")]
    gone = [entry(4, kinds.DELETION, kinds.Switch(on=True), ANN, 1)]
    message = first(after(*story, *gone))
    assert (message.deleted_by, message.pinned_by, message.pinned_at) == (ANN, BOB, MOMENT + timedelta(seconds=2))
    back = entry(5, kinds.DELETION, kinds.Switch(on=False, content=MessageContent("words")), ANN, 1)
    unpinned = entry(6, kinds.PIN, kinds.Switch(on=False), BOB, 1)
    message = first(after(*story, *gone, back, unpinned))
    assert (message.deleted_at, message.pinned_at, message.pinned_by) == (None, None, None)
    assert message.reactions == {"+1": Reaction(1, [BOB])}


def test_a_root_counts_what_is_there_and_is_followed_by_who_is_in_it() -> None:
    story = [said(1, ANN), said(2, BOB, 1), said(3, BOB, 1)]
    assert first(after(*story)).thread == Thread(2, EntryId(UUID(int=3)), is_followed=True)
    assert first(after(*story, me=BOB)).thread == first(after(*story)).thread
    assert first(after(*story, me=CID)).thread == Thread(2, EntryId(UUID(int=3)))
    story.append(entry(4, kinds.DELETION, kinds.Switch(on=True), ANN, 3))
    assert first(after(*story, me=CID)).thread == Thread(1, EntryId(UUID(int=2)))
    story.append(entry(5, kinds.DELETION, kinds.Switch(on=True), ANN, 2))
    assert first(after(*story, me=CID)).thread == Thread(0)
    story.append(entry(6, kinds.DELETION, kinds.Switch(on=False), ANN, 3))
    assert first(after(*story, me=CID)).thread == Thread(1, EntryId(UUID(int=3)))


def test_what_is_hidden_is_named_nowhere_and_counted_as_for_everybody() -> None:
    messages = after(said(1, ANN), said(2, BOB, 1), said(3, BOB, 1), me=CID)
    shown = changes.without(messages, {EntryId(UUID(int=3))})
    assert set(shown) == {EntryId(UUID(int=1)), EntryId(UUID(int=2))}
    assert first(shown).thread == Thread(2, EntryId(UUID(int=2)))
    assert changes.without(messages, set()) == messages


@pytest.mark.parametrize("on", [True, False])
def test_what_one_says_of_following_overrides_what_one_did(on: bool) -> None:
    message = first(after(said(1, ANN), said(2, ANN, 1)))
    thread = changes.followed(message, on=on).thread
    assert thread is not None
    assert thread.is_followed is on
    alone = first(after(said(1, ANN)))
    assert changes.followed(alone, on=on) == alone


@given(st.lists(st.tuples(st.sampled_from([ANN, BOB, CID]), st.sampled_from(["+1", "-1"])), max_size=30))
def test_reactions_are_those_whose_last_word_is_yes(wishes: list[tuple[AccountId, str]]) -> None:
    """Law: count = names = the last word of each person, which is what the server's rows say."""
    state: dict[tuple[AccountId, str], bool] = {}
    story = [said(1, ANN)]
    for who, emoji in wishes:
        state[who, emoji] = not state.get((who, emoji), False)
        story.append(reaction(len(story) + 1, who, emoji, on=state[who, emoji]))
    found = first(after(*story)).reactions
    assert {(who, emoji) for emoji, one in found.items() for who in one.accounts} == {
        k for k, on in state.items() if on
    }
    assert all(one.count == len(one.accounts) > 0 for one in found.values())
    assert {emoji for emoji, one in found.items() if one.is_mine} == {
        e for (who, e), on in state.items() if on and who == ANN
    }
