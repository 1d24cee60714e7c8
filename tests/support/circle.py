"""A group of people who talk with the SDK, and what each of their stores says of it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from aparte.client.crypto import membership
from aparte.client.store.conversations import ConversationRow, select_conversation
from aparte.client.store.db import Tx
from aparte.e2ee.membership import Membership
from aparte.wire.content import Role
from aparte.wire.conversations import Conversation
from aparte.wire.groups import EpochMembers
from aparte.wire.ids import ConversationId
from tests.support.malice import Malice
from tests.support.talk import Company, Talker


@dataclass
class Circle:
    """A group, and those who were in it from the beginning, the owner first."""

    evil: Malice
    people: Company
    id: ConversationId
    name: str
    members: list[Talker] = field(default_factory=list)
    outside: list[Talker] = field(default_factory=list)
    """Who was in it and is not any more."""

    @property
    def target(self) -> str:
        """How its members write to it, whatever it is called."""
        return str(self.id)

    async def say(self, who: Talker, text: str, *, deadline: float = 60.0) -> None:
        """Say something in it."""
        await who.client.send(self.target, text, deadline=deadline)

    async def heard(self, who: Iterable[Talker], *texts: str) -> None:
        """Wait until all of these have heard it."""
        await asyncio.gather(*(one.hears(*texts) for one in who))

    async def add(self, by: Talker, *others: Talker, history: bool = False) -> None:
        """Add people, and wait until they know of it."""
        await by.client.groups.add_members(self.target, [one.username for one in others], history=history)
        await asyncio.gather(*(self.knows(one) for one in others))

    async def remove(self, by: Talker, who: Talker, *, ban: bool = False) -> None:
        """Put somebody out."""
        if ban:
            await by.client.groups.ban(self.target, who.username)
        else:
            await by.client.remove_member(self.target, who.username)

    async def role(self, by: Talker, who: Talker, role: Role) -> None:
        """Give somebody another role."""
        await by.client.change_role(self.target, who.username, role)

    async def knows(self, who: Talker) -> None:
        """Wait until somebody's device has the group with its members."""
        await who.comes(lambda: bool(roles(who, self.id)), "is not in the group")

    async def head(self) -> int:
        """How far its log reaches, in truth."""
        found = await self.evil.ask(self.members[0].device, f"/conversations/{self.id}", Conversation)
        return found.head.seq

    async def epoch(self) -> EpochMembers:
        """The present epoch, in truth."""
        return await self.evil.ask(self.members[0].device, f"/conversations/{self.id}/epoch", EpochMembers)

    async def agree(self, who: Iterable[Talker], wanted: dict[bytes, int]) -> None:
        """Wait until everybody's device has the same members in the same roles."""
        for one in who:
            await one.comes(lambda one=one: roles(one, self.id) == wanted, f"{wanted} is not {roles(one, self.id)}")


async def gather(evil: Malice, people: Company, name: str, owner: Talker, *others: Talker) -> Circle:
    """Make a group; its owner has said a word of welcome that everybody has heard."""
    made = await owner.client.groups.new_group(name, [one.username for one in others])
    circle = Circle(evil, people, made.id, name, [owner, *others])
    await asyncio.gather(*(circle.knows(one) for one in others))
    await circle.say(owner, f"welcome to {name}")
    await circle.heard(others, f"welcome to {name}")
    return circle


def state(who: Talker, conversation: ConversationId) -> Membership | None:
    """The membership of a group as a device has folded it from what was signed."""
    store = who.client._session.store
    with store.reading() as tx:
        return _state(tx, conversation)


def _state(tx: Tx, conversation: ConversationId) -> Membership | None:
    return membership.state(tx, conversation)


def roles(who: Talker, conversation: ConversationId) -> dict[bytes, int]:
    """Everybody's role by account."""
    found = state(who, conversation)
    return {account: member.role for account, member in found.members.items()} if found else {}


def name_of(who: Talker, conversation: ConversationId) -> str:
    """What a device calls the group."""
    row = row_of(who, conversation)
    return row.name if row is not None else ""


def is_in(who: Talker, conversation: ConversationId) -> bool:
    """Whether a device knows that its owner is inside."""
    row = row_of(who, conversation)
    return row is not None and row.role is not None and who.account.bytes in roles(who, conversation)


def row_of(who: Talker, conversation: ConversationId) -> ConversationRow | None:
    """What a device keeps of the group."""
    with who.client._session.store.reading() as tx:
        return select_conversation(tx, conversation)
