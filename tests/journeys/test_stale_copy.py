"""A stale copy + entries + account state = a fresh fetch, after every action. One generic test, and random lives.

Whoever adds a kind of entry adds its action here; `test_every_kind_of_entry_has_its_action` says so otherwise.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from aparte.client.core.changes import followed, without
from aparte.client.core.view import View, replay, view_of
from aparte.wire import kinds
from aparte.wire.accounts import StatePage
from aparte.wire.conversations import Conversation, MemberPage
from aparte.wire.ids import AccountId, EntryId
from aparte.wire.messages import EntryPage, MessagePage
from tests.support import moderating
from tests.support.marking import follow, pin, react, reply
from tests.support.people import Device, Problem, World


class Life:
    """A room with three people in it; bob keeps a copy, the others and bob's phone act."""

    def __init__(self, owner: Device, bob: Device, phone: Device, carol: Device, room: str) -> None:
        self.owner, self.bob, self.phone, self.carol, self.room = owner, bob, phone, carol, room
        self.rng = random.Random(room)

    @property
    def me(self) -> AccountId:
        """Whose copy it is."""
        return AccountId(UUID(self.bob.account))

    async def ask(self, path: str, wanted: Any, **params: Any) -> Any:
        """GET something as bob, typed."""
        return msgspec.convert(await self.bob.get(path, **params), wanted)

    async def fresh(self) -> View:
        """Fetch everything anew."""
        at = f"/conversations/{self.room}"
        conversation = await self.ask(at, Conversation)
        members = await self.ask(f"{at}/members", MemberPage)
        messages, page = [], await self.ask(f"{at}/messages", MessagePage, limit=100, tombstones=True)
        messages += page.messages
        while page.older:
            page = await self.ask(f"{at}/messages", MessagePage, limit=100, tombstones=True, before=page.older)
            messages += page.messages
        return view_of(conversation, members.members, messages, self.me)

    async def caught_up(self, stale: View) -> View:
        """Bring a stale copy up to date by entries and account state."""
        page = EntryPage([], more=True)
        while page.more:
            page = await self.ask(f"/conversations/{self.room}/entries", EntryPage, after=stale.at.id, limit=7)
            stale = replay(stale, page.entries)
        state = await self.ask("/account/state", StatePage)
        prefix = f"hidden:{self.room}:"
        hidden = {EntryId(UUID(item.key.removeprefix(prefix))) for item in state.items if item.key.startswith(prefix)}
        shown = without(stale.messages, hidden)
        prefix = f"thread:{self.room}:"
        for item in state.items:
            root = EntryId(UUID(item.key.removeprefix(prefix))) if item.key.startswith(prefix) else None
            if root in shown:
                shown[root] = followed(shown[root], on=item.value["is_followed"])
        return replace(stale, messages=shown)

    async def a_message(self, *, of: Device | None = None, deleted: bool = False) -> str:
        """Some message that is there (or deleted), said before if there is none."""
        view = await self.fresh()
        fitting = [
            m
            for m in view.messages.values()
            if (m.deleted_at is not None) == deleted and (of is None or str(m.account) == of.account)
        ]
        if fitting:
            return str(self.rng.choice(fitting).id)
        said = await (of or self.carol).send(self.room, f"made up {uuid4().hex[:6]}")
        if deleted:
            await remove(self, str(said["id"]))
        return str(said["id"])


async def remove(life: Life, message: str) -> None:
    """Delete for everyone."""
    await life.owner.call("DELETE", f"/conversations/{life.room}/messages/{message}", client_message_id=uuid4())


async def say(life: Life) -> None:
    await life.carol.send(life.room, f"words {uuid4().hex[:6]}", metadata={"n": life.rng.randrange(9)})


async def say_from_my_phone(life: Life) -> None:
    await life.phone.send(life.room, "from my phone")


async def edit(life: Life) -> None:
    message = await life.a_message(of=life.carol)
    body = {"client_message_id": str(uuid4()), "content": {"text": f"edited {uuid4().hex[:6]}", "format": "markdown"}}
    await life.carol.call("PATCH", f"/conversations/{life.room}/messages/{message}", body)


