"""Several people do things to the same messages at once: afterwards everybody sees the same, on every device."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from tests.client.conftest import Newcomer
from tests.client.grouped import account_of
from tests.client.linked import by, linking
from tests.client.saying import one, place_of, say, shown
from tests.support.valkey import until

from aparte.client import Client, ClientError, Message, Place
from aparte.client.crypto import disappearing, membership
from aparte.client.history import Asked
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Sent

EMOJI = ("👍", "🎉", "🦊")
Do = Callable[[Client, str, Sent], Coroutine[Any, Any, object]]


def doings(rng: random.Random) -> list[Do]:
    """What anybody may try to do to a message; some of it is refused."""
    emoji, on = rng.choice(EMOJI), rng.random() < 0.7
    words = f"changed {rng.randrange(1_000)}"
    return [
        lambda who, target, sent: who.edit(target, sent.id, words),
        lambda who, target, sent: who.react(target, sent.id, emoji, on=on),
        lambda who, target, sent: who.pin(target, sent.id, on=on),
        lambda who, target, sent: who.delete(target, sent.id),
        lambda who, target, sent: who.restore(target, sent.id),
        lambda who, target, sent: say(who, target, f"under {words}", thread=sent.id),
        lambda who, target, sent: say(who, target, f"to {words}", reply=sent.id),
    ]


async def tried(doing: Awaitable[object]) -> None:
    with suppress(ClientError):
        await doing


async def view(who: Client, target: str) -> list[tuple[object, ...]]:
    """What somebody sees of everything, with what is pinned and which threads there are."""
    conversation = await place_of(who, target)
    found = [_seen(message) for message in await shown(who, target)]
    found += [("pinned", message.id) for message in await who.pinned(target)]
    found += [("thread", message.id) for message in await who._history.threads(conversation, 50)]
    for message in await shown(who, target):
        found += [("in", message.id, one.id) for one in await who._history.thread(conversation, message.id, Asked(50))]
        found += [("to", message.id, one.id) for one in await who._history.answers(conversation, message.id)]
    return found


def _seen(message: Message) -> tuple[object, ...]:
    reactions = sorted((emoji, people) for emoji, people in message.reactions.items())
    count = message.thread.count if message.thread else 0
    said = (message.id, message.text, message.edit_count, message.deleted_at is None, message.is_pinned)
    return (*said, str(reactions), message.root, count, message.reply and message.reply.text)


@pytest.mark.parametrize("seed", range(3))
async def test_everybody_sees_the_same_afterwards(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str, seed: int
) -> None:
    rng = random.Random(seed)
    people = [await newcomer(name) for name in ("ann", "bob", "carol")]
    ann, bob, carol = people
    group = str((await membership.create(ann._session, [account_of(bob), account_of(carol)], 0)).id)
    await ann.change_role(group, f"bob-{tag}", "moderator")
    async with linking(place("phone"), f"carol-{tag}", by(carol)) as phone:
        devices = [*people, phone]
        sent = [await rng.choice(devices).send(group, f"message {number}") for number in range(4)]
        for device in devices:
            await shown(device, group)
        for _ in range(5):
            await asyncio.gather(
                *(tried(rng.choice(doings(rng))(device, group, rng.choice(sent))) for device in devices)
            )
        views = [await view(device, group) for device in devices]
        assert views[1:] == views[:-1]
        assert all(device.unreadable() == {} for device in devices)


async def test_of_two_who_pin_and_unpin_at_once_the_last_in_the_log_counts_for_both(
    newcomer: Newcomer, tag: str
) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    to_bob, to_ann = f"@bob-{tag}", f"@ann-{tag}"
    sent = await ann.send(to_bob, "pin me")
    await shown(bob, to_ann)
    for _ in range(3):
        await asyncio.gather(ann.pin(to_bob, sent.id), bob.pin(to_ann, sent.id, on=False))
        seen = {(await one(who, target, sent)).is_pinned for who, target in ((ann, to_bob), (bob, to_ann))}
        assert len(seen) == 1


async def test_who_comes_later_is_told_how_long_messages_stay(newcomer: Newcomer) -> None:
    ann, bob = await newcomer("ann"), await newcomer("bob")
    group = (await membership.create(ann._session, [], 0)).id
    await ann._changing.set_ttl(str(group), ("sending", 60))
    await ann.groups.add_members(str(group), [(await bob.who_am_i()).username])
    await ann.send(str(group), "hello")
    await shown(bob, str(group))
    await until(lambda: _default(bob, group) == ("sending", 60), 15)


def _default(who: Client, group: ConversationId) -> object:
    with who._session.store.reading() as tx:
        return disappearing.default(tx, group)
