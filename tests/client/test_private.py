"""Two people and their devices talk in private against a whole server: everybody reads all of it, once and in order."""

import asyncio
from collections.abc import Callable

from tests.client.conftest import Newcomer
from tests.client.test_following import nothing_more, take

from aparte.client import Client, Place

Places = Callable[[str], Place]


async def two(newcomer: Newcomer) -> tuple[Client, Client]:
    return await newcomer("ann"), await newcomer("bob")


async def test_a_message_is_read_by_whom_it_is_for(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    stream = bob.messages()
    waiting = asyncio.ensure_future(take(stream, 1))
    sent = await ann.send(f"@bob-{tag}", "salut")
    [message] = await waiting
    assert (message.text, message.sender, message.conversation) == ("salut", f"ann-{tag}", f"@ann-{tag}")
    assert (message.id, message.seq, message.device) == (sent.id, sent.seq, ann.device_id)


async def test_a_conversation_goes_both_ways_in_order(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    for number in range(5):
        await ann.send(f"@bob-{tag}", f"ann {number}")
        await bob.send(f"@ann-{tag}", f"bob {number}")
    heard = await take(ann.messages(), 5)
    assert [message.text for message in heard] == [f"bob {number}" for number in range(5)]
    assert [message.text for message in await take(bob.messages(), 5)] == [f"ann {number}" for number in range(5)]
    both = [f"{who} {number}" for number in range(5) for who in ("ann", "bob")]
    assert [message.text for message in await ann.history(f"@bob-{tag}")] == both
    assert [message.text for message in await bob.history(f"@ann-{tag}")] == both
    assert ann.unreadable() == bob.unreadable() == {}
    await nothing_more(ann.messages() if ann._stream is None else ann._stream)
