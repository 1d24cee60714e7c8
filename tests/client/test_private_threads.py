"""Threads, answers, mentions, versions, pins and what is forwarded, in private: out of each device's own store."""

from collections.abc import Callable

import pytest
from tests.client.conftest import Newcomer
from tests.client.grouped import account_of, group_of
from tests.client.linked import by, linking
from tests.client.saying import Clock, one, place_of, say, shown, texts

from aparte.client import Client, ClientError, Message, Place
from aparte.client.changing import entry_id
from aparte.client.history import Asked
from aparte.client.sending import content_of
from aparte.client.store import state
from aparte.e2ee.content import MENTIONS_MAX
from aparte.wire.accounts import StateItem
from aparte.wire.ids import AccountId
from aparte.wire.messages import Sent


async def two(newcomer: Newcomer, tag: str) -> tuple[Client, Client, str, str]:
    return await newcomer("ann"), await newcomer("bob"), f"@bob-{tag}", f"@ann-{tag}"


async def thread(who: Client, target: str, root: Sent, limit: int = 50, before: Sent | None = None) -> list[str | None]:
    asked = Asked(limit, before.id if before else None)
    return [message.text for message in await who._history.thread(await place_of(who, target), root.id, asked)]


async def threads(who: Client, target: str, limit: int = 50, **which: object) -> list[Message]:
    return await who._history.threads(await place_of(who, target), limit, **which)  # type: ignore[arg-type]


async def answers(who: Client, target: str, sent: Sent) -> list[str | None]:
    return [message.text for message in await who._history.answers(await place_of(who, target), sent.id)]


# Threads --------------------------------------------------------------------------------------------------------------


