"""Messages that the server can read, in the form in which sealed ones are shown: what they answer, mention, hang on."""

import pytest
from tests.client.conftest import Newcomer
from tests.client.test_conversations import refusal, two

from aparte.client import Client, Message
from aparte.wire import limits


async def room(newcomer: Newcomer, tag: str) -> tuple[Client, Client, str]:
    """Ann's room, with bob in it."""
    ann, bob = await two(newcomer)
    await ann.new_room(f"lounge-{tag}")
    await bob.join(f"#lounge-{tag}")
    return ann, bob, f"#lounge-{tag}"


def words(found: list[Message]) -> list[str | None]:
    return [message.text for message in found]


async def places(newcomer: Newcomer, tag: str) -> tuple[Client, Client, list[tuple[str, str]]]:
    """A room, and a private conversation: what ann and bob each call it."""
    ann, bob, target = await room(newcomer, tag)
    return ann, bob, [(target, target), (f"@bob-{tag}", f"@ann-{tag}")]


async def test_both_worlds_show_the_same_form(newcomer: Newcomer, tag: str) -> None:
    ann, bob, both = await places(newcomer, tag)
    for anns, bobs in both:
        first = await ann.send(anns, f"what do you think, @bob-{tag}?")
        reply = await bob.send(bobs, "well", reply=first.id, thread=first.id)
        await bob.react(bobs, first.id, "👍")
        await ann.pin(anns, first.id)
        await ann.edit(anns, first.id, f"what do you all think, @bob-{tag}?")
        shown = await bob.message(bobs, first.id)
        assert shown.text == f"what do you all think, @bob-{tag}?"
        assert (shown.mentions, shown.is_pinned, shown.edit_count) == ((f"bob-{tag}",), True, 1)
        assert (dict(shown.reactions), dict(shown.reaction_counts)) == ({"👍": (f"bob-{tag}",)}, {"👍": 1})
        assert shown.edited_at is not None
        assert shown.thread is not None
        assert (shown.thread.count, shown.thread.last, shown.thread.is_followed) == (1, reply.id, True)
        answer = (await ann.history(anns))[-1]
        assert (answer.text, answer.root) == ("well", first.id)
        assert answer.reply is not None
        assert (answer.reply.id, answer.reply.sender) == (first.id, f"ann-{tag}")
        assert words(await ann.pinned(anns)) == [shown.text]
        assert words(await ann.replies(anns, first.id)) == words(await ann.thread(anns, first.id)) == ["well"]
        assert words(await bob.threads(bobs)) == [shown.text]
        assert [version.text for version in await bob.versions(bobs, first.id)] == [
            f"what do you think, @bob-{tag}?",
            shown.text,
        ]
        await bob.unreact(bobs, first.id, "👍")
        await ann.unpin(anns, first.id)
        after = await ann.message(anns, first.id)
        assert (dict(after.reactions), after.is_pinned, await ann.pinned(anns)) == ({}, False, [])


async def test_what_is_so_already_stays_so(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    sent = await ann.send(target, "hello")
    assert await bob.react(target, sent.id, "👍") == await bob.react(target, sent.id, "👍") is not None
    assert await ann.pin(target, sent.id) == await ann.pin(target, sent.id) is not None
    assert await bob.unreact(target, sent.id, "👎") is None
    assert await ann.unpin(target, (await ann.send(target, "never pinned")).id) is None
    assert await refusal(bob.pin(target, sent.id)) == "forbidden"


async def test_mentions_of_both_worlds_are_one_list_newest_first(newcomer: Newcomer, tag: str) -> None:
    ann, bob, both = await places(newcomer, tag)
    for number in range(2):
        for anns, _ in both:
            await ann.send(anns, f"{number} @BOB-{tag}, look")
    await ann.send(both[1][0], f"`@bob-{tag}` is code", text_format="markdown")
    for _, bobs in both:
        await bob.history(bobs)
    found = await bob.mentions()
    assert [(message.conversation, (message.text or "")[0]) for message in found] == [
        (both[1][1], "1"),
        (both[0][1], "1"),
        (both[1][1], "0"),
        (both[0][1], "0"),
    ]
    assert [message.id for message in await bob.mentions(2, before=found[0].id)] == [found[1].id, found[2].id]
    assert await ann.mentions() == []


async def test_an_edit_mentions_whom_it_names_in_private_too(newcomer: Newcomer, tag: str) -> None:
    ann, bob, both = await places(newcomer, tag)
    for anns, bobs in both:
        sent = await ann.send(anns, "look")
        await ann.edit(anns, sent.id, f"look, @bob-{tag}")
        assert (await bob.message(bobs, sent.id)).mentions == (f"bob-{tag}",)
    assert len(await bob.mentions()) == 2


async def test_in_a_group_members_alone_are_mentioned(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    await newcomer("carol")
    await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])
    await ann.send(f"+club-{tag}", f"@carol-{tag} and @bob-{tag}, and @nobody")
    assert (await bob.history(f"+club-{tag}"))[-1].mentions == (f"bob-{tag}",)


