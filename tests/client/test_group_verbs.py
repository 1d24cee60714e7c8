"""What people do in groups with the SDK's verbs, and what each of their devices is told of it, once."""

from collections.abc import Callable

import pytest
from tests.client.conftest import Newcomer
from tests.client.test_following import take

from aparte.client import Client, ClientError, Message, Place, TimeOver, tell


def said(found: list[Message]) -> list[str]:
    return [tell(message) or str(message.text) for message in found]


async def trio(newcomer: Newcomer, tag: str) -> tuple[Client, Client, Client]:
    """Ann, bob and carol; ann has a group with both."""
    ann, bob, carol = [await newcomer(name) for name in ("ann", "bob", "carol")]
    await ann.groups.new_group("trio", [f"bob-{tag}", f"@carol-{tag}"])
    return ann, bob, carol


async def test_events_are_told_once_and_only_to_who_asks(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    ann, bob, carol = await trio(newcomer, tag)
    await ann.send("+trio", "salut")
    assert said(await take(carol.messages(), 1)) == ["salut"]
    stream = bob.messages(events=True)
    assert said(await take(stream, 3)) == [
        f"ann-{tag} added bob-{tag} and carol-{tag}",
        f"ann-{tag} named the group trio",
        "salut",
    ]
    await ann.change_role("+trio", f"bob-{tag}", "admin")
    await bob.change_room("+trio", topic="tout")
    await carol.send("+trio", "bonjour")
    assert said(await take(stream, 2)) == [f"ann-{tag} made bob-{tag} an admin", "bonjour"]
    await bob.close()
    async with Client.open(place("bob")) as again:
        await ann.send("+trio", "encore")
        assert said(await take(again.messages(events=True), 1)) == ["encore"]


async def test_history_tells_what_happened_between_the_messages_it_shows(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    for number in range(3):
        await ann.send("+trio", f"{number}")
        await ann.change_room("+trio", topic=f"after {number}")
    told = await bob.history("+trio", 2, events=True)
    topics = [f"ann-{tag} set the topic: after {number}" for number in (1, 2)]
    assert said(told) == ["1", topics[0], "2", topics[1]]
    assert said(await bob.history("+trio", 2)) == ["1", "2"]
    before = await bob.history("+trio", 1, before=told[2].id, events=True)
    assert said(before) == ["1", topics[0]]


async def test_an_answer_names_what_it_answers_and_repeats_nothing(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    asked = await ann.send("+trio", "who?")
    await bob.send("+trio", "me", reply=asked.id, mentions=[f"@ann-{tag}"])
    [heard] = await take(ann.messages(), 1)
    assert heard.reply is not None
    assert (heard.reply.id, heard.reply.sender, heard.reply.text) == (asked.id, f"ann-{tag}", "who?")
    assert heard.mentions == (f"ann-{tag}",)
    await ann.delete("+trio", asked.id)
    [_, answer] = await bob.history("+trio")
    assert answer.reply is not None
    assert answer.reply.text is None


async def test_answers_and_mentions_have_their_limits(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    await ann.new_room(f"open-{tag}")
    elsewhere = await ann.send(f"@bob-{tag}", "elsewhere")
    for options, code in (
        ({"reply": elsewhere.id}, "not_found"),
        ({"reply": "x"}, "bad_message_id"),
        ({"mentions": [f"nobody-{tag}"]}, "no_such_member"),
    ):
        with pytest.raises(ClientError, match=code):
            await ann.send("+trio", "x", **options)  # type: ignore[arg-type]
    await ann.send("+trio", "many", mentions=[f"bob-{tag}", f"@carol-{tag}", f"@bob-{tag}"])
    with pytest.raises(ClientError, match="mode_mismatch"):
        await ann.send(f"#open-{tag}", "x", mentions=[f"bob-{tag}"])
    assert sorted(said(await take(bob.messages(), 2))) == ["elsewhere", "many"]


async def test_an_answer_that_waits_is_shown_with_its_words(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    asked = await ann.send("+trio", "who?")
    await bob.history("+trio")
    with pytest.raises(TimeOver):
        await bob.send("+trio", "me", reply=asked.id, deadline=0)
    assert [item.text for item in bob.unsent()] == ["me"]
    await bob.send("+trio", "still me")
    answer = (await ann.history("+trio"))[1]
    assert (answer.text, answer.reply and answer.reply.text) == ("me", "who?")


async def test_pins_are_set_by_moderators_and_listed(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    first, second = [await ann.send("+trio", text) for text in ("one", "two")]
    with pytest.raises(ClientError, match="forbidden"):
        await bob.pin("+trio", first.id)
    for one in (first, second):
        await ann.pin("+trio", one.id)
    await ann.pin("+trio", first.id, on=False)
    assert [(one.text, one.is_pinned) for one in await bob.pinned("+trio")] == [("two", True)]
    direct = await bob.send(f"@ann-{tag}", "mine")
    await bob.pin(f"@ann-{tag}", direct.id)
    assert said(await ann.pinned(f"@bob-{tag}")) == ["mine"]


async def test_a_policy_changes_in_what_is_given_alone(newcomer: Newcomer, tag: str) -> None:
    ann, bob, _ = await trio(newcomer, tag)
    assert await ann.groups.change_policy("+trio", history=True) == ("history",)
    assert await ann.groups.change_policy("+trio", moderators_write=True) == ("history", "moderators_write")
    assert await ann.groups.change_policy("+trio", history=False, moderators_write=True) == ("moderators_write",)
    assert await bob.groups.policy("+trio") == ("moderators_write",)
    with pytest.raises(ClientError, match="forbidden"):
        await bob.send("+trio", "may I?")
    with pytest.raises(ClientError, match="invalid"):
        await ann.groups.change_policy("+trio", nonsense=True)
    with pytest.raises(ClientError, match="forbidden"):
        await ann.groups.add_members("+trio", [f"bob-{tag}"], history=True)


async def test_a_room_is_no_group(newcomer: Newcomer, tag: str) -> None:
    ann = await newcomer("ann")
    await ann.new_room(f"open-{tag}")
    for target in (f"#open-{tag}", "@me"):
        with pytest.raises(ClientError, match="mode_mismatch"):
            await ann.groups.invite(target)
    with pytest.raises(ClientError, match="invalid"):
        await ann.remove_member(f"#open-{tag}", f"ann-{tag}", ban=True)
