"""Four people, seven devices, two server processes: an evening in a private room, through each feature and both doors.

Alice has a laptop, a phone and the web, bob a laptop and a phone, carol and dave one device each. What one of them does
the others hear at once; what is whose own only their own devices see; in the end everybody has the same room.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from aparte.client.core.view import View
from tests.journeys.test_at_once import impersonal
from tests.journeys.test_stale_copy import Life
from tests.support import marking, moderating, people
from tests.support.later import comes_to
from tests.support.people import Device, Gateway, Problem
from tests.support.server import Aparte, aparte

DEVICES = ("alice", "alice_phone", "alice_web", "bob", "bob_phone", "carol", "dave")
FOR_EVER = "2035-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def two() -> Iterator[Aparte]:
    """One Aparté of two processes."""
    with aparte(workers=2) as server:
        yield server


@dataclass
class Evening:
    """Who is there, on which device, with which gateway open, and the room."""

    devices: dict[str, Device]
    gateways: dict[str, Gateway]
    admin: Any
    room: str = ""
    other: str = ""
    said: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Device:
        """A device by its name."""
        return self.devices[name]

    @property
    def at(self) -> str:
        """The room's address."""
        return f"/conversations/{self.room}"

    def member(self, who: Device) -> str:
        """Somebody's address in the room."""
        return f"{self.at}/members/{who.account}"

    async def says(self, name: str, text: str, **content: Any) -> str:
        """Say something at the gateway; every other device hears it."""
        message = {"client_message_id": str(uuid4()), "content": {"text": text, **content}}
        sent = await self.gateways[name].ask("send", conversation=self.room, message=message)
        assert sent["type"] == "sent", sent
        await self.hears(sent["id"])
        self.said[text] = sent["id"]
        return str(sent["id"])

    async def hears(self, entry: str) -> None:
        """Wait until every device has heard of an entry, as it is or as a hint that there is one."""
        live = lambda frame: str((frame.get("entry") or frame).get("id")) == entry  # noqa: E731 - one line, one use
        await asyncio.gather(*(gateway.wait(live) for gateway in self.gateways.values()))

    async def refused(self, code: str, doing: Any) -> None:
        """Somebody may not."""
        with pytest.raises(Problem, match=code):
            await doing


@pytest.fixture
async def evening(two: Aparte) -> AsyncIterator[Evening]:
    """Everybody at a gateway; each device has connections of its own."""
    async with AsyncExitStack() as stack:
        worlds = {name: await stack.enter_async_context(people.world(two.url)) for name in DEVICES}
        devices = {name: await worlds[name].register(name) for name in ("alice", "bob", "carol", "dave")}
        for name in ("alice_phone", "alice_web", "bob_phone"):
            devices[name] = await worlds[name].link(devices[name.partition("_")[0]], device=name)
        admin = await asyncpg.connect(two.admin_dsn, ssl=False)
        stack.push_async_callback(admin.close)
        here = Evening(devices, {}, admin)
        await furnished(here)
        for name in DEVICES:
            here.gateways[name] = await stack.enter_async_context(devices[name].gateway())
        yield here


async def furnished(here: Evening) -> None:
    """Alice has a private room and a channel, where the others come in by links; bob moderates."""
    settings = {"metadata": {"auto_moderate": True}}
    kind = {"is_public": False, "encryption_mode": "server", "settings": settings, "description": "for four"}
    here.room, here.other = await here.alice.room(**kind), await here.alice.room()
    await here.alice.call("PUT", f"{here.at}/words", {"words": moderating.WORDS})
    await here.refused("not_found", here.bob.join(here.room))
    link = await here.alice.post(f"{here.at}/invites", {"role": "moderator", "uses": 1})
    await here.bob_phone.post(f"/invites/{link['token']}/enter")
    await here.refused("invite_over", here.carol.post(f"/invites/{link['token']}/enter"))
    link = await here.bob.post(f"{here.at}/invites", {})
    for who in (here.carol, here.dave):
        await who.post(f"/invites/{link['token']}/enter")
    role = await here.alice_web.post(f"{here.at}/roles", {"name": "Librarians", "permissions": {"pin": True}})
    await here.alice.call("PATCH", here.member(here.carol), {"role_id": role["id"]})
    await here.bob.call("PUT", f"{here.member(here.dave)}/nickname", {"nickname": "Davey"})


