"""Several people change the same things at once, over two server processes: afterwards everybody sees the same.

Nobody asks for an order between them; whatever the log made of it, a copy that follows is what a fetch shows, one
person's fetch is the others', and both processes answer alike.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from aparte.client.core.view import View
from tests.client.test_at_once import doings, tried
from tests.client.test_at_once import view as seen_by
from tests.journeys.test_stale_copy import Life
from tests.support import marking, people
from tests.support.people import Device, Problem
from tests.support.server import Aparte, aparte
from tests.support.talk import Talker, company

FOR_EVER = "2035-01-01T00:00:00Z"
EMOJI = ("👍", "🎉", "❤️")
LOST = {"forbidden", "silenced", "archived", "banned", "not_member", "not_found", "gone", "invalid", "last_owner"}
"""What somebody may hear who came second."""
ROUNDS, EACH = 6, 3

Verb = Callable[["Company"], Awaitable[Any]]


@pytest.fixture(scope="module")
def two() -> Iterator[Aparte]:
    """One Aparté of two processes."""
    with aparte(workers=2) as server:
        assert len(server.children("aparte.server")) == 2
        yield server


class Company:
    """A room, those whose copies are watched, and one person whom things happen to."""

    def __init__(self, rng: random.Random, room: str, watched: list[Device], target: Device) -> None:
        self.rng, self.room, self.watched, self.target = rng, room, watched, target
        self.messages: list[str] = []
        self.roles: list[str] = []
        self.hidden: set[str] = set()

    @property
    def at(self) -> str:
        """The room's address."""
        return f"/conversations/{self.room}"

    def somebody(self) -> Device:
        """One of those who are watched."""
        return self.rng.choice(self.watched)

    def message(self) -> str:
        """One of the messages that everybody is after: the newest most often."""
        return self.rng.choice(self.messages[-2:])

    async def say(self, **more: Any) -> None:
        """Say something; the next round is about it too."""
        who, key = self.somebody(), uuid4()
        body = {"client_message_id": str(key), "content": {"text": f"words {key.hex[:6]}"}} | more
        self.messages.append((await who.post(f"{self.at}/messages", body))["id"])


async def say(here: Company) -> None:
    await here.say()


async def answer(here: Company) -> None:
    message = here.message()
    await here.say(content={"text": "an answer", "reply": message})


async def answer_under(here: Company) -> None:
    await here.say(thread=here.message())


async def edit(here: Company) -> None:
    body = {"client_message_id": str(uuid4()), "content": {"text": f"edited {uuid4().hex[:6]}"}}
    await here.somebody().call("PATCH", f"{here.at}/messages/{here.message()}", body)


async def delete(here: Company) -> None:
    await marking.delete(here.somebody(), here.room, here.message())


async def restore(here: Company) -> None:
    await marking.restore(here.somebody(), here.room, here.message())


async def react(here: Company) -> None:
    emoji, on = here.rng.choice(EMOJI), here.rng.random() < 0.6
    await marking.react(here.somebody(), here.room, here.message(), emoji, on=on)


async def pin(here: Company) -> None:
    await marking.pin(here.somebody(), here.room, here.message(), on=here.rng.random() < 0.6)


async def follow(here: Company) -> None:
    await marking.follow(here.somebody(), here.room, here.message(), on=here.rng.random() < 0.5)


async def hide(here: Company) -> None:
    message = here.message()
    here.hidden.add(message)
    await here.somebody().call("DELETE", f"{here.at}/messages/{message}", scope="me")


async def profile(here: Company) -> None:
    field = here.rng.choice(["topic", "description", "welcome", "rules"])
    await here.somebody().call("PATCH", here.at, {field: uuid4().hex[:6]})


async def settings(here: Company) -> None:
    wanted = here.rng.choice([{"is_nsfw": True}, {"is_nsfw": False}, {"language": "en"}, {"metadata": {"a": 1}}])
    await here.somebody().call("PATCH", here.at, wanted)


async def archive(here: Company) -> None:
    await here.somebody().call("PATCH", here.at, {"is_archived": True})
    await here.somebody().call("PATCH", here.at, {"is_archived": False})


