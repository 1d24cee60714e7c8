"""History for a newcomer: what the group is called at once, what was said only if that is wanted and allowed.

It is shown as passed on until entries of its senders prove it, it is no news, and what vanishes never comes along.
"""

import pytest

from aparte.client.errors import ClientError
from aparte.client.model import Message
from tests.support.circle import Circle, gather
from tests.support.malice import Malice
from tests.support.talk import Company, Talker


@pytest.fixture
async def two(evil: Malice, people: Company) -> Circle:
    """Alice and bob, in a group that allows to pass history on."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    circle = await gather(evil, people, "two", alice, bob)
    await alice.client.groups.change_policy(circle.target, history=True)
    return circle


def called(who: Talker, circle: Circle) -> str:
    """What a group is called on a device."""
    with who.client._session.store.reading() as tx:
        row = tx.row("SELECT name FROM conversations WHERE conversation_id = ?", circle.id.bytes)
    assert row is not None
    return str(row[0])


async def history(who: Talker, circle: Circle) -> list[Message]:
    """The group's messages as somebody sees them."""
    return await who.client.history(circle.target)


def passed(messages: list[Message]) -> list[tuple[str | None, str | None]]:
    """What messages say, and who vouches for them."""
    return [(message.text, message.passed_by) for message in messages]


async def test_a_newcomer_knows_what_the_group_is_called(two: Circle) -> None:
    alice, _ = two.members
    carol = await two.people.newcomer("carol")
    await two.add(alice, carol)
    await carol.comes(lambda: called(carol, two) == "two")
    assert await history(carol, two) == []
    await two.say(alice, "hello carol")
    await carol.hears("hello carol")
    assert passed(await history(carol, two)) == [("hello carol", None)]


async def test_so_does_who_comes_by_a_link(two: Circle) -> None:
    alice, _ = two.members
    carol = await two.people.newcomer("carol")
    await carol.client.join(await alice.client.groups.invite(two.target))
    await carol.comes(lambda: called(carol, two) == "two")
    assert await history(carol, two) == []


async def test_the_newest_name_is_the_one_that_is_known(two: Circle) -> None:
    alice, bob = two.members
    await alice.client.change_room(two.target, name="renamed", topic="of late")
    await bob.comes(lambda: called(bob, two) == "renamed")
    carol = await two.people.newcomer("carol")
    await two.add(alice, carol)
    await carol.comes(lambda: called(carol, two) == "renamed")
    await alice.client.change_room(two.target, name="again")
    await carol.comes(lambda: called(carol, two) == "again")