async def test_an_evening(evening: Evening) -> None:
    here = evening
    lives = {name: Life(here.alice, who, who, here.carol, here.room) for name, who in here.devices.items()}
    copies = {name: await life.fresh() for name, life in lives.items()}
    await they_talk(here)
    await they_mark_and_change(here)
    await what_disappears_is_gone(here)
    await words_wait_for_bob(here)
    await dave_is_silenced_and_banned(here)
    await receipts_are_told_as_far_as_people_let(here)
    await what_is_ones_own_is_on_ones_own_devices(here)
    await they_know_each_other(here)
    await later_comes(here)
    await what_was_said_is_found(here)
    fresh = {name: await life.fresh() for name, life in lives.items()}
    for name, life in lives.items():
        assert present(await life.caught_up(copies[name])) == fresh[name], name
    hidden = UUID(here.said["hello everybody"])
    for view in fresh.values():
        shared = impersonal(view)
        messages = {key: message for key, message in shared.messages.items() if key != hidden}
        first = impersonal(fresh["alice"])
        assert messages == {key: message for key, message in first.messages.items() if key != hidden}
        assert (shared.members, shared.roles, shared.settings) == (first.members, first.roles, first.settings)


def present(view: View) -> View:
    """A copy without what has disappeared since: every copy keeps the time for itself."""
    at = datetime.now(UTC)
    there = {key: each for key, each in view.messages.items() if each.expires_at is None or each.expires_at > at}
    return replace(view, messages=there)


async def they_talk(here: Evening) -> None:
    """Words, an answer, a thread, somebody is named, something is forwarded."""
    hello = await here.says("alice_phone", "hello everybody")
    await here.says("dave", "hello alice", reply=hello)
    under = await marking.reply(here.bob_phone, here.room, hello, "more under it")
    await here.hears(under)
    named = await here.says("carol", f"what do you think, @{here.bob.username}?")
    assert [each["id"] for each in (await here.bob_phone.get("/mentions"))["messages"]] == [named]
    assert (await here.alice.get("/mentions"))["messages"] == []
    threads = await here.carol.get(f"{here.at}/threads")
    assert [(root["id"], root["thread"]["count"]) for root in threads["roots"]] == [(hello, 1)]
    answers = await here.carol.get(f"{here.at}/messages/{hello}/replies")
    assert [each["content"]["text"] for each in answers["messages"]] == ["hello alice"]
    await here.carol.join(here.other)
    forward = {"conversation": here.room, "message": named}
    body = {"client_message_id": str(uuid4()), "content": {"text": "not taken"}, "forward": forward}
    sent = await here.carol.post(f"/conversations/{here.other}/messages", body)
    found = await marking.shown(here.alice, here.other, sent["id"])
    assert found["content"]["text"].startswith("what do you think")
    assert "forwarded" in found["content"]


