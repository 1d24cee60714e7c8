"""What is done to a message once it is there, in readable and encrypted conversations alike."""

from uuid import UUID

from msgspec import structs

from aparte.client.api import messages
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import disappearing
from aparte.client.errors import ClientError
from aparte.client.model import message_id
from aparte.client.outbox import Outbox
from aparte.client.places import Places
from aparte.client.private import Beside, Copied, Private
from aparte.client.session import Session
from aparte.e2ee.content import Ttl
from aparte.wire.content import MessageContent
from aparte.wire.conversations import ConversationChange
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import ForwardOf, Sent

SEND_SECONDS = 60.0
"""How long anything that is sent is tried before it is left to the outbox."""


class Changing:
    """Edits, deletions, reactions, pins and read marks of an open profile."""

    def __init__(self, session: Session, rooms: Rooms, places: Places, private: Private, outbox: Outbox) -> None:
        """Work in the name of a session."""
        self._outbox = outbox
        self._session = session
        self._rooms = rooms
        self._places = places
        self._private = private

    async def edit(
        self, target: str, message: EntryId, content: MessageContent, mentions: tuple[AccountId, ...] = ()
    ) -> Sent:
        """Change what a message says; of a readable one the server reads off the words whom it mentions."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.edit(conversation, message, content, SEND_SECONDS, mentions=mentions)
        return await messages.edit(self._session, conversation, message, content)

    async def delete(self, target: str, message: EntryId, *, for_me: bool) -> Sent | None:
        """Delete a message for everyone, or only for oneself."""
        conversation = await self._places.resolve(target)
        if for_me:
            await messages.hide(self._session, conversation, message)
            return None
        if await self._private.has(conversation):
            return await self._private.delete(conversation, message, SEND_SECONDS)
        return await messages.delete(self._session, conversation, message)

    async def forward(self, target: str, message: EntryId, to: str) -> Sent:
        """Send the words of a message on; whose they were first is not said where the server could read it.

        Between two conversations that the server can read it copies them itself; otherwise this device does. What
        disappears does so where it is forwarded to as well.
        """
        conversation, other = await self._places.resolve(target), await self._places.resolve(to)
        if await self._private.has(conversation):
            copied = await self._private.copied(conversation, message)
        else:
            found = await messages.get(self._session, conversation, message)
            if found.content is None:
                raise ClientError("gone")
            if not await self._private.has(other):
                item = self._outbox.put(other, [found.content], ForwardOf(conversation, message))[0]
                return await self._outbox.deliver(other, item, SEND_SECONDS)
            copied = Copied(MessageContent(found.content.text, found.content.format), _ttl(found.content))
        return await self._sent_on(other, copied)

    async def _sent_on(self, conversation: ConversationId, copied: Copied) -> Sent:
        if await self._private.has(conversation):
            beside = Beside(ttl=copied.ttl, is_forwarded=True)
            return await self._private.say(conversation, copied.content, beside, SEND_SECONDS)
        content = structs.replace(copied.content, ttl=copied.ttl[1] if copied.ttl else None)
        return await self._outbox.deliver(conversation, self._outbox.put(conversation, [content])[0], SEND_SECONDS)

    async def set_ttl(self, target: str, ttl: Ttl | None) -> None:
        """Say how long everybody's new messages are there; None: they stay. In a readable room admins up do.

        Only what is encrypted counts from being read.
        """
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            await self._private.set_ttl(conversation, ttl, SEND_SECONDS)
        elif ttl is not None and ttl[0] == "reading":
            raise ClientError("mode_mismatch")
        else:
            await self._rooms.change(conversation, ConversationChange(ttl=ttl[1] if ttl else None))

    async def restore(self, target: str, message: EntryId) -> Sent:
        """Take back a deletion for everyone."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.restore(conversation, message, SEND_SECONDS)
        return await messages.restore(self._session, conversation, message)

    async def react(self, target: str, message: EntryId, reaction: tuple[str, bool]) -> Sent | None:
        """Set a reaction, or take it back; None where it was so already, as far as the server can tell."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.react(conversation, message, reaction, SEND_SECONDS)
        return await messages.react(self._session, conversation, message, reaction[0], on=reaction[1])

    async def pin(self, target: str, message: EntryId, *, on: bool) -> Sent | None:
        """Pin a message, or unpin it; None where it was so already, as far as the server can tell."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.pin(conversation, message, SEND_SECONDS, on=on)
        return await messages.pin(self._session, conversation, message, on=on)

    async def mark_read(self, target: str, message: EntryId | None) -> None:
        """Tell that everything up to a message, or to the end, has been read."""
        conversation = await self._places.resolve(target)
        if message is None:
            up_to = (await self._rooms.get(conversation)).head
        elif await self._private.has(conversation):
            up_to = await self._private.position(conversation, message)
        else:
            found = await messages.get(self._session, conversation, message)
            up_to = Position(found.seq, found.id)
        disappearing.read(self._session.store, conversation, up_to.seq)
        await messages.mark_read(self._session, conversation, up_to)


def _ttl(content: MessageContent) -> Ttl | None:
    return None if content.ttl is None else ("sending", content.ttl)


def entry_id(value: UUID | str) -> EntryId:
    """Read the id of a message. Raises ClientError `bad_message_id`."""
    try:
        return message_id(value)
    except ValueError:
        raise ClientError("bad_message_id", str(value)) from None
