"""Rooms and groups alike: one set of verbs, carried out by the server in a room and by what members sign in a group."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict, Unpack

from aparte.client.answers import Member, Room, member_of, room_of
from aparte.client.api import accounts, members
from aparte.client.api.conversations import Rooms
from aparte.client.core.asked import asked
from aparte.client.core.names import GroupTarget, parse_target
from aparte.client.errors import ClientError
from aparte.client.groups import Groups
from aparte.client.invites import is_invite
from aparte.client.private import Private
from aparte.client.room_invites import RoomInvites, is_room_invite
from aparte.client.session import Session
from aparte.wire.content import Mode, Role, SearchLanguage
from aparte.wire.conversations import Conversation, ConversationChange, MemberUpdate, NewConversation
from aparte.wire.groups import NewBan
from aparte.wire.ids import AccountId, ConversationId

SEND_SECONDS = 60.0
NAMES_SECONDS = 5.0
"""How long a list of conversations waits for what people are called."""
SEALED = frozenset({"name", "topic", "description", "welcome", "rules"})
"""What an encrypted conversation says of itself, in an entry that the server cannot read."""

NOT_SEALED = frozenset({"picture", "language"})
"""What only conversations that the server can read have."""


class Said(TypedDict, total=False):
    """What a conversation says of itself beside its name, and how it is run; what is left out stays."""

    topic: str
    description: str
    welcome: str
    """What somebody new is shown first."""
    rules: str
    picture: str | None
    """The address of a picture; only where the server can read."""
    is_nsfw: bool
    language: SearchLanguage
    """By which rules its words are searched."""
    slow_mode_seconds: int
    max_members: int
    ttl: int | None
    """Seconds after which new messages disappear."""
    is_archived: bool
    """Read and not written to."""
    metadata: dict[str, Any]
    """Free JSON; `auto_moderate` and `allow_bots` in it change what the server does."""


class Change(Said, total=False):
    """All of it, the name too."""

    name: str


class Places:
    """The conversations of an open profile, and who is in them."""

    def __init__(self, session: Session, rooms: Rooms, groups: Groups, private: Private) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._groups = groups
        self._private = private
        self.invites = RoomInvites(session)

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
        found = [one async for one in self._rooms.all()]
        names = await self._peers(found)
        return [self._groups.named(room_of(one, names)) for one in found]

    async def get(self, target: str) -> Room:
        """Read what a conversation says of itself."""
        return await self._shown(await self.resolve(target))

    # Beginning and ending ---------------------------------------------------------------------------------------------

    async def create(
        self, kind: Literal["room", "channel"], name: str, *, public: bool | None, mode: Mode | None, said: Said
    ) -> Room:
        """Make a room or channel: encrypted ones begin with a signed statement. Raises ClientError `mode_needed` …"""
        if mode == "e2ee":
            if public:
                raise ClientError("invalid", "what is public is read by everybody, and by the server")
            wanted = {key: value for key, value in said.items() if key != "topic"}
            _check_sealed(wanted)
            made = await self._groups.new_group(name, topic=said.get("topic", ""), kind=kind)
            return await self._changed(made.id, wanted)
        is_public = kind == "room" if public is None else public
        if mode is None and not is_public:
            raise ClientError("mode_needed")
        settings = {key: value for key, value in said.items() if key not in SEALED and key != "picture"}
        fields = {key: value for key, value in said.items() if key not in settings}
        wanted = {
            "kind": kind,
            "name": name.removeprefix("#"),
            "is_public": is_public,
            "encryption_mode": "server",
            "settings": settings,
            **fields,
        }
        return room_of(await self._rooms.create(asked(wanted, NewConversation)))

    async def delete(self, target: str) -> None:
        """End a conversation for everybody in it."""
        await self._rooms.delete(await self.resolve(target))

    async def change(self, target: str, **wanted: Unpack[Change]) -> Room:
        """Change what a conversation says of itself, and how it is run; what is not given stays."""
        return await self._changed(await self.resolve(target), wanted)

    async def _changed(self, conversation: ConversationId, wanted: Mapping[str, Any]) -> Room:
        if not await self._groups.has(conversation):
            fields = dict(wanted)
            if "name" in fields:
                fields["name"] = fields["name"].removeprefix("#")
            return room_of(await self._rooms.change(conversation, asked(fields, ConversationChange)))
        _check_sealed(wanted)
        said = {key: value for key, value in wanted.items() if key in SEALED}
        settings = {key: value for key, value in wanted.items() if key not in SEALED and key != "ttl"}
        change = asked(settings, ConversationChange)
        if said:
            await self._groups.change_profile(str(conversation), **said)
        if "ttl" in wanted:
            ttl = wanted["ttl"]
            await self._private.set_ttl(conversation, None if ttl is None else ("sending", ttl), SEND_SECONDS)
        if settings:
            await self._rooms.change(conversation, change)
        return await self._shown(conversation)

    async def _shown(self, conversation: ConversationId) -> Room:
        found = await self._rooms.get(conversation)
        return self._groups.named(room_of(found, await self._peers([found])))

    async def _peers(self, found: Iterable[Conversation]) -> dict[AccountId, str]:
        people = {one.peer for one in found if one.peer is not None}
        return await accounts.usernames(self._session, people, NAMES_SECONDS)

    # Coming and going -------------------------------------------------------------------------------------------------

    async def join(self, target: str) -> Room:
        """Enter a room, or what an invite link leads to."""
        if is_invite(target):
            return await self._groups.join(target)
        if is_room_invite(target):
            return await self.invites.enter(target)
        return room_of(await self._rooms.join(await self.resolve(target)))

    async def leave(self, target: str) -> None:
        """Leave a room or a group."""
        conversation = await self.resolve(target)
        if await self._groups.has(conversation):
            return await self._groups.leave(conversation)
        return await self._rooms.leave(conversation)

    # Members ----------------------------------------------------------------------------------------------------------

    async def members(self, target: str, role: Role | None = None) -> list[Member]:
        """List who is in, or who has one base role."""
        conversation = await self.resolve(target)
        if await self._groups.has(conversation):
            found = await self._groups.members(conversation)
            return [member for member in found if role is None or member.role == role]
        me = self._session.profile.account
        return [member_of(one, me) for one in await self._rooms.members(conversation, role)]

    async def change_role(self, target: str, username: str, role: Role) -> None:
        """Give a member another role."""
        conversation, account = await self._whom(target, username)
        if await self._groups.has(conversation):
            return await self._groups.change_role(conversation, account, role)
        return await members.change(self._session, conversation, account, MemberUpdate(role=role))

    async def remove(self, target: str, username: str) -> None:
        """Put a member out."""
        conversation, account = await self._whom(target, username)
        if await self._groups.has(conversation):
            return await self._groups.remove(conversation, account)
        return await members.remove(self._session, conversation, account)

    async def ban(self, target: str, username: str, reason: str) -> None:
        """Put somebody out who is not to come back; who is not in is not let in."""
        conversation, account = await self._whom(target, username)
        if await self._groups.has(conversation):
            inside = {member.id for member in await self._groups.members(conversation)}
            if account in inside:
                await self._groups.remove(conversation, account, ban=True)
                if not reason:
                    return
        await members.ban(self._session, conversation, account, NewBan(reason))

    async def rename(self, target: str, nickname: str | None, username: str | None) -> None:
        """Say how one is called here, or somebody else; None: as everywhere."""
        conversation = await self.resolve(target)
        account = self._session.profile.account
        if username is not None:
            account = await accounts.account_named(self._session, username)
        await members.rename(self._session, conversation, account, nickname)

    async def _whom(self, target: str, username: str) -> tuple[ConversationId, AccountId]:
        return await self.resolve(target), await accounts.account_named(self._session, username)


def _check_sealed(wanted: Mapping[str, Any]) -> None:
    """Refuse what an encrypted conversation has no use for, before anything is done. Raises ClientError."""
    asked(wanted, ConversationChange)
    if nowhere := NOT_SEALED & wanted.keys():
        raise ClientError("mode_mismatch", ", ".join(sorted(nowhere)))