async def they_mark_and_change(here: Evening) -> None:
    """Reactions, pins, an edit, deletions for me and for everyone, and one that is taken back."""
    hello = here.said["hello everybody"]
    for who, emoji in (("bob_phone", "👍"), ("carol", "👍"), ("dave", "🎉")):
        reaction = {"client_message_id": str(uuid4()), "emoji": emoji}
        told = await here.gateways[who].ask("react", conversation=here.room, message=hello, reaction=reaction)
        assert told["type"] == "sent", told
    shown = (await marking.shown(here.bob, here.room, hello))["reactions"]
    assert {emoji: (r["count"], r.get("is_mine", False)) for emoji, r in shown.items()} == {
        "👍": (2, True),
        "🎉": (1, False),
    }
    await marking.pin(here.carol, here.room, hello)  # as a librarian
    await here.refused("forbidden", marking.pin(here.dave, here.room, hello))
    assert [each["id"] for each in (await here.alice_web.get(f"{here.at}/pins"))["messages"]] == [hello]
    await moderating.edit(here.alice_web, here.room, hello, "hello, everybody")
    await here.refused("forbidden", moderating.edit(here.bob, here.room, hello, "not mine"))
    versions = (await here.dave.get(f"{here.at}/messages/{hello}/history"))["versions"]
    assert [each["content"]["text"] for each in versions] == ["hello everybody", "hello, everybody"]
    answer = here.said["hello alice"]
    await marking.delete(here.bob, here.room, answer)
    assert "content" not in await marking.shown(here.carol, here.room, answer)
    await marking.restore(here.bob_phone, here.room, answer)
    assert (await marking.shown(here.carol, here.room, answer))["content"]["text"] == "hello alice"
    await here.dave.call("DELETE", f"{here.at}/messages/{hello}", scope="me")
    assert "hello, everybody" not in await here.dave.texts(here.room)
    assert "hello, everybody" in await here.carol.texts(here.room)


async def what_disappears_is_gone(here: Evening) -> None:
    """A message with a time of its own is there for everybody, and then for nobody."""
    short = await here.says("alice_web", "for a moment", ttl=3_600)
    assert "for a moment" in await here.dave.texts(here.room)
    await marking.expire(here.admin, short)
    for who in here.devices.values():
        assert "for a moment" not in await who.texts(here.room)
        await here.refused("not_found", who.get(f"{here.at}/messages/{short}"))


async def words_wait_for_bob(here: Evening) -> None:
    """What a word list finds waits until bob lets it through; what is flagged is shown to moderators."""
    held = await moderating.hold(here.dave, here.room, "spam, but kindly meant")
    assert [each["id"] for each in await moderating.waiting(here.bob_phone, here.room)] == [held]
    assert await moderating.waiting(here.carol, here.room) == []
    await here.refused("forbidden", moderating.decide(here.carol, here.room, held))
    decided = await moderating.decide(here.bob, here.room, held)
    await here.hears(decided["message"])
    assert "spam, but kindly meant" in await here.alice_web.texts(here.room)
    for who in (here.alice, here.carol, here.bob):
        await moderating.flag(who, here.room, decided["message"])
    (flagged,) = (await here.bob_phone.get(f"{here.at}/flags"))["flagged"]
    assert (flagged["message"]["flag_count"], flagged["reasons"]) == (3, {"spam": 3})
    await here.refused("forbidden", here.dave.get(f"{here.at}/flags"))


async def dave_is_silenced_and_banned(here: Evening) -> None:
    """Who is silenced reads and does not speak; who is banned is out and does not come back, until it is lifted."""
    await here.bob.call("PUT", f"{here.member(here.dave)}/silence", {"until": FOR_EVER, "reason": "shouting"})
    message = {"client_message_id": str(uuid4()), "content": {"text": "I will not be silent"}}
    told = await here.gateways["dave"].ask("send", conversation=here.room, message=message)
    assert (told["code"], told["data"]["reason"]) == ("silenced", "shouting")
    assert await here.dave.texts(here.room)
    await here.bob_phone.call("DELETE", f"{here.member(here.dave)}/silence")
    await here.dave.send(here.room, "thank you")
    await here.alice.call("PUT", f"{here.at}/bans/{here.dave.account}", {"reason": "enough"})
    await here.refused("not_member", here.dave.texts(here.room))
    link = (await here.bob.post(f"{here.at}/invites", {}))["token"]
    await here.refused("banned", here.dave.post(f"/invites/{link}/enter"))
    await here.alice.call("DELETE", f"{here.at}/bans/{here.dave.account}")
    await here.dave.post(f"/invites/{link}/enter")


async def receipts_are_told_as_far_as_people_let(here: Evening) -> None:
    """Carol does not say what she has read; bob does, by his phone."""
    await here.carol.call("PATCH", "/accounts/me", {"privacy": {"see_receipts": "nobody"}})
    sent = await here.alice.send(here.room, "read this")
    for who in (here.bob_phone, here.carol):
        await who.post(f"{here.at}/read", {"up_to": {"seq": sent["seq"], "id": sent["id"]}})
    seen = await here.alice_phone.get(f"{here.at}/messages/{sent['id']}/receipts")
    assert here.bob.account in seen["readers"]
    assert here.carol.account not in str(seen)
    assert (await here.bob.get(here.at))["membership"]["unread"] == 0