async def delete(life: Life) -> None:
    await remove(life, await life.a_message())


async def restore(life: Life) -> None:
    message = await life.a_message(deleted=True)
    path = f"/conversations/{life.room}/messages/{message}/restore"
    await life.owner.post(path, {"client_message_id": str(uuid4())})


async def hide(life: Life) -> None:
    message = await life.a_message()
    await life.phone.call("DELETE", f"/conversations/{life.room}/messages/{message}", scope="me")


async def profile(life: Life) -> None:
    await life.owner.call("PATCH", f"/conversations/{life.room}", {"topic": f"topic {uuid4().hex[:6]}"})


async def say_all_of_oneself(life: Life) -> None:
    said = {"welcome": f"hello {uuid4().hex[:6]}", "rules": "be kind", "picture": "https://example.org/p.png"}
    await life.owner.call("PATCH", f"/conversations/{life.room}", said)


async def settings(life: Life) -> None:
    wanted = {
        "is_nsfw": life.rng.random() < 0.5,
        "language": life.rng.choice(["fr", "en", "simple"]),
        "max_members": life.rng.randrange(100, 200),
        "metadata": {"theme": uuid4().hex[:6], "name": "is not changed here"},
    }
    await life.owner.call("PATCH", f"/conversations/{life.room}", wanted)


async def archive_and_back(life: Life) -> None:
    await life.owner.call("PATCH", f"/conversations/{life.room}", {"is_archived": True})
    await life.owner.call("PATCH", f"/conversations/{life.room}", {"is_archived": False})


async def come_by_a_link(life: Life) -> None:
    made = await life.owner.post(f"/conversations/{life.room}/invites", {"role": "moderator"})
    await life.carol.post(f"/conversations/{life.room}/leave")
    await life.carol.post(f"/invites/{made['token']}/enter")


async def leave_and_join(life: Life) -> None:
    await life.carol.post(f"/conversations/{life.room}/leave")
    await life.carol.join(life.room)


async def put_out_and_back(life: Life) -> None:
    await life.owner.call("DELETE", f"/conversations/{life.room}/members/{life.carol.account}")
    await life.carol.join(life.room)


async def role(life: Life) -> None:
    wanted = life.rng.choice(["member", "moderator", "admin"])
    await life.owner.call("PATCH", f"/conversations/{life.room}/members/{life.bob.account}", {"role": wanted})


async def define_roles(life: Life) -> None:
    at = f"/conversations/{life.room}/roles"
    there = (await life.owner.get(at))["roles"]
    if len(there) > 2:
        await life.owner.call("DELETE", f"{at}/{there[0]['id']}")
    wanted = {"name": uuid4().hex[:6], "permissions": {"pin": True}, "is_default": life.rng.random() < 0.7}
    made = await life.owner.post(at, wanted)
    await life.owner.call("PATCH", f"{at}/{made['id']}", {"colour": "#00ff00", "is_default": True})


async def rights(life: Life) -> None:
    there = (await life.owner.get(f"/conversations/{life.room}/roles"))["roles"]
    wanted = {
        "permissions": {"invite": life.rng.random() < 0.5, "react": life.rng.random() < 0.5},
        "role_id": life.rng.choice([None, *(role["id"] for role in there)]),
    }
    await life.owner.call("PATCH", f"/conversations/{life.room}/members/{life.bob.account}", wanted)


async def end_a_role_that_somebody_has(life: Life) -> None:
    at = f"/conversations/{life.room}"
    made = await life.owner.post(f"{at}/roles", {"name": "short-lived"})
    await life.owner.call("PATCH", f"{at}/members/{life.bob.account}", {"role_id": made["id"]})
    await life.owner.call("DELETE", f"{at}/roles/{made['id']}")


async def silence_and_not(life: Life) -> None:
    at = f"/conversations/{life.room}/members/{life.bob.account}/silence"
    await life.owner.call("PUT", at, {"until": "2035-01-01T00:00:00Z"})
    if life.rng.random() < 0.5:
        await life.owner.call("DELETE", at)


