# ruff: noqa: ARG002 - a rule names all that it could go by
"""A link tells whoever has it what its group is called while no member is there, and nothing else follows from it."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from aparte.client.crypto import cards
from aparte.client.crypto import membership as inside
from aparte.client.errors import ClientError
from aparte.client.store import conversations
from aparte.e2ee.invite_card import Card
from aparte.wire.groups import Invite
from aparte.wire.ids import DeviceId
from tests.support.circle import Circle, gather
from tests.support.malice import Malice, Rule
from tests.support.talk import Company, Talker

NAME, TOPIC = "Tea party", "every day at six"
Change = Callable[[bytes], bytes | None]


@pytest.fixture
async def party(evil: Malice, people: Company) -> Circle:
    """Alice's group, in which she is alone."""
    circle = await gather(evil, people, NAME, await people.newcomer("alice"))
    await circle.members[0].client.change_room(circle.target, topic=TOPIC)
    return circle


def called(who: Talker, circle: Circle) -> tuple[str, str] | None:
    """What somebody's device calls the group, and what it is about."""
    with who.client._session.store.reading() as tx:
        row = conversations.select_conversation(tx, circle.id)
    return (row.name, row.topic) if row else None


@dataclass
class OtherCard(Rule):
    """The server shows another card with a link."""

    change: Change
    done: int = 0

    def invite(self, reader: DeviceId, found: Invite) -> Invite:
        """Change it."""
        assert found.card is not None
        self.done += 1
        return msgspec.structs.replace(found, card=self.change(found.card))


async def test_a_newcomer_talks_in_a_group_of_which_nobody_is_there(party: Circle) -> None:
    [alice] = party.members
    link = await alice.client.groups.invite(f"+{NAME}")
    await alice.leave()
    carol = await party.people.newcomer("carol")
    shown = await carol.client.groups.look(link)
    assert (shown.title, shown.topic, shown.member_count) == (f"+{NAME}", TOPIC, 1)
    assert (shown.conversation_id, shown.uses_left, shown.expires_at) == (party.id, None, None)
    assert called(carol, party) is None, "looking is not joining"
    joined = await carol.client.join(link)
    assert (joined.title, joined.topic) == (f"+{NAME}", TOPIC)
    await carol.client.send(f"+{NAME}", "is anybody here?")
    assert [room.title for room in await carol.client.groups.all()] == [f"+{NAME}"]
    await alice.come_back()
    await alice.hears("is anybody here?")
    assert not carol.named()


async def test_the_groups_own_words_win_whatever_the_link_has_said(party: Circle) -> None:
    [alice] = party.members
    seed = inside.parse_link(link := await alice.client.groups.invite(party.target))[1].seed
    forged = cards.sealed(seed, Card(name="The bank", topic="pay here"))
    carol = await party.people.newcomer("carol")
    await alice.leave()
    with party.evil.doing(OtherCard(lambda _: forged)):
        assert (await carol.client.join(link)).title == "+The bank"
    with pytest.raises(ClientError, match="invalid"):
        await carol.client.change_room(party.target, topic="nobody repeats what a link has said")
    await alice.come_back()
    await carol.comes(lambda: called(carol, party) == (NAME, TOPIC))
    await carol.client.send(f"+{NAME}", "so this is it")
    await alice.hears("so this is it")


async def test_a_link_says_what_the_group_is_called_since(party: Circle) -> None:
    [alice] = party.members
    link, closed = [await alice.client.groups.invite(party.target) for _ in range(2)]
    await alice.client.groups.close_invite(party.target, closed)
    await alice.client.change_room(party.target, name="Coffee party")
    carol = await party.people.newcomer("carol")
    assert (await carol.client.groups.look(link)).title == "+Coffee party"
    with pytest.raises(ClientError, match="invite_over"):
        await carol.client.groups.look(closed)


DAMAGED: dict[str, tuple[Change, bool]] = {
    "left out": (lambda _: None, False),
    "cut off": (lambda card: card[:-1], True),
    "changed": (lambda card: card[:-20] + bytes([card[-20] ^ 1]) + card[-19:], True),
    "of another link": (lambda _: cards.sealed(bytes(16), Card(name="The bank")), True),
    "too long": (lambda card: card + bytes(20_000), True),
    "empty": (lambda _: b"", True),
}


async def test_who_comes_by_a_link_with_a_false_card_comes_in_without_a_name(party: Circle) -> None:
    [alice] = party.members
    link = await alice.client.groups.invite(party.target)
    carol = await party.people.newcomer("carol")
    await alice.leave()
    for how, (change, is_told) in DAMAGED.items():
        with party.evil.doing(OtherCard(change)):
            assert (await carol.client.groups.look(link)).title == f"+{party.id}", how
        assert [told.code for told in carol.client.keys.notices()] == ["bad_invite"] * is_told, how
    with party.evil.doing(OtherCard(lambda card: card[:-1])):
        assert (await carol.client.join(link)).title == f"+{party.id}"
    assert [told.code for told in carol.client.keys.notices()] == ["bad_invite"]
    await alice.come_back()
    await carol.comes(lambda: called(carol, party) == (NAME, TOPIC))
