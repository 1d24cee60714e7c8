"""Messages that are due later, from one device to another: said once, when they are due, to who reads then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aparte.client.errors import ClientError
from tests.support.later import acquainted, comes_to, let_come, soon, status
from tests.support.talk import PASSWORD, Company, Talker

Admin = Any


@pytest.fixture
async def two(people: Company) -> tuple[Talker, Talker]:
    """Alice and bob, who have spoken."""
    return await acquainted(people)


async def test_in_a_room_it_is_said_when_its_time_has_come(people: Company) -> None:
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    room = f"#room-{alice.username}"
    await alice.client.new_room(room)
    await bob.client.join(room)
    at = datetime.now(UTC) + timedelta(seconds=2)
    one = await alice.client.scheduled.add(room, "said later", at)
    assert [(s.text, s.status) for s in await alice.client.scheduled.list(room)] == [("said later", "waiting")]
    await bob.hears("said later")
    [heard] = [m for m in bob.heard if m.text == "said later"]
    assert at - timedelta(milliseconds=1) <= heard.at < at + timedelta(seconds=10)
    assert await alice.client.scheduled.list(room) == []
    with pytest.raises(ClientError) as error:
        await alice.client.scheduled.cancel(room, one.id)
    assert error.value.code == "over"


async def test_a_sealed_one_opens_when_it_comes_on_all_devices(
    people: Company, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    alice, bob = two
    tablet = await people.link(alice)
    phone = await people.link(bob)
    await bob.client.send(alice.name, "between the two")
    one = await alice.client.scheduled.add(bob.name, "sealed for later", soon())
    await alice.client.send(bob.name, "said before it")
    await bob.hears("said before it")
    assert "sealed for later" not in bob.texts()
    await let_come(server_admin, one)
    for talker in (bob, phone, tablet):
        await talker.hears("sealed for later")
    await alice.client.send(bob.name, "said after it")
    await bob.hears("said after it")
    assert not bob.refused()
    assert not bob.told() & {"gap", "entry_forked", "replayed"}
    history = [m.text for m in await alice.client.history(bob.name)]
    assert history[-2:] == ["sealed for later", "said after it"]


async def test_notes_to_oneself_too(people: Company, server_admin: Admin) -> None:
    alice = await people.newcomer("alice")
    tablet = await people.link(alice)
    one = await alice.client.scheduled.add("@me", "buy bread", soon())
    await let_come(server_admin, one)
    await tablet.hears("buy bread")


async def test_another_device_reads_changes_and_cancels_what_one_has_scheduled(
    people: Company, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    alice, bob = two
    tablet = await people.link(alice)
    await alice.client.send(bob.name, "hello from both")
    one = await alice.client.scheduled.add(bob.name, "first words", soon())
    gone = await alice.client.scheduled.add(bob.name, "never said", soon() + timedelta(days=1))

    async def read() -> list[str | None]:
        return [s.text for s in await tablet.client.scheduled.list(bob.name)]

    await comes_to(read, ["first words", "never said"])
    await tablet.client.scheduled.cancel(bob.name, gone.id)
    changed = await tablet.client.scheduled.change(bob.name, one.id, text="other words")
    assert changed.text == "other words"
    await comes_to(lambda: _texts(alice, bob.name), ["other words"])
    await let_come(server_admin, one)
    await bob.hears("other words")
    assert not {"first words", "never said"} & set(bob.texts())


async def _texts(talker: Talker, target: str) -> list[str | None]:
    return [s.text for s in await talker.client.scheduled.list(target)]


async def test_it_says_all_that_a_message_can_say(two: tuple[Talker, Talker], server_admin: Admin) -> None:
    alice, bob = two
    root = await bob.client.send(alice.name, "what it hangs on")
    said = await bob.client.send(alice.name, "what it answers")
    await alice.hears("what it answers")
    one = await alice.client.scheduled.add(
        bob.name, "all of it", soon(), reply=said.id, thread=root.id, mentions=[bob.username], ttl=("sending", 3_600)
    )
    await alice.client.scheduled.change(bob.name, one.id, text="**all** of it", text_format="markdown")
    await let_come(server_admin, one)
    await bob.hears("**all** of it")
    [heard] = [m for m in await bob.client.history(alice.name) if m.text == "**all** of it"]
    assert heard.reply is not None
    assert (heard.reply.text, heard.root, heard.mentions) == ("what it answers", root.id, (bob.username,))
    assert heard.expires_at is not None
    assert heard.expires_at > heard.at + timedelta(minutes=59)


async def test_in_a_room_too(people: Company, server_admin: Admin) -> None:
    alice = await people.newcomer("alice")
    room = f"#room-{alice.username}"
    await alice.client.new_room(room)
    root, said = [await alice.client.send(room, text) for text in ("what it hangs on", "what it answers")]
    one = await alice.client.scheduled.add(
        room, "all of it", soon(), reply=said.id, thread=root.id, ttl=("sending", 3_600)
    )
    changed = await alice.client.scheduled.change(room, one.id, at=soon() + timedelta(days=300))
    assert changed.due > one.due + timedelta(days=299)
    await let_come(server_admin, one)
    await comes_to(lambda: status(server_admin, one), "sent")
    [found] = [m for m in await alice.client.history(room) if m.text == "all of it"]
    assert found.root == root.id
    row = await server_admin.fetchrow("SELECT reply_id, expires_at FROM messages WHERE id = $1", found.id)
    assert row["reply_id"] == said.id
    assert row["expires_at"] > found.at + timedelta(minutes=59)


async def test_what_cannot_be_scheduled_is_refused_at_once(two: tuple[Talker, Talker]) -> None:
    alice, bob = two
    for at in (datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=22)):
        with pytest.raises(ClientError) as error:
            await alice.client.scheduled.add(bob.name, "never", at)
        assert error.value.code == "invalid"
    with pytest.raises(ClientError) as error:
        await alice.client.scheduled.add(bob.name, "   ", soon())
    assert error.value.code == "invalid"
    with pytest.raises(ClientError) as error:
        await alice.client.scheduled.add(bob.name, "too short", soon(), ttl=("sending", 4))
    assert error.value.code == "invalid"
    for scheduled, code in (("no id", "bad_message_id"), (bob.account, "not_found")):
        with pytest.raises(ClientError) as error:
            await alice.client.scheduled.change(bob.name, scheduled, text="x")
        assert error.value.code == code
    assert await alice.client.scheduled.list(bob.name) == []


async def test_who_links_a_device_meanwhile_reads_it_there_too(
    people: Company, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    """The epoch is over: the device that has scheduled it seals it again, for the new one as well."""
    alice, bob = two
    one = await alice.client.scheduled.add(bob.name, "for who reads then", soon())
    phone = await people.link(bob)
    await bob.client.send(alice.name, "from the old one")
    await alice.hears("from the old one")
    await let_come(server_admin, one)
    await phone.hears("for who reads then")
    await bob.hears("for who reads then")
    assert await status(server_admin, one) == "sent"
    assert not bob.refused()


async def test_one_that_is_stale_while_its_author_is_out_goes_when_they_are_back(
    people: Company, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    alice, bob = two
    one = await alice.client.scheduled.add(bob.name, "late, and not lost", soon())
    await alice.leave()
    await people.link(bob)
    await let_come(server_admin, one)
    await comes_to(lambda: status(server_admin, one), "stale")
    assert "late, and not lost" not in bob.texts()
    await alice.come_back()
    await bob.hears("late, and not lost")


async def test_what_a_device_has_scheduled_that_is_gone_goes_out_from_another_one(
    people: Company, two: tuple[Talker, Talker], server_admin: Admin
) -> None:
    alice, bob = two
    tablet = await people.link(alice)
    await tablet.client.send(bob.name, "from the tablet")
    await bob.hears("from the tablet")
    one = await tablet.client.scheduled.add(bob.name, "begun on the tablet", soon())
    await comes_to(lambda: _texts(alice, bob.name), ["begun on the tablet"])
    await tablet.leave()
    await alice.client.remove_device(tablet.device, PASSWORD)
    await let_come(server_admin, one)
    await bob.hears("begun on the tablet")
    [heard] = [m for m in bob.heard if m.text == "begun on the tablet"]
    assert heard.device == alice.device
    assert not bob.refused()


async def test_in_a_group_it_waits_with_its_key(people: Company, server_admin: Admin) -> None:
    """Nobody has alice's chain yet: it is given away with the message that is due."""
    alice, bob, carol = [await people.newcomer(name) for name in ("alice", "bob", "carol")]
    made = await alice.client.groups.new_group("later", [bob.username, carol.username])
    group = str(made.id)
    one = await alice.client.scheduled.add(group, "to the group, later", soon())
    assert [s.text for s in await alice.client.scheduled.list(group)] == ["to the group, later"]
    await let_come(server_admin, one)
    for talker in (bob, carol):
        await talker.hears("to the group, later")
    await alice.client.send(group, "and on")
    await bob.hears("and on")
    assert not bob.refused()


async def test_in_a_group_whose_members_change_it_is_for_who_is_in_when_it_comes(
    people: Company, server_admin: Admin
) -> None:
    alice, bob, carol, dave = [await people.newcomer(name) for name in ("alice", "bob", "carol", "dave")]
    made = await alice.client.groups.new_group("changing", [bob.username, carol.username])
    group = str(made.id)
    await alice.client.send(group, "first")
    await carol.hears("first")
    one = await alice.client.scheduled.add(group, "not for carol", soon())
    await alice.client.groups.add_members(group, [dave.username])
    await alice.client.remove_member(group, carol.username)
    await let_come(server_admin, one)
    await bob.hears("not for carol")
    await dave.hears("not for carol")
    assert "not for carol" not in carol.texts()
