"""What becomes of words that do not go out at once: held for a moderator, slowed down, refused for good."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from aparte.client import Client, ClientError, Credentials, Place
from tests.support.server import Aparte

SECONDS = 30


async def test_words_that_are_held_outlive_their_process_and_come_when_they_are_let_through(
    server: Aparte, tmp_path: Path
) -> None:
    tag = uuid4().hex[:8]
    target = f"#forum-{tag}"

    def place(name: str) -> Place:
        return Place(name, home=tmp_path, server=server.url)

    def who(name: str) -> Credentials:
        return Credentials(f"{name}-{tag}", "correct horse battery staple")

    async with Client.register(place("ann"), who("ann"), email=f"ann-{tag}@example.org") as ann:
        await ann.new_room(target, metadata={"auto_moderate": True})
        await ann.moderation.set_words(target, ["spoiler"])
        async with Client.register(place("bob"), who("bob"), email=f"bob-{tag}@example.org") as bob:
            await bob.join(target)
            await bob.set_draft(target, "a spoi")
            for words in ("a spoiler", "another spoiler"):
                with pytest.raises(ClientError, match="held"):
                    await bob.send(target, words)
            assert await bob.draft(target) is None, "what is said is no longer being written"
        first, second = await ann.moderation.held(target)
        await ann.moderation.decide(target, first.id, approve=True)
        await ann.moderation.decide(target, second.id, approve=False, reason="not here")
        await ann.send(target, "that is all")
        async with Client.open(place("bob")) as bob:
            heard: list[str | None] = []
            async with asyncio.timeout(SECONDS):
                async for message in bob.messages():
                    heard.append(message.text)
                    if message.text == "that is all":
                        break
                while bob.unsent()[0].state != "refused":  # noqa: ASYNC110 - the state comes beside the log
                    await asyncio.sleep(0.05)
            assert heard == ["a spoiler", "that is all"], "and nothing of one's own that one knows"
            [rejected] = bob.unsent()
            assert (rejected.text, rejected.code) == ("another spoiler", "filtered")
            assert [message.text for message in await bob.history(target)] == ["a spoiler", "that is all"]
        async with Client.open(place("bob")) as bob:
            await ann.send(target, "goodbye")
            async with asyncio.timeout(SECONDS):
                async for message in bob.messages():
                    assert message.text == "goodbye", "each once"
                    break


async def test_slow_mode_is_waited_for_and_a_silence_is_not(server: Aparte, tmp_path: Path) -> None:
    tag = uuid4().hex[:8]
    target = f"#slow-{tag}"
    place = {name: Place(name, home=tmp_path, server=server.url) for name in ("ann", "bob")}
    who = {name: Credentials(f"{name}-{tag}", "correct horse battery staple") for name in place}
    async with (
        Client.register(place["ann"], who["ann"], email=f"ann-{tag}@example.org") as ann,
        Client.register(place["bob"], who["bob"], email=f"bob-{tag}@example.org") as bob,
    ):
        await ann.new_room(target, slow_mode_seconds=1)
        await bob.join(target)
        async with asyncio.timeout(SECONDS):
            sent = [await bob.send(target, words) for words in ("one", "two")]
        assert (sent[1].at - sent[0].at).total_seconds() >= 1
        await ann.change_conversation(target, slow_mode_seconds=0)
        await ann.archive_for_all(target)
        with pytest.raises(ClientError, match="archived"):
            await bob.send(target, "three")
        assert bob.unsent() == [], "whoever asked was told"
