"""The SDK's one object: a profile that is open, and in verbs what a person can do with it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any
from uuid import UUID

from aparte.client.api import accounts, messages
from aparte.client.api.conversations import Rooms
from aparte.client.changing import SEND_SECONDS, Changing, entry_id
from aparte.client.core.events import TOLD
from aparte.client.crypto.linking import CodeShown, Offered
from aparte.client.crypto.upkeep import look_after
from aparte.client.drafts import Drafts
from aparte.client.errors import ClientError, NotSignedIn, TimeOver
from aparte.client.gateway import Gateway
from aparte.client.groups import Groups
from aparte.client.history import Asked, History
from aparte.client.identity import Identity
from aparte.client.model import Credentials, Member, Message, Room, Unsent, rendered, room_of, unsent_of
from aparte.client.opening import Place, linked, logged_in, opened, place_of, registered
from aparte.client.outbox import Outbox
from aparte.client.places import Places
from aparte.client.private import Beside, Private
from aparte.client.scheduled import Scheduled
from aparte.client.sending import content_of, send_many
from aparte.client.session import Progress, Session
from aparte.client.store import state
from aparte.client.stream import MessageStream
from aparte.wire.accounts import Account, Device
from aparte.wire.content import Format, Role
from aparte.wire.frames import Typing
from aparte.wire.ids import AccountId, ConversationId, DeviceId
from aparte.wire.messages import Sent

NAMES_SECONDS = 5.0
"""How long a message waits for its sender's name."""

TYPING_SECONDS = 3.0
"""How long `typing` waits for the gateway; what is older than that is no news."""


