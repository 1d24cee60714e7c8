"""The server lies about what a group is and where an invite leads: nothing is said there, nobody is led astray."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest

from aparte.client.errors import ClientError
from aparte.e2ee import invite
from aparte.e2ee.invite import Invite
from aparte.wire.conversations import Conversation
from aparte.wire.ids import ConversationId
from tests.support.circle import Circle, gather, roles
from tests.support.group_lies import Disguised, Elsewhere, given_to
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

change = msgspec.structs.replace


@pytest.fixture
async def circle(evil: Malice, people: Company) -> Circle:
    """Alice's group with bob."""
    return await gather(evil, people, "friends", await people.newcomer("alice"), await people.newcomer("bob"))


# What a group is ------------------------------------------------------------------------------------------------------

DISGUISES: dict[str, Callable[[Conversation], Conversation]] = {
    "a readable room": lambda found: change(found, kind="room", encryption_mode="server", name="x"),
    "readable": lambda found: change(found, encryption_mode="server"),
    "an encrypted room": lambda found: change(found, kind="room", name="x"),
    "a direct conversation": lambda found: change(found, kind="direct", peer=found.owner),
    "notes": lambda found: change(found, kind="self"),
}


async def test_nothing_is_said_in_a_disguise(circle: Circle, people: Company) -> None:
    """A device that has never seen the group as it is neither says a word in what it is shown nor believes it."""
    alice, carol = circle.members[0], await people.newcomer("carol")
    for disguise in DISGUISES.values():
        with circle.evil.doing(Disguised([carol], circle.id, disguise)):
            if carol.account.bytes not in roles(alice, circle.id):
                await alice.client.groups.add_members(circle.target, [carol.username])
            for target in (circle.target, "#x"):
                with pytest.raises(ClientError) as refused:
                    await carol.client.send(target, "for friends alone", deadline=20)
                assert refused.value.code != "mode_mismatch", "it had been said"
    assert not circle.evil.sealed_by(carol.device)
    assert not circle.evil.readable
    await carol.leave()
    await carol.come_back()
    await circle.say(alice, "and on it goes")
    await carol.hears("and on it goes")


async def test_who_knows_the_group_says_nothing_readable_in_it(circle: Circle) -> None:
    alice, bob = circle.members
    for disguise in (*DISGUISES.values(), lambda found: change(found, name="the bank", topic="pay here")):
        with circle.evil.doing(Disguised(circle.members, circle.id, disguise)):
            with pytest.raises(ClientError, match=r"unexpected_answer|unsupported_target"):
                await alice.client.history(circle.target)
            with suppress(ClientError):
                await circle.say(alice, "for friends alone", deadline=20)
    assert not circle.evil.readable
    await circle.say(alice, "and on it goes")
    await bob.hears("and on it goes")
    assert {message.conversation for message in await bob.client.history(circle.target)} == {"+friends"}


# Where an invite leads ------------------------------------------------------------------------------------------------


async def test_an_invite_leads_to_no_other_group(circle: Circle, people: Company) -> None:
    alice, carol = circle.members[0], await people.newcomer("carol")
    other = await gather(circle.evil, people, "others", alice, circle.members[1])
    links = [await alice.client.groups.invite(one.target) for one in (circle, other)]
    with circle.evil.doing(Elsewhere(*(token_in(link) for link in links))), pytest.raises(ClientError) as refused:
        await carol.client.join(links[0])
    assert refused.value.code in {"bad_invite", "bad_statement", "unexpected_answer"}
    for group in (circle, other):
        assert carol.account.bytes not in roles(alice, group.id)
    await carol.client.join(links[0])
    await circle.knows(carol)
    await circle.agree([alice, *circle.members], roles(carol, circle.id))
    await circle.say(carol, "here I am")
    await circle.heard(circle.members, "here I am")
    assert not knows(carol, other.id)


async def test_who_has_only_the_servers_part_of_a_link_does_not_join(circle: Circle, people: Company) -> None:
    """The server has the token: with a seed of its own it lets nobody in."""
    alice, mallory = circle.members[0], await people.newcomer("mallory")
    link = await alice.client.groups.invite(circle.target)
    forged = link.partition("#")[0] + "#" + invite.text(Invite(circle.id.bytes, bytes(16)))
    with pytest.raises(ClientError, match="invite_over"):
        await mallory.client.join(forged)
    assert "bad_invite" in mallory.told(), "nor does it read what the link says of the group"
    await circle.say(alice, "among us")
    assert mallory.account.bytes not in roles(alice, circle.id)
    assert not given_to(circle.evil, mallory.device) or "among us" not in mallory.texts()


def token_in(link: str) -> str:
    """The part of a link that the server knows."""
    return link.partition("#")[0].rpartition("/")[2]


def knows(talker: Talker, conversation: ConversationId) -> bool:
    """Whether a group is anything to somebody's device."""
    return bool(roles(talker, conversation))