async def what_is_ones_own_is_on_ones_own_devices(here: Evening) -> None:
    """Preferences and a draft of one device are on the others of the same person, and nobody else's."""
    await here.alice.call("PATCH", f"{here.at}/preferences", {"is_pinned": True, "labels": ["friends"]})
    await here.alice.call("PUT", f"{here.at}/draft", {"sealed": "AAAA"})
    for name in ("alice_phone", "alice_web"):
        known = await moderating.states(here.devices[name], "")
        assert known[f"preferences:{here.room}"]["labels"] == ["friends"]
        assert f"draft:{here.room}" in known
    for name in ("bob", "carol", "dave"):
        known = await moderating.states(here.devices[name], "")
        assert not {f"preferences:{here.room}", f"draft:{here.room}"} & known.keys()


async def they_know_each_other(here: Evening) -> None:
    """A contact request that is accepted, and a block that nobody is told of."""
    await here.alice.post(f"/contact-requests/{here.bob.account}", {"note": "it's me"})
    (asked,) = (await here.bob_phone.get("/contact-requests"))["requests"]
    assert (asked["note"], asked["is_mine"]) == ("it's me", False)
    await here.bob.post(f"/contact-requests/{here.alice.account}/accept")
    for who, other in ((here.alice_web, here.bob), (here.bob_phone, here.alice)):
        assert [each["person"]["id"] for each in (await who.get("/contacts"))["contacts"]] == [other.account]
    await here.alice_phone.call("PUT", f"/blocks/{here.dave.account}", {"reason": "too loud"})
    assert [each["reason"] for each in (await here.alice.get("/blocks"))["blocks"]] == ["too loud"]
    await here.refused("blocked", here.dave.post(f"/contact-requests/{here.alice.account}", {}))
    assert (await here.dave.get("/blocks"))["blocks"] == []


async def later_comes(here: Evening) -> None:
    """A message for later is the author's alone until its time, and then everybody hears it."""
    key, due = str(uuid4()), datetime.now(UTC) + timedelta(seconds=100)
    message = {"client_message_id": key, "content": {"text": "good night"}}
    plan = {"client_message_id": key, "due": due.isoformat(), "message": message}
    planned = await here.bob.post(f"{here.at}/scheduled", plan)
    assert [each["id"] for each in (await here.bob_phone.get(f"{here.at}/scheduled"))["scheduled"]] == [planned["id"]]
    assert (await here.alice.get(f"{here.at}/scheduled"))["scheduled"] == []
    await here.admin.execute(
        "UPDATE scheduled_messages SET due_at = clock_timestamp(), look_at = clock_timestamp() WHERE scheduled_id = $1",
        UUID(planned["id"]),
    )
    said = lambda frame: frame["type"] == "entry" and frame["entry"].get("client_message_id") == key  # noqa: E731
    await asyncio.gather(*(gateway.wait(said, 30) for gateway in here.gateways.values()))
    await comes_to(lambda: here.bob_phone.get(f"{here.at}/scheduled"), {"scheduled": []})  # marked as sent after it


async def what_was_said_is_found(here: Evening) -> None:
    """Members find what was said, whoever came in the end too; what was for a moment nobody finds."""
    async with asyncio.timeout(30):  # the index follows the log
        while not (await here.carol.get("/search/messages", q="night"))["found"]:  # noqa: ASYNC110 - no bell for it
            await asyncio.sleep(0.05)
    (found,) = (await here.dave.get("/search/messages", q="night"))["found"]
    assert found["message"]["content"]["text"] == "good night"
    assert (await here.dave.get("/search/messages", q="moment"))["found"] == []
    assert (await here.alice.get("/search/messages", **{"q": "kindly", "from": here.dave.account}))["found"]