async def leave_silenced_and_come_back(life: Life) -> None:
    at = f"/conversations/{life.room}/members/{life.carol.account}"
    await life.owner.call("PATCH", at, {"permissions": {"react": False, "pin": True}})
    await life.owner.call("PUT", f"{at}/silence", {"until": "2035-01-01T00:00:00Z"})
    await leave_and_join(life)
    await life.owner.call("DELETE", f"{at}/silence")


async def nickname(life: Life) -> None:
    at = f"/conversations/{life.room}/members/{life.bob.account}/nickname"
    await life.phone.call("PUT", at, {"nickname": life.rng.choice([None, uuid4().hex[:6]])})


async def ban_and_lift(life: Life) -> None:
    at = f"/conversations/{life.room}/bans/{life.carol.account}"
    await life.owner.call("PUT", at, {"reason": "spam"})
    await life.owner.call("DELETE", at)
    await life.carol.join(life.room)


async def hand_over_and_back(life: Life) -> None:
    at = f"/conversations/{life.room}/members"
    await life.owner.call("PATCH", f"{at}/{life.bob.account}", {"role": "member", "permissions": {"react": False}})
    await life.owner.call("PATCH", f"{at}/{life.bob.account}", {"role": "owner"})
    await life.bob.call("PATCH", f"{at}/{life.owner.account}", {"role": "owner"})


EMOJI = ["👍", "❤️", "+1"]


async def reacting(life: Life) -> None:
    message = await life.a_message()
    for who in life.rng.sample([life.owner, life.bob, life.phone, life.carol], 3):
        await react(who, life.room, message, life.rng.choice(EMOJI))


async def take_reactions_back(life: Life) -> None:
    message = await life.a_message()
    for who in (life.owner, life.bob, life.carol):
        await react(who, life.room, message, EMOJI[0])
    for who in life.rng.sample([life.owner, life.bob, life.carol], 2):
        await react(who, life.room, message, EMOJI[0], on=False)


async def pin_one(life: Life) -> None:
    await pin(life.owner, life.room, await life.a_message())


async def unpin_one(life: Life) -> None:
    message = await life.a_message()
    await pin(life.owner, life.room, message)
    await pin(life.owner, life.room, message, on=False)


async def a_pin_and_a_reaction_come_back(life: Life) -> None:
    message = await life.a_message()
    await pin(life.owner, life.room, message)
    await react(life.carol, life.room, message, EMOJI[1])
    await remove(life, message)
    await life.owner.post(f"/conversations/{life.room}/messages/{message}/restore", {"client_message_id": str(uuid4())})


async def a_root(life: Life) -> str:
    """Some message that is no reply."""
    view = await life.fresh()
    roots = [m for m in view.messages.values() if m.deleted_at is None and m.root is None]
    return str(life.rng.choice(roots).id) if roots else str((await life.carol.send(life.room, "root"))["id"])


async def answer_in_a_thread(life: Life) -> None:
    root = await a_root(life)
    for who in life.rng.sample([life.owner, life.phone, life.carol], 2):
        await reply(who, life.room, root, "in the thread")


async def delete_in_a_thread(life: Life) -> None:
    root = await a_root(life)
    said = [await reply(life.carol, life.room, root, str(n)) for n in range(2)]
    await remove(life, life.rng.choice(said))


async def hide_in_a_thread(life: Life) -> None:
    root = await a_root(life)
    said = [await reply(life.carol, life.room, root, str(n)) for n in range(3)]
    await life.phone.call("DELETE", f"/conversations/{life.room}/messages/{said[1]}", scope="me")
    await remove(life, said[2])


async def follow_or_not(life: Life) -> None:
    root = await a_root(life)
    await reply(life.carol, life.room, root, "in the thread")
    await follow(life.phone, life.room, root, on=life.rng.random() < 0.5)
    await reply(life.bob, life.room, root, "changes nothing of it")


async def held_and_decided(life: Life) -> None:
    """Somebody's words wait; what is approved is said, what is rejected or taken back is not."""
    at = f"/conversations/{life.room}"
    await life.owner.call("PUT", f"{at}/words", {"words": [{"text": "held"}]})
    await life.owner.call("PATCH", at, {"metadata": {"auto_moderate": True}})
    await life.owner.call("PATCH", f"{at}/members/{life.carol.account}", {"permissions": {}, "role": "member"})
    held = [await moderating.hold(life.carol, life.room, f"held {n}") for n in range(3)]
    await moderating.decide(life.owner, life.room, held[0])
    await moderating.decide(life.owner, life.room, held[1], approve=False)
    await moderating.withdraw(life.carol, life.room, held[2])
    await life.owner.call("PATCH", at, {"metadata": {}})