async def silence(here: Company) -> None:
    at = f"{here.at}/members/{here.somebody().account}/silence"
    await here.somebody().call("PUT", at, {"until": FOR_EVER})


async def lift_silence(here: Company) -> None:
    await here.somebody().call("DELETE", f"{here.at}/members/{here.somebody().account}/silence")


async def rank(here: Company) -> None:
    wanted = here.rng.choice(["member", "moderator", "admin"])
    await here.somebody().call("PATCH", f"{here.at}/members/{here.somebody().account}", {"role": wanted})


async def hand_over(here: Company) -> None:
    await here.somebody().call("PATCH", f"{here.at}/members/{here.somebody().account}", {"role": "owner"})


async def rights(here: Company) -> None:
    wanted = {"permissions": {"react": here.rng.random() < 0.5, "pin": True}}
    if here.roles and here.rng.random() < 0.5:
        wanted |= {"role_id": here.rng.choice(here.roles)}
    await here.somebody().call("PATCH", f"{here.at}/members/{here.somebody().account}", wanted)


async def define_role(here: Company) -> None:
    wanted = {"name": uuid4().hex[:6], "permissions": {"pin": True}, "is_default": here.rng.random() < 0.7}
    here.roles.append((await here.somebody().post(f"{here.at}/roles", wanted))["id"])


async def change_role(here: Company) -> None:
    if here.roles:
        at = f"{here.at}/roles/{here.rng.choice(here.roles)}"
        await here.somebody().call("PATCH", at, {"is_default": True, "permissions": {"react": here.rng.random() < 0.5}})


async def end_role(here: Company) -> None:
    if here.roles:
        await here.somebody().call("DELETE", f"{here.at}/roles/{here.rng.choice(here.roles)}")


async def nickname(here: Company) -> None:
    at = f"{here.at}/members/{here.somebody().account}/nickname"
    await here.somebody().call("PUT", at, {"nickname": here.rng.choice([None, uuid4().hex[:6]])})


async def come(here: Company) -> None:
    await here.target.join(here.room)


async def go(here: Company) -> None:
    await here.target.post(f"{here.at}/leave")


async def put_out(here: Company) -> None:
    await here.somebody().call("DELETE", f"{here.at}/members/{here.target.account}")


async def ban(here: Company) -> None:
    await here.somebody().call("PUT", f"{here.at}/bans/{here.target.account}", {"reason": "spam"})


async def lift_ban(here: Company) -> None:
    await here.somebody().call("DELETE", f"{here.at}/bans/{here.target.account}")


ABOUT_MESSAGES: list[Verb] = [say, answer, answer_under, edit, edit, delete, restore, react, react, react, pin, pin]
ABOUT_MESSAGES += [follow, hide]
ABOUT_THE_ROOM: list[Verb] = [profile, settings, archive, silence, lift_silence, rank, rights, define_role, change_role]
ABOUT_THE_ROOM += [end_role, nickname, hand_over, come, go, put_out, ban, lift_ban]


async def second_counts(doing: Awaitable[Any]) -> bool:
    """Do something that may be too late; tells whether it was done."""
    try:
        await doing
    except Problem as problem:
        assert problem.code in LOST, problem
        return False
    return True


@pytest.fixture
async def here(two: Aparte, request: pytest.FixtureRequest) -> AsyncIterator[Company]:
    """Four people and a fifth, each with connections of their own, so that both processes are asked."""
    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(people.world(two.url)) for _ in range(5)]
        owner, admin, moderator, member, target = [await world.register("person") for world in worlds]
        room = await owner.room()
        for person in (admin, moderator, member, target):
            await person.join(room)
        for person, role in ((admin, "admin"), (moderator, "moderator")):
            await owner.call("PATCH", f"/conversations/{room}/members/{person.account}", {"role": role})
        company = Company(random.Random(request.node.name), room, [owner, admin, moderator, member], target)
        await company.say()
        yield company


