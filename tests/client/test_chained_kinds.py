"""Encrypted rooms and channels: groups by another name, whose members follow from what they have signed."""

from collections.abc import Callable

import pytest
from tests.client.conftest import Newcomer
from tests.client.linked import by, linking
from tests.client.saying import shown, texts
from tests.support.valkey import until

from aparte.client import Client, ClientError, Place
from aparte.client.crypto.membership import Chained


async def made(newcomer: Newcomer, tag: str, kind: Chained) -> tuple[Client, Client, str]:
    """Ann's room or channel, with bob in it."""
    ann, bob = await newcomer("ann"), await newcomer("bob")
    name = f"{kind}-{tag}"
    found = await ann.groups.new_group(name, [f"bob-{tag}"], topic="what it is about", kind=kind)
    assert (found.kind, found.title, found.encryption_mode) == (kind, f"+{name}", "e2ee")
    return ann, bob, f"+{name}"


@pytest.mark.parametrize("kind", ["room", "channel"])
async def test_it_is_found_by_the_name_that_only_its_members_know(newcomer: Newcomer, tag: str, kind: Chained) -> None:
    ann, bob, target = await made(newcomer, tag, kind)
    await ann.send(target, "welcome")
    assert await texts(bob, target) == ["welcome"]
    [found] = [room for room in await bob.conversations() if room.kind == kind]
    assert (found.title, found.topic, found.role, found.member_count) == (target, "what it is about", "member", 2)
    assert target in {room.title for room in await bob.groups.all()}
    carol = await newcomer("carol")
    with pytest.raises(ClientError) as refused:
        await carol.send(str(found.id), "hello?")
    assert refused.value.code in {"not_member", "not_found"}
    told = [message.event for message in await bob.history(target, events=True) if message.event]
    assert {event.kind for event in told} == {kind}


async def test_in_a_channel_moderators_and_above_write(newcomer: Newcomer, tag: str) -> None:
    ann, bob, target = await made(newcomer, tag, "channel")
    sent = await ann.send(target, "news")
    assert await texts(bob, target) == ["news"]
    for attempt in (bob.send(target, "a word"), bob.react(target, sent.id, "👍")):
        with pytest.raises(ClientError) as refused:
            await attempt
        assert refused.value.code == "forbidden"
    await ann.change_role(target, f"bob-{tag}", "moderator")
    await bob.send(target, "a word")
    assert await texts(ann, target) == ["news", "a word"]
    with pytest.raises(ClientError) as refused:
        await ann.groups.change_policy(target, moderators_write=False)
    assert refused.value.code == "invalid"
    assert "moderators_write" in await ann.groups.change_policy(target, history=True)


async def test_people_and_devices_come_and_go_as_in_groups(
    newcomer: Newcomer, place: Callable[[str], Place], tag: str
) -> None:
    ann, bob, target = await made(newcomer, tag, "room")
    carol = await newcomer("carol")
    await ann.send(target, "before carol")
    link = await ann.groups.invite(target)
    joined = await carol.join(link)
    assert (joined.kind, joined.title) == ("room", target)
    async with linking(place("phone"), f"bob-{tag}", by(bob)) as phone:
        await carol.send(target, "hello all")
        assert (await texts(phone, str(joined.id)))[-1] == "hello all"
    await ann.remove_member(target, f"carol-{tag}")
    await ann.send(target, "without carol")
    await until(lambda: bool(carol), 1)
    assert "without carol" not in await texts(carol, str(joined.id))
    assert [message.text for message in await shown(bob, target)] == ["before carol", "hello all", "without carol"]