async def flag(life: Life) -> None:
    message = await life.a_message(of=life.carol)
    for who in (life.owner, life.phone):
        await moderating.flag(who, life.room, message)


ACTIONS: dict[Callable[[Life], Awaitable[None]], set[int]] = {
    say: {kinds.MESSAGE},
    say_from_my_phone: {kinds.MESSAGE},
    edit: {kinds.EDIT},
    delete: {kinds.DELETION},
    restore: {kinds.DELETION},
    hide: set(),
    profile: {kinds.PROFILE},
    say_all_of_oneself: {kinds.PROFILE},
    settings: {kinds.SETTINGS},
    archive_and_back: {kinds.SETTINGS},
    come_by_a_link: {kinds.LEFT, kinds.JOINED},
    leave_and_join: {kinds.LEFT, kinds.JOINED},
    put_out_and_back: {kinds.REMOVED, kinds.JOINED},
    role: {kinds.ROLE},
    reacting: {kinds.REACTION},
    take_reactions_back: {kinds.REACTION},
    pin_one: {kinds.PIN},
    unpin_one: {kinds.PIN},
    a_pin_and_a_reaction_come_back: {kinds.PIN, kinds.REACTION, kinds.DELETION},
    answer_in_a_thread: {kinds.MESSAGE},
    delete_in_a_thread: {kinds.MESSAGE, kinds.DELETION},
    hide_in_a_thread: {kinds.MESSAGE, kinds.DELETION},
    follow_or_not: {kinds.MESSAGE},
    define_roles: {kinds.ROLES},
    rights: {kinds.RIGHTS},
    end_a_role_that_somebody_has: {kinds.ROLES, kinds.RIGHTS},
    silence_and_not: {kinds.SILENCED},
    leave_silenced_and_come_back: {kinds.SILENCED, kinds.RIGHTS, kinds.LEFT, kinds.JOINED},
    nickname: {kinds.NICKNAME},
    ban_and_lift: {kinds.REMOVED, kinds.JOINED},
    hand_over_and_back: {kinds.ROLE, kinds.RIGHTS},
    held_and_decided: {kinds.MESSAGE, kinds.SETTINGS},
    flag: set(),
}


@pytest.fixture
async def life(world: World) -> Life:
    """A room in which something has happened already."""
    owner, bob, carol = [await world.register(name) for name in ("owner", "bob", "carol")]
    phone = await world.link(bob)
    room = await owner.room()
    await bob.join(room)
    await carol.join(room)
    for n in range(3):
        await carol.send(room, f"before {n}")
    return Life(owner, bob, phone, carol, room)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
async def test_a_stale_copy_catches_up_to_a_fresh_fetch(life: Life, action: Callable[[Life], Awaitable[None]]) -> None:
    stale = await life.fresh()
    await action(life)
    assert await life.caught_up(stale) == await life.fresh()


@pytest.mark.parametrize("seed", range(5))
async def test_a_copy_of_any_age_catches_up(life: Life, seed: int) -> None:
    rng = random.Random(seed)
    copies = [View(UUID(life.room), me=life.me), await life.fresh()]  # type: ignore[arg-type]
    for _ in range(12):
        try:
            await rng.choice(list(ACTIONS))(life)
        except Problem as problem:
            assert problem.code in {"gone", "forbidden", "silenced"}
        copies.append(await life.fresh())
    now = await life.fresh()
    for copy in copies:
        assert await life.caught_up(copy) == now


def test_every_kind_of_entry_has_its_action() -> None:
    covered = set().union(*ACTIONS.values()) | {kinds.CREATED}
    sealed_alone = {
        number for number, kind in kinds.KINDS.items() if kind.body in {kinds.DevicesChange, kinds.StatementChange}
    }
    assert covered == set(kinds.KINDS) - sealed_alone
