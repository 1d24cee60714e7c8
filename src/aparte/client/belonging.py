"""What a client does with conversations as a whole: making, finding, running and leaving them, and who is in them."""

from datetime import datetime, timedelta
from typing import Unpack

from aparte.client.answers import Invitation, InviteLink, Member, Room
from aparte.client.parts import Parts
from aparte.client.places import Change, Said
from aparte.client.room_invites import is_room_invite
from aparte.wire.content import Mode, Role
from aparte.wire.conversations import Level, Preferences, PreferencesChange


class Belonging(Parts):
    """Rooms, channels, groups, and what one has set there for oneself."""

    async def conversations(self) -> list[Room]:
        """List the conversations one is in, newest activity first."""
        return await self._places.all()

    async def rooms(self) -> list[Room]:
        """List the rooms one is in, newest activity first."""
        return [room for room in await self.conversations() if room.kind == "room"]

    async def room(self, target: str) -> Room:
        """Read what a conversation one is in says of itself."""
        return await self._places.get(target)

    async def new_room(
        self, name: str, *, public: bool | None = None, mode: Mode | None = None, **said: Unpack[Said]
    ) -> Room:
        """Create a room: public unless said otherwise, and then the server can read it as everybody can.

        A private one is `mode="e2ee"` (a group by another name, `+name`) or `mode="server"`. Raises ClientError
        `mode_needed`, `name_taken`.
        """
        return await self._places.create("room", name, public=public, mode=mode, said=said)

    async def new_channel(
        self, name: str, *, public: bool | None = None, mode: Mode | None = None, **said: Unpack[Said]
    ) -> Room:
        """Create a channel, where moderators and above write: private unless said otherwise. As `new_room` else."""
        return await self._places.create("channel", name, public=public, mode=mode, said=said)

    async def change_conversation(self, target: str, **wanted: Unpack[Change]) -> Room:
        """Change what a conversation says of itself, and how it is run; what is not given stays."""
        return await self._places.change(target, **wanted)

    change_room = change_conversation
    """The same by the name it had."""

    async def archive_for_all(self, target: str, *, on: bool = True) -> Room:
        """Let a conversation be read and not written to, or written to again."""
        return await self._places.change(target, is_archived=on)

    async def delete_conversation(self, target: str) -> None:
        """End a conversation for everybody in it, for good; its owner does."""
        await self._places.delete(target)

    async def join(self, target: str) -> Room:
        """Enter a room, or what an invite link leads to. Raises ClientError `invite_over`, `banned` …"""
        return await self._places.join(target)

    async def leave(self, target: str) -> None:
        """Leave a room or a group."""
        await self._places.leave(target)

    # Invite links -----------------------------------------------------------------------------------------------------

    async def invite(
        self, target: str, *, role: Role = "member", expires: datetime | None = None, uses: int | None = None
    ) -> str:
        """Open an invite link and give it: whoever has it joins. Of an encrypted one, what stands after the `#` never
        reaches the server."""
        conversation = await self._places.resolve(target)
        if await self.groups.has(conversation):
            return await self.groups.invite(str(conversation), role=role, expires=expires, uses=uses)
        return await self._places.invites.open(conversation, role, expires, uses)

    async def look(self, link: str) -> Invitation:
        """Ask where an invite link leads, without entering. Raises ClientError `bad_invite`, `invite_over`."""
        return await (self._places.invites.look(link) if is_room_invite(link) else self.groups.look(link))

    async def invites(self, target: str) -> list[InviteLink]:
        """List the open invite links."""
        conversation = await self._places.resolve(target)
        if await self.groups.has(conversation):
            return await self.groups.invites(str(conversation))
        return await self._places.invites.all(conversation)

    async def close_invite(self, target: str, link: str) -> None:
        """Close an invite link by its id, an encrypted one's also by itself: nobody joins by it any more."""
        conversation = await self._places.resolve(target)
        if await self.groups.has(conversation):
            return await self.groups.close_invite(str(conversation), link)
        return await self._places.invites.close(conversation, link)

    # Members ----------------------------------------------------------------------------------------------------------

    async def members(self, target: str, *, role: Role | None = None) -> list[Member]:
        """List who is in, or who has one base role; of a group, as its members have signed it."""
        return await self._places.members(target, role)

    async def change_role(self, target: str, username: str, role: Role) -> None:
        """Give a member another base role; `owner` hands the conversation over."""
        await self._places.change_role(target, username, role)

    async def remove_member(self, target: str, username: str, *, ban: bool = False, reason: str = "") -> None:
        """Put a member out; with `ban`, until `moderation.unban`."""
        if ban:
            return await self._places.ban(target, username, reason)
        return await self._places.remove(target, username)

    async def set_nickname(self, target: str, nickname: str | None, *, username: str | None = None) -> None:
        """Say how one is called here, or somebody else; None: as everywhere. Not in encrypted conversations."""
        await self._places.rename(target, nickname, username)

    # For oneself ------------------------------------------------------------------------------------------------------

    async def preferences(self, target: str) -> Preferences:
        """Read what one has set for oneself; nobody else sees it."""
        return await self._preferring.get(target)

    async def mute(self, target: str, until: datetime | timedelta | None = None) -> Preferences:
        """Be told nothing until a moment, for a time, or for good."""
        return await self._preferring.mute(target, until)

    async def unmute(self, target: str) -> Preferences:
        """Be told again."""
        return await self._preferring.change(target, PreferencesChange(muted_until=None))

    async def set_level(self, target: str, level: Level) -> Preferences:
        """Be told of `all`, of `mentions`, or of `none`."""
        return await self._preferring.set_level(target, level)

    async def pin_conversation(self, target: str, *, on: bool = True) -> Preferences:
        """Keep a conversation at the top of one's list, or no longer."""
        return await self._preferring.change(target, PreferencesChange(is_pinned=on))

    async def archive(self, target: str, *, on: bool = True) -> Preferences:
        """Put a conversation away from one's list, or back."""
        return await self._preferring.change(target, PreferencesChange(is_archived=on))

    async def label(self, target: str, *labels: str) -> Preferences:
        """Give a conversation these labels in place of those it had; none takes them away."""
        return await self._preferring.change(target, PreferencesChange(labels=list(labels)))

    async def mark_unread(self, target: str, *, on: bool = True) -> Preferences:
        """Mark a conversation as unread until one reads there again."""
        return await self._preferring.change(target, PreferencesChange(is_marked_unread=on))
