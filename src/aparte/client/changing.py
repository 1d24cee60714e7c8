"""What is done to a message once it is there, in readable and encrypted conversations alike."""

from uuid import UUID

from aparte.client.api import messages
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import disappearing
from aparte.client.errors import ClientError
from aparte.client.model import message_id
from aparte.client.places import Places
from aparte.client.private import Private
from aparte.client.session import Session
from aparte.wire.content import MessageContent
from aparte.wire.ids import EntryId, Position
from aparte.wire.messages import Sent

SEND_SECONDS = 60.0
"""How long anything that is sent is tried before it is left to the outbox."""


class Changing:
    """Edits, deletions, reactions, pins and read marks of an open profile."""

    def __init__(self, session: Session, rooms: Rooms, places: Places, private: Private) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._places = places
        self._private = private

    async def edit(self, target: str, message: EntryId, content: MessageContent) -> Sent:
        """Change what a message says."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.edit(conversation, message, content, SEND_SECONDS)
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

    async def restore(self, target: str, message: EntryId) -> Sent:
        """Take back a deletion for everyone."""
        conversation = await self._places.resolve(target)
        if await self._private.has(conversation):
            return await self._private.restore(conversation, message, SEND_SECONDS)
        return await messages.restore(self._session, conversation, message)

    async def react(self, target: str, message: EntryId, reaction: tuple[str, bool]) -> Sent:
        """Set a reaction, or take it back."""
        conversation = await self._private.check(await self._places.resolve(target))
        return await self._private.react(conversation, message, reaction, SEND_SECONDS)

    async def pin(self, target: str, message: EntryId, *, on: bool) -> Sent:
        """Pin a message, or unpin it."""
        conversation = await self._private.check(await self._places.resolve(target))
        return await self._private.pin(conversation, message, SEND_SECONDS, on=on)

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


def entry_id(value: UUID | str) -> EntryId:
    """Read the id of a message. Raises ClientError `bad_message_id`."""
    try:
        return message_id(value)
    except ValueError:
        raise ClientError("bad_message_id", str(value)) from None
