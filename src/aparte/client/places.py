"""Rooms and groups alike: one set of verbs, carried out by the server in a room and by what members sign in a group."""

import msgspec

from aparte.client.api import accounts
from aparte.client.api.conversations import Rooms
from aparte.client.core.names import GroupTarget, parse_target
from aparte.client.errors import ClientError
from aparte.client.groups import Groups
from aparte.client.invites import is_invite
from aparte.client.model import Member, Room, member_of, room_of
from aparte.client.session import Session
from aparte.wire.content import Role
from aparte.wire.conversations import ConversationChange
from aparte.wire.ids import ConversationId


class Places:
    """The conversations of an open profile, and who is in them."""

    def __init__(self, session: Session, rooms: Rooms, groups: Groups) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._groups = groups

    async def resolve(self, target: str, *, offline: bool = False, former: bool = False) -> ConversationId:
        """Find the conversation that a target names: a group by what this device knows, others with the server.

        With `former`, a group too that one is not in any more.
        """
        wanted = parse_target(target)
        if isinstance(wanted, GroupTarget):
            return await self._groups.find(wanted.name, offline=offline, former=former)
        return await self._rooms.resolve(target, offline=offline)

    async def all(self) -> list[Room]:
        """List the conversations one is in, newest activity first."""
        return [self._groups.named(room_of(found)) async for found in self._rooms.all()]

    async def get(self, target: str) -> Room:
        """Read what a conversation says of itself."""
        return self._groups.named(room_of(await self._rooms.get(await self.resolve(target))))

    async def join(self, target: str) -> Room:
        """Enter a room, or the group that an invite link leads to."""
        if is_invite(target):
            return await self._groups.join(target)
        return room_of(await self._rooms.join(await self.resolve(target)))

    async def leave(self, target: str) -> None:
        """Leave a room or a group."""
        conversation = await self.resolve(target)
        if await self._groups.has(conversation):
            return await self._groups.leave(conversation)
        return await self._rooms.leave(conversation)

    async def members(self, target: str) -> list[Member]:
        """List who is in."""
        conversation = await self.resolve(target)
        if await self._groups.has(conversation):
            return await self._groups.members(conversation)
        return [member_of(found) for found in await self._rooms.members(conversation)]

    async def change(
        self, target: str, *, name: str | None = None, topic: str | None = None, description: str | None = None
    ) -> Room:
        """Change what a room or group says of itself; what is not given stays."""
        conversation = await self.resolve(target)
        if await self._groups.has(conversation):
            return await self._groups.change(conversation, name=name, topic=topic, description=description)
        wanted = ConversationChange(
            name=msgspec.UNSET if name is None else name.removeprefix("#"),
            topic=msgspec.UNSET if topic is None else topic,
            description=msgspec.UNSET if description is None else description,
        )
        return room_of(await self._rooms.change(conversation, wanted))

    async def change_role(self, target: str, username: str, role: Role) -> None:
        """Give a member another role."""
        conversation, account = await self.resolve(target), await accounts.account_named(self._session, username)
        if await self._groups.has(conversation):
            return await self._groups.change_role(conversation, account, role)
        return await self._rooms.change_role(conversation, account, role)

    async def remove(self, target: str, username: str, *, ban: bool) -> None:
        """Put a member out, in a group also for good."""
        conversation, account = await self.resolve(target), await accounts.account_named(self._session, username)
        if await self._groups.has(conversation):
            return await self._groups.remove(conversation, account, ban=ban)
        if ban:
            raise ClientError("mode_mismatch")
        return await self._rooms.remove(conversation, account)