class Client:
    """A profile at work: `async with Client.open("alice") as me`.

    `target` is `"+group"`, `"#room"`, `"@person"`, `"@me"` or a conversation's id; what fails raises ClientError with a
    code.
    """

    def __init__(self, session: Session) -> None:
        """Work with an open session; use `Client.open`, `Client.register` or `Client.log_in` instead."""
        self._session = session
        self._rooms = Rooms(session)
        self._outbox = Outbox(session)
        self._gateway = Gateway(session, self._rooms, self._changed)
        self._private = Private(session, self._rooms, self._outbox, self._connect)
        self._history = History(session, self._private, self._names)
        self.groups = Groups(session, self._rooms, self._private)
        """Making groups, and who gets into them: what only groups have. Talking there is as anywhere."""
        self._places = Places(session, self._rooms, self.groups)
        self.scheduled = Scheduled(session, self._rooms, self._places, self._private)
        """Messages that are due later."""
        self._drafts = Drafts(session)
        self._changing = Changing(session, self._rooms, self._places, self._private, self._outbox)
        self._stream: MessageStream | None = None
        self._line: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, profile: Place | str) -> "AbstractAsyncContextManager[Client]":
        """Open a profile that is signed in. Raises ClientError `no_profile`, `wrong_passphrase` …, NotSignedIn."""
        return opened(cls, place_of(profile))

    @classmethod
    def register(
        cls, profile: Place | str, who: Credentials, *, email: str, display_name: str | None = None
    ) -> "AbstractAsyncContextManager[Client]":
        """Make an account, with a new profile as its first device."""
        return registered(cls, place_of(profile), who, email, display_name)

    @classmethod
    def log_in(cls, profile: Place | str, who: Credentials) -> "AbstractAsyncContextManager[Client]":
        """Sign in with a new profile, or again with one that was signed in before."""
        return logged_in(cls, place_of(profile), who)

    @classmethod
    def link(
        cls, profile: Place | str, who: Credentials, tell: Callable[[Offered | CodeShown], None]
    ) -> "AbstractAsyncContextManager[Client]":
        """Become another device of an account: `tell` is given the offer to show there, then the code to type there."""
        return linked(cls, place_of(profile), who, tell)

    # Messages ---------------------------------------------------------------------------------------------------------

    async def send(
        self,
        target: str,
        text: str,
        *,
        text_format: Format = "text",
        reply: UUID | str | None = None,
        mentions: Iterable[str] = (),
        deadline: float = SEND_SECONDS,
    ) -> Sent:
        """Send a message; gives where it is once the server has it for good.

        It is kept in the profile before it is sent, so nothing that happens makes it lost or doubled. Raises TimeOver
        when `deadline` seconds were not enough: it waits in the outbox and goes out before the next one. What it
        answers (`reply`) and whom it mentions are said in encrypted conversations only.
        """
        content, place = content_of(text, text_format), entry_id(reply) if reply else None
        conversation = await self._places.resolve(target, offline=True)
        people = await accounts.accounts_named(self._session, mentions)
        if place is not None or people:
            await self._private.check(conversation)
            sending = self._private.say(conversation, content, Beside(place, tuple(people)), deadline)
        else:
            sending = self._outbox.deliver(conversation, self._outbox.put(conversation, [content])[0], deadline)
        return await self._drafts.done_with(conversation, sending)

    async def send_many(
        self,
        target: str,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        text_format: Format = "text",
        deadline: float = SEND_SECONDS,
    ) -> AsyncIterator[Sent]:
        """Send messages in order; gives where each is. `deadline` is in seconds for each of them."""
        conversation = await self._places.resolve(target, offline=True)
        async for sent in send_many(self._outbox, conversation, texts, text_format, deadline):
            yield sent

    def messages(self, *, events: bool = False) -> MessageStream:
        """Stream what arrives, from others and one's own other devices: since the last time, then live, each once.

        With `events` also what others did in encrypted conversations, who came for instance: `Message.event`.
        """
        if self._stream is not None:
            raise ClientError("already_listening")
        self._stream = MessageStream(self._session, self._names, self._line_ended, TOLD if events else ())
        self._connect()
        return self._stream

    async def history(
        self, target: str, limit: int = 50, *, before: UUID | str | None = None, events: bool = False
    ) -> list[Message]:
        """Read the newest messages as they are now, oldest first; or those before a message.

        With `events` also what happened between them in an encrypted conversation. What was read in a group stays
        readable after one is out.
        """
        conversation = await self._places.resolve(target, former=True)
        place = entry_id(before) if before else None
        if await self._private.has(conversation):
            return await self._history.newest(conversation, Asked(limit, place, events))
        room = await self._rooms.get(conversation)
        found = await messages.newest(self._session, conversation, limit, place)
        names = await self._names({message.account for message in found})
        return [rendered(message, f"#{room.name}", names) for message in found]

    async def edit(self, target: str, message: UUID | str, text: str, *, text_format: Format = "text") -> Sent:
        """Change what one of one's own messages says."""
        return await self._changing.edit(target, entry_id(message), content_of(text, text_format))

    async def delete(self, target: str, message: UUID | str, *, for_me: bool = False) -> Sent | None:
        """Delete a message for everyone, or only for oneself."""
        return await self._changing.delete(target, entry_id(message), for_me=for_me)

    async def restore(self, target: str, message: UUID | str) -> Sent:
        """Take back a deletion for everyone, within 30 days."""
        return await self._changing.restore(target, entry_id(message))

    async def react(self, target: str, message: UUID | str, emoji: str, *, on: bool = True) -> Sent:
        """Set a reaction to a message of an encrypted conversation, or take it back."""
        return await self._changing.react(target, entry_id(message), (emoji, on))

    async def pin(self, target: str, message: UUID | str, *, on: bool = True) -> Sent:
        """Pin a message of an encrypted conversation, or unpin it; in a group moderators and above do."""
        return await self._changing.pin(target, entry_id(message), on=on)

    async def pinned(self, target: str) -> list[Message]:
        """Read the messages that are pinned in an encrypted conversation."""
        return await self._history.pinned(await self._private.check(await self._places.resolve(target)))

    async def mark_read(self, target: str, message: UUID | str | None = None) -> None:
        """Tell that everything up to a message, or to the end, has been read."""
        await self._changing.mark_read(target, None if message is None else entry_id(message))

    async def draft(self, target: str) -> str | None:
        """Read what one has begun to write, on whichever of one's devices; None if nothing."""
        return await self._drafts.get(await self._places.resolve(target, offline=True))

    async def set_draft(self, target: str, text: str | None) -> None:
        """Keep what one is writing for one's own devices, sealed; None or nothing forgets it. Sending does so too."""
        await self._drafts.put(await self._places.resolve(target, offline=True), text)

    async def typing(self, target: str, *, on: bool = True) -> None:
        """Let the others see that one is writing, or has stopped; forgotten after five seconds, never stored.

        It needs the gateway: while another process of the profile has it, nothing is said.
        """
        conversation = await self._places.resolve(target)
        self._connect()
        with suppress(TimeoutError):
            async with asyncio.timeout(TYPING_SECONDS):
                await self._gateway.connected.wait()
        await self._gateway.type_in(Typing(conversation=conversation, on=on))

    # Rooms and groups -------------------------------------------------------------------------------------------------

    async def conversations(self) -> list[Room]:
        """List the conversations one is in, newest activity first."""
        return await self._places.all()

    async def rooms(self) -> list[Room]:
        """List the rooms one is in, newest activity first."""
        return [room for room in await self.conversations() if room.kind == "room"]

    async def new_room(self, name: str, *, topic: str = "", description: str = "") -> Room:
        """Create a public room; the server can read what is said there, and so can everybody who joins."""
        return room_of(await self._rooms.create(name.removeprefix("#"), topic, description))

    async def join(self, target: str) -> Room:
        """Enter a room, or the group that an invite link leads to. Raises ClientError `invite_over`, `banned` …"""
        return await self._places.join(target)

    async def leave(self, target: str) -> None:
        """Leave a room or a group."""
        await self._places.leave(target)

    async def members(self, target: str) -> list[Member]:
        """List who is in a room or group; of a group, as its members have signed it."""
        return await self._places.members(target)

    async def change_room(
        self, target: str, *, name: str | None = None, topic: str | None = None, description: str | None = None
    ) -> Room:
        """Change what a room or group says of itself; what is not given stays."""
        return await self._places.change(target, name=name, topic=topic, description=description)

    async def room(self, target: str) -> Room:
        """Read what a room or group one is in says of itself."""
        return await self._places.get(target)

    async def change_role(self, target: str, username: str, role: Role) -> None:
        """Give a member another role."""
        await self._places.change_role(target, username, role)

    async def remove_member(self, target: str, username: str, *, ban: bool = False) -> None:
        """Put a member out of a room or group; with `ban`, out of a group until `groups.unban`."""
        await self._places.remove(target, username, ban=ban)

    # Oneself ----------------------------------------------------------------------------------------------------------

    async def who_am_i(self) -> Account:
        """Read one's own account."""
        return await accounts.me(self._session)

    @property
    def device_id(self) -> DeviceId:
        """The id of this profile's device."""
        return self._session.profile.device

    @property
    def server(self) -> str:
        """The address of the server that this client talks to."""
        return self._session.http.server

    async def devices(self) -> list[Device]:
        """List one's own devices."""
        return await accounts.devices(self._session)

    async def remove_device(self, device: DeviceId, password: str | None = None) -> None:
        """Take one of one's own devices off the account; one that may be in other hands with the password."""
        await self.keys.revoke(device, password)

    @property
    def keys(self) -> Identity:
        """Safety numbers, linking and removing devices, and notices about keys."""
        return Identity(self._session)

    async def log_out(self) -> None:
        """End this profile's session; what it has stored stays."""
        await accounts.log_out(self._session)

    @property
    def progress(self) -> Progress | None:
        """Told how far something long is: what (`sessions`, `distribution`), how many are done, of how many."""
        return self._session.progress

    @progress.setter
    def progress(self, told: Progress | None) -> None:
        self._session.progress = told

    def account_state(self) -> dict[str, Any]:
        """Read what this profile knows of the account's state (memberships, read marks, settings), by key."""
        with self._session.store.reading() as tx:
            return state.select_states(tx)

    def unsent(self) -> list[Unsent]:
        """List what waits in the outbox, and what was refused after its sender had gone."""
        return [unsent_of(row) for row in self._outbox.unsent()]

    def unreadable(self) -> dict[ConversationId, int]:
        """Count, by conversation, the encrypted entries whose key is not here yet."""
        return self._private.unreadable()

    @property
    def catching_up(self) -> int:
        """How many entries are known to be missing here still; 0 when not connected."""
        return self._gateway.remaining

    # Inside -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send what an earlier process has left in the outbox, beside everything else."""
        self._upkeep = asyncio.ensure_future(look_after(self._session))
        if self._drafts.has_unsaved or any(item.outcome is None for item in self._outbox.unsent()):
            self._sending = asyncio.ensure_future(self._send_left_over())

    async def close(self, *, confirm: bool = True) -> None:
        """End everything; with `confirm`, the message handed out last counts as taken care of, and debts are paid."""
        if confirm:
            await self.groups.settle()
        for task in (self._line, self._sending, self._upkeep):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, ClientError):
                    await task
        if self._stream is not None:
            if confirm:
                self._stream.confirm()
            self._stream.close()
            self._stream = None

    def _connect(self) -> None:
        if self._line is None:
            self._line = asyncio.ensure_future(self._gateway.run())
            self._line.add_done_callback(lambda _: self._changed())

    def _changed(self) -> None:
        if self._stream is not None:
            self._stream.wake()

    def _line_ended(self) -> BaseException | None:
        if self._line is None or not self._line.done():
            return None
        return None if self._line.cancelled() else self._line.exception()

    async def _send_left_over(self) -> None:
        with suppress(NotSignedIn, TimeOver):
            await self._outbox.deliver_left_over(SEND_SECONDS)
            await self._drafts.save_left_over()

    async def _names(self, wanted: Iterable[AccountId]) -> dict[AccountId, str]:
        return await accounts.usernames(self._session, wanted, NAMES_SECONDS)