@pytest.mark.parametrize("seconds", [limits.TTL_SECONDS[0] - 1, limits.TTL_SECONDS[1] + 1])
async def test_a_message_disappears_within_limits(newcomer: Newcomer, tag: str, seconds: int) -> None:
    ann, bob, both = await places(newcomer, tag)
    for anns, bobs in both:
        assert await refusal(ann.send(anns, "gone soon", ttl=seconds)) == "invalid"
        sent = await ann.send(anns, "gone soon", ttl=min(max(seconds, limits.TTL_SECONDS[0]), limits.TTL_SECONDS[1]))
        assert (await bob.message(bobs, sent.id)).expires_at is not None
    assert await refusal(ann.send(both[0][0], "x", ttl=("reading", 60))) == "mode_mismatch"


async def test_threads_are_followed_as_one_says(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    roots = [await ann.send(target, f"root {n}") for n in range(3)]
    for root in roots:
        await ann.send(target, "under", thread=root.id)
    assert words(await bob.threads(target)) == ["root 2", "root 1", "root 0"]
    assert words(await bob.threads(target, 2)) == ["root 2", "root 1"]
    assert await bob.threads(target, followed=True) == []
    await bob.follow(target, roots[1].id)
    assert words(await bob.threads(target, followed=True)) == ["root 1"]
    await bob.follow(target, roots[1].id, on=False)
    assert await bob.threads(target, followed=True) == []
    sent = [await ann.send(target, f"line {n}", thread=roots[0].id) for n in range(5)]
    assert words(await bob.thread(target, roots[0].id, 2)) == ["line 3", "line 4"]
    assert words(await bob.thread(target, roots[0].id, 2, before=sent[3].id)) == ["line 1", "line 2"]


async def test_what_is_forwarded_says_where_from_as_far_as_one_may_know(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    await ann.new_room(f"other-{tag}", public=False, mode="server")
    sent = await bob.send(target, "my words")
    there = await ann.forward(target, sent.id, f"#other-{tag}")
    shown = await ann.message(f"#other-{tag}", there.id)
    assert (shown.text, shown.is_forwarded) == ("my words", True)
    assert shown.origin is not None
    assert (shown.origin.message, shown.origin.sender) == (sent.id, f"bob-{tag}")
    private = await ann.forward(target, sent.id, f"@bob-{tag}")
    found = await bob.message(f"@ann-{tag}", private.id)
    assert (found.text, found.is_forwarded, found.origin) == ("my words", True, None)


async def test_receipts_say_who_has_read(newcomer: Newcomer, tag: str) -> None:
    ann, bob, both = await places(newcomer, tag)
    for anns, bobs in both:
        sent = await ann.send(anns, "read this")
        assert f"bob-{tag}" not in (await ann.receipts(anns, sent.id)).readers
        await bob.mark_read(bobs)
        found = await ann.receipts(anns, sent.id)
        assert f"bob-{tag}" in found.readers
        [bobs_receipt] = [one for one in found.receipts if one.username == f"bob-{tag}"]
        assert bobs_receipt.read_at is not None


async def test_an_answer_to_what_is_gone_shows_no_words_of_it(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await room(newcomer, tag)
    first = await ann.send(target, "said too much")
    await bob.send(target, "indeed", reply=first.id)
    await ann.delete(target, first.id)
    shown = (await ann.history(target))[-1]
    assert shown.text == "indeed"
    assert shown.reply is None or shown.reply.text is None