def impersonal(view: View) -> View:
    """A view without what is each one's own: which reactions are mine, what I follow, the newest reply that I have not
    hidden, what I typed."""
    messages = {
        key: msgspec.structs.replace(
            message,
            source=None,
            reactions={k: msgspec.structs.replace(r, is_mine=False) for k, r in message.reactions.items()},
            thread=msgspec.structs.replace(message.thread, is_followed=False, last=None) if message.thread else None,
        )
        for key, message in view.messages.items()
    }
    return replace(view, me=None, messages=messages)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("about", [ABOUT_MESSAGES, ABOUT_MESSAGES + ABOUT_THE_ROOM], ids=["messages", "everything"])
async def test_in_a_room_everybody_sees_the_same_afterwards(here: Company, about: list[Verb], seed: int) -> None:
    rng, done = random.Random(seed), 0
    lives = [Life(here.watched[0], person, person, here.target, here.room) for person in here.watched]
    copies = [await life.fresh() for life in lives]
    for _ in range(ROUNDS):
        verbs = [rng.choice(about) for _ in range(EACH * len(here.watched))]
        done += sum(await asyncio.gather(*(second_counts(verb(here)) for verb in verbs)))
        fresh = [await life.fresh() for life in lives]
        copies = [await life.caught_up(copy) for life, copy in zip(lives, copies, strict=True)]
        for life, copy, now in zip(lives, copies, fresh, strict=True):
            assert copy == now, life.bob.username
        shared = set(fresh[0].messages).intersection(*(view.messages for view in fresh))
        assert {str(key) for view in fresh for key in view.messages} - {str(key) for key in shared} <= here.hidden
        common = [replace(v, messages={k: v.messages[k] for k in shared}) for v in map(impersonal, fresh)]
        assert all(view == common[0] for view in common)
    assert done > ROUNDS * len(here.watched) / 2


async def test_one_thing_is_done_once_however_many_ask(here: Company) -> None:
    owner, admin, moderator, _ = here.watched
    message = here.messages[0]
    before = (await owner.get(here.at))["head"]["seq"]
    key = uuid4()
    await asyncio.gather(*(marking.react(admin, here.room, message, "👍", key=key) for _ in range(8)))
    await asyncio.gather(*(marking.pin(person, here.room, message) for person in (owner, admin, moderator) * 3))
    await asyncio.gather(*(owner.send(here.room, "once", key) for key in [uuid4()] * 8))
    bans = [admin.call("PUT", f"{here.at}/bans/{here.target.account}", {"reason": "spam"}) for _ in range(6)]
    await asyncio.gather(*bans)
    entries = (await owner.get(f"{here.at}/entries", limit=500))["entries"]
    new = [entry["kind"] for entry in entries if entry["seq"] > before]
    assert sorted(new) == sorted(set(new)), "something was done twice"
    assert len(new) == 4


# Encrypted: through the SDK -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["direct", "group"])
async def test_in_an_encrypted_conversation_everybody_sees_the_same_afterwards(
    two: Aparte, tmp_path: Path, kind: str, seed: int
) -> None:
    rng = random.Random(seed)
    async with company(tmp_path, two.url) as here:
        ann, bob = await here.newcomer("ann"), await here.newcomer("bob")
        phone = await here.link(bob)
        targets = {ann: bob.name, bob: ann.name, phone: ann.name}
        if kind == "group":
            carol = await here.newcomer("carol")
            made = await ann.client.groups.new_group("at once", [bob.username, carol.username])
            targets = dict.fromkeys((ann, bob, phone, carol), str(made.id))
        sent = [await ann.client.send(targets[ann], f"message {number}") for number in range(3)]
        for who in targets:
            await who.hears(*(f"message {number}" for number in range(3)) if who is not ann else ())
        for _ in range(4):
            tries = [(who, rng.choice(doings(rng)), rng.choice(sent)) for who in targets for _ in range(2)]
            await asyncio.gather(*(tried(doing(who.client, targets[who], at)) for who, doing, at in tries))
        await agree(targets)
        assert all(who.client.unreadable() == {} for who in targets)


async def agree(targets: dict[Talker, str]) -> None:
    """Wait until everybody sees the same: what was said, edited, deleted, pinned, reacted with."""
    views: list[Any] = []
    async with asyncio.timeout(30):
        while not views or any(view != views[0] for view in views):
            views = [await seen_by(who.client, target) for who, target in targets.items()]