async def test_a_thread_is_read_counted_and_listed_by_its_newest_answer(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    first, second = await ann.send(to_bob, "first"), await ann.send(to_bob, "second")
    await say(bob, to_ann, "under the second", thread=second.id)
    under = await say(bob, to_ann, "under the first", thread=first.id)
    last = await say(ann, to_bob, "and again", thread=first.id)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert await thread(who, target, first) == ["under the first", "and again"]
        assert [(root.text, root.thread.count if root.thread else 0) for root in await threads(who, target)] == [
            ("first", 2),
            ("second", 1),
        ]
        counted = await one(who, target, first)
        assert counted.thread is not None
        assert (counted.thread.count, counted.thread.last) == (2, last.id)
        roots = {message.text: message.root for message in await shown(who, target)}
        assert roots == {
            "first": None,
            "second": None,
            "under the second": second.id,
            "under the first": first.id,
            "and again": first.id,
        }
    assert [root.text for root in await threads(bob, to_ann, before=last.id)] == ["second"]
    assert await thread(bob, to_ann, first, 1) == ["and again"]
    assert await thread(bob, to_ann, first, 1, last) == ["under the first"]
    assert under.seq < last.seq


async def test_what_is_said_under_an_answer_belongs_to_its_thread(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    root = await ann.send(to_bob, "root")
    under = await say(bob, to_ann, "under it", thread=root.id)
    deeper = await say(ann, to_bob, "under that", thread=under.id)
    assert (await one(bob, to_ann, deeper)).root == root.id
    assert await thread(bob, to_ann, root) == ["under it", "under that"]


async def test_nothing_is_said_under_what_was_deleted(newcomer: Newcomer, tag: str) -> None:
    ann, _, to_bob, _ = await two(newcomer, tag)
    root = await ann.send(to_bob, "root")
    await ann.delete(to_bob, root.id)
    await shown(ann, to_bob)
    with pytest.raises(ClientError, match="gone"):
        await say(ann, to_bob, "under it", thread=root.id)


async def test_deleted_and_disappeared_answers_are_not_counted_and_restored_ones_are(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    root = await ann.send(to_bob, "root")
    stays = await say(ann, to_bob, "stays", thread=root.id)
    await say(ann, to_bob, "goes", thread=root.id, ttl=("sending", 5))

    async def count() -> int:
        found = (await one(bob, to_ann, root)).thread
        return found.count if found else 0

    assert await count() == 2
    await ann.delete(to_bob, stays.id)
    assert await count() == 1
    await ann.restore(to_bob, stays.id)
    assert await count() == 2
    clock.go(5)
    assert await count() == 1
    assert await thread(bob, to_ann, root) == ["stays"]


async def test_answers_stay_when_the_root_disappears(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    root = await say(ann, to_bob, "root", ttl=("sending", 5))
    await say(bob, to_ann, "under it", thread=root.id)
    assert await texts(ann, to_bob) == ["root", "under it"]
    clock.go(5)
    assert await texts(ann, to_bob) == ["under it"]
    assert await threads(ann, to_bob) == []
    assert await thread(ann, to_bob, root) == ["under it"]


async def test_one_follows_what_one_has_begun_or_written_in_unless_one_says_otherwise(
    newcomer: Newcomer, tag: str
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    hers, his = await ann.send(to_bob, "hers"), await bob.send(to_ann, "his")
    for root in (hers, his):
        await say(bob, to_ann, "bob was here", thread=root.id)
    assert [root.text for root in await threads(ann, to_bob, followed=True)] == ["hers"]
    assert [root.text for root in await threads(bob, to_ann, followed=True)] == ["his", "hers"]
    key = f"thread:{hers.conversation}:{hers.id}"
    with ann._session.store.transaction() as tx:
        state.upsert_states(tx, [StateItem(key, 1_000_000, {"is_followed": False})], 1_000_000)
    assert await threads(ann, to_bob, followed=True) == []
    assert len(await threads(ann, to_bob)) == 2


async def test_a_newly_linked_device_has_the_answers_to_what_it_has_not(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    root = await ann.send(to_bob, "root")
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        await say(ann, to_bob, "under it", thread=root.id)
        [message] = [message for message in await shown(phone, to_ann) if message.text]
        assert (message.text, message.code) == ("under it", None)


# Answers, mentions ----------------------------------------------------------------------------------------------------


async def test_answers_to_a_message_are_found(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    question, other = await ann.send(to_bob, "who?"), await ann.send(to_bob, "what?")
    await say(bob, to_ann, "me", reply=question.id)
    gone = await say(bob, to_ann, "not me", reply=question.id)
    await say(ann, to_bob, "you?", reply=question.id)
    await say(bob, to_ann, "that", reply=other.id)
    await bob.delete(to_ann, gone.id)
    assert await answers(ann, to_bob, question) == await answers(bob, to_ann, question) == ["me", "you?"]
    await ann.edit(to_bob, question.id, "who is it?")
    quoted = (await shown(bob, to_ann))[2].reply
    assert quoted is not None
    assert quoted.text == "who is it?"


async def test_whoever_is_mentioned_finds_it_whatever_conversation_it_is_in(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, _ = await two(newcomer, tag)
    group = str(await group_of(ann, bob))
    me = (account_of(bob),)
    await say(ann, to_bob, "in private", mentions=me)
    await say(ann, group, "in the group", mentions=me)
    later = await ann.send(group, "in an edit")
    await say(ann, group, "of somebody else", mentions=(account_of(ann),))
    await ann._private.edit(await place_of(ann, group), later.id, content_of("bob, in an edit"), 30, mentions=me)
    hidden = await say(ann, group, "hidden", mentions=me)
    taken_back = await say(ann, group, "taken back", mentions=me)
    await ann.edit(group, taken_back.id, "nobody")
    for target in (group, f"@ann-{tag}"):
        await shown(bob, target)
    await bob.delete(group, hidden.id, for_me=True)
    with bob._session.store.transaction() as tx:
        key = f"hidden:{hidden.conversation}:{hidden.id}"
        state.upsert_states(tx, [StateItem(key, 1_000_000, {"at": 1})], 1_000_000)
    found = await bob._history.mentioning(10)
    assert [message.text for message in found] == ["bob, in an edit", "in the group", "in private"]
    assert found[0].mentions == (f"bob-{tag}",)
    for at in range(3):  # page by page
        page = await bob._history.mentioning(1, before=found[at - 1].id if at else None)
        assert [message.text for message in page] == [found[at].text]
    assert await bob._history.mentioning(1, before=found[-1].id) == []
    with bob._session.store.transaction() as tx:
        state.upsert_states(tx, [StateItem(f"block:{account_of(ann)}", 1_000_001, {"reason": ""})], 1_000_001)
    assert await bob._history.mentioning(10) == []


@pytest.mark.parametrize("more", [0, 1])
async def test_no_more_than_fifty_people_are_mentioned(newcomer: Newcomer, tag: str, more: int) -> None:
    ann, _, to_bob, _ = await two(newcomer, tag)
    people = tuple(AccountId(type(account_of(ann))(int=number)) for number in range(1, MENTIONS_MAX + 1 + more))
    if more:
        with pytest.raises(ClientError, match="invalid"):
            await say(ann, to_bob, "all of you", mentions=people)
    else:
        await say(ann, to_bob, "all of you", mentions=people)
        assert len((await shown(ann, to_bob))[0].mentions) == MENTIONS_MAX


# Versions, pins, forwarding, hiding -----------------------------------------------------------------------------------


async def test_every_version_of_a_message_can_be_read_until_it_is_deleted(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await ann.send(to_bob, "on")
    for text in ("one", "one."):
        await ann.edit(to_bob, sent.id, text)
    conversation = await place_of(bob, to_ann)
    versions = await bob._history.versions(conversation, entry_id(sent.id))
    assert [version.text for version in versions] == ["on", "one", "one."]
    assert [version.at for version in versions] == sorted(version.at for version in versions)
    assert (await one(bob, to_ann, sent)).edited_at == versions[-1].at
    await ann.delete(to_bob, sent.id)
    await shown(bob, to_ann)
    with pytest.raises(ClientError, match="gone"):
        await bob._history.versions(conversation, entry_id(sent.id))


async def test_what_was_pinned_last_is_first_however_old_it_is(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = [await ann.send(to_bob, text) for text in ("a", "b", "c")]
    for number in (1, 2, 0):
        await bob.pin(to_ann, sent[number].id)
    await ann.pin(to_bob, sent[2].id, on=False)
    for who, target in ((ann, to_bob), (bob, to_ann)):
        assert [message.text for message in await who.pinned(target)] == ["a", "b"]
    await ann.delete(to_bob, sent[1].id)
    assert [message.text for message in await bob.pinned(to_ann)] == ["a"]
    await ann.restore(to_bob, sent[1].id)
    assert [message.text for message in await bob.pinned(to_ann)] == ["a", "b"]


async def test_words_are_forwarded_without_saying_whose_they_were(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, _ = await two(newcomer, tag)
    group = str(await group_of(ann, bob))
    sent = await ann.send(to_bob, "for you alone")
    await ann.edit(to_bob, sent.id, "for all")
    await ann._changing.forward(to_bob, sent.id, group)
    [message] = await shown(bob, group)
    assert (message.text, message.is_forwarded, message.reply) == ("for all", True, None)
    await ann.edit(group, message.id, "for all of you")
    assert [(one.text, one.is_forwarded) for one in await shown(bob, group)] == [("for all of you", True)]


async def test_between_private_and_readable_words_are_copied(newcomer: Newcomer, tag: str) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    room = f"#r-{tag}"
    await ann.new_room(room)
    public = await ann.send(room, "read by all")
    await ann._changing.forward(room, public.id, to_bob)
    assert [(one.text, one.is_forwarded) for one in await shown(bob, to_ann)] == [("read by all", True)]
    private = await bob.send(to_ann, "tell them")
    await shown(ann, to_bob)
    await ann._changing.forward(to_bob, private.id, room)
    assert [message.text for message in await ann.history(room)] == ["read by all", "tell them"]


async def test_what_disappears_does_so_where_it_is_forwarded_to_and_is_not_forwarded_once_it_has(
    newcomer: Newcomer, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    sent = await say(ann, to_bob, "swift", ttl=("sending", 5))
    await shown(bob, to_ann)
    clock.go(3)
    await bob._changing.forward(to_ann, sent.id, "@me")
    assert await texts(bob, "@me") == ["swift"]
    clock.go(2)
    with pytest.raises(ClientError, match="gone"):
        await bob._changing.forward(to_ann, sent.id, "@me")
    assert await texts(bob, "@me") == ["swift"]
    clock.go(3)
    assert await texts(bob, "@me") == []


async def test_what_one_hides_is_hidden_on_ones_own_devices_alone(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    ann, bob, to_bob, to_ann = await two(newcomer, tag)
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        sent = await ann.send(to_bob, "not to my taste")
        answer = await say(ann, to_bob, "as I said", reply=sent.id)
        assert await texts(bob, to_ann) == await texts(phone, to_ann) == ["not to my taste", "as I said"]
        await bob.delete(to_ann, sent.id, for_me=True)
        for device in (bob, phone):
            await say(bob, to_ann, "hm")
            assert "not to my taste" not in await texts(device, to_ann)
            assert (await one(device, to_ann, answer)).reply is None
        assert "not to my taste" in await texts(ann, to_bob)
