"""What happens in a readable room is told by codes and names, in the stream and in history, as in sealed ones."""

import asyncio
from datetime import timedelta

from tests.client.conftest import Newcomer
from tests.client.test_conversations import two

from aparte.client import Client, Event, Message, tell


async def told(who: Client, until: str) -> list[Message]:
    """What the stream gives, up to a message of these words."""
    found: list[Message] = []
    stream = who.messages(events=True)
    async with asyncio.timeout(20):
        async for message in stream:
            if message.text == until:
                return found
            found.append(message)
    return found


def deeds(found: list[Message]) -> list[str]:
    return [message.event.deed for message in found if message.event is not None]


async def test_everything_that_happens_in_a_room_is_told_where_one_listens_and_in_history(
    newcomer: Newcomer, tag: str
) -> None:
    ann, bob = await two(newcomer)
    carol = await newcomer("carol")
    target, bobs, carols = f"#lounge-{tag}", f"bob-{tag}", f"carol-{tag}"
    await ann.new_room(target)
    await bob.join(target)
    bob._connect()
    await carol.join(target)
    await carol.set_nickname(target, "Caz")
    await carol.set_nickname(target, None)
    role = await ann.roles.define(target, "Curators", {"pin": True})
    await ann.roles.give(target, carols, role.id)
    await ann.roles.override(target, carols, {"react": False})
    sent = await ann.send(target, "hello")
    await ann.react(target, sent.id, "👍")
    await ann.unreact(target, sent.id, "👍")
    await ann.pin(target, sent.id)
    await ann.change_conversation(target, description="where we talk")
    await ann.change_conversation(target, topic="words")
    await ann.change_conversation(target, slow_mode_seconds=1, language="en")
    await ann.change_conversation(target, ttl=3600)
    await ann.change_conversation(target, ttl=None, slow_mode_seconds=0)
    await ann.archive_for_all(target)
    await ann.archive_for_all(target, on=False)
    await ann.moderation.silence(target, carols, timedelta(hours=1))
    await ann.moderation.unsilence(target, carols)
    await ann.change_role(target, carols, "moderator")
    await ann.roles.remove(target, role.id)
    await ann.moderation.ban(target, carols)
    await ann.send(target, "that is all")
    expected = [
        "came",
        "nicknamed",
        "nicknamed",
        "role_defined",
        "rights",
        "rights",
        "reacted",
        "unreacted",
        "pinned",
        "profile",
        "topic",
        "run",
        "settings",
        "run",
        "archived",
        "unarchived",
        "silenced",
        "unsilenced",
        "role",
        "role_gone",
        "banned",
    ]
    heard = await told(bob, "that is all")
    assert deeds(heard) == expected
    shown = [message for message in await bob.history(target, events=True) if message.event is not None]
    assert deeds(shown)[-len(expected) :] == expected
    events: dict[str, Event] = {message.event.deed: message.event for message in reversed(heard) if message.event}
    assert events["nicknamed"].text == "Caz"
    assert (events["role_defined"].text, dict(events["role_defined"].permissions)) == ("Curators", {"pin": True})
    assert (events["rights"].subjects, events["rights"].role_id) == ((carols,), role.id)
    assert (events["reacted"].text, events["reacted"].message, events["pinned"].message) == ("👍", sent.id, sent.id)
    assert events["run"].changed == ("language", "slow_mode_seconds")
    assert events["settings"].ttl == ("sending", 3600)
    assert events["silenced"].until is not None
    assert (events["role"].role, events["role"].subjects) == ("moderator", (carols,))
    words = [tell(message, "en") for message in heard if message.event]
    assert words[0] == f"{carols} joined"
    assert f"ann-{tag} calls" not in " ".join(words)
    assert all(tell(message, "fr") for message in heard if message.event)
    assert len([message for message in await bob.history(target) if message.event]) == 0
    assert bobs in {member.username for member in await ann.members(target)}


async def test_what_the_server_may_say_of_a_group_is_told_there(newcomer: Newcomer, tag: str) -> None:
    ann, bob = await two(newcomer)
    await ann.groups.new_group(f"club-{tag}", [f"bob-{tag}"])
    target = f"+club-{tag}"
    sent = await ann.send(target, "hello")
    await ann.moderation.silence(target, f"bob-{tag}", timedelta(hours=1))
    await ann.moderation.unsilence(target, f"bob-{tag}")
    await ann.change_conversation(target, slow_mode_seconds=1)
    await ann.react(target, sent.id, "👍")
    shown = [message for message in await bob.history(target, events=True) if message.event]
    assert deeds(shown)[-4:] == ["silenced", "unsilenced", "run", "reacted"]
