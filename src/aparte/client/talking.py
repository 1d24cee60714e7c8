"""What a client does with messages: the same verbs where the server can read and where it cannot."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Unpack
from uuid import UUID

from aparte.client.answers import Receipts, receipts_of
from aparte.client.api import messages as api
from aparte.client.changing import SEND_SECONDS, entry_id
from aparte.client.core.events import TOLD
from aparte.client.errors import ClientError
from aparte.client.history import Asked, History
from aparte.client.model import Message, Version
from aparte.client.parts import Parts
from aparte.client.readable import Readable
from aparte.client.sending import How, Lasting, content_of, send_many, ttl_of, wanted_of
from aparte.client.stream import MessageStream
from aparte.wire.content import Format
from aparte.wire.frames import Typing
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.messages import Sent

TYPING_SECONDS = 3.0
"""How long `typing` waits for the gateway; what is older than that is no news."""


class Talking(Parts):
    """Writing, reading, and what is done to messages."""

    async def send(
        self,
        target: str,
        text: str,
        *,
        deadline: float = SEND_SECONDS,
        **how: Unpack[How],
    ) -> Sent:
        """Send a message; gives where it is once the server has it for good.

        It is kept in the profile before it is sent, so nothing that happens makes it lost or doubled. Raises TimeOver
        when `deadline` seconds were not enough: it waits in the outbox and goes out before the next one; and
        ClientError, `held` for instance: a moderator decides, `unsent` lists it until then.

        `text_format`: text, markdown, html, code. `reply`: the message it answers. `thread`: the root of the thread it
        belongs to. `ttl`: seconds after which it disappears, or `("reading", seconds)` in encrypted conversations.
        Whom it mentions is read off the words (`@name`); `mentions` names more, in encrypted ones alone.
        """
        content = content_of(text, how.get("text_format", "text"))
        wanted = wanted_of(how)
        conversation = await self._places.resolve(target, offline=True)
        sending = self._sending.send(conversation, content, wanted, deadline)
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

        With `events` also what others did, who came or reacted for instance: `Message.event`.
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

        With `events` also what happened between them, as far back as this device has listened. What was read in a
        group stays readable after one is out.
        """
        conversation = await self._places.resolve(target, former=True)
        asked = Asked(limit, _place(before), events)
        return await (await self._reading(conversation)).newest(conversation, asked)

    async def message(self, target: str, message: UUID | str) -> Message:
        """Read one message as it is now. Raises ClientError `not_found`, `gone`."""
        conversation = await self._places.resolve(target, former=True)
        return await (await self._reading(conversation)).one(conversation, entry_id(message))

    async def versions(self, target: str, message: UUID | str) -> list[Version]:
        """Read everything that a message has said, the original first. Raises ClientError `gone` once it is deleted."""
        conversation = await self._places.resolve(target, former=True)
        return await (await self._reading(conversation)).versions(conversation, entry_id(message))

    async def receipts(self, target: str, message: UUID | str) -> Receipts:
        """Read who has received a message and who has read it, as far as each lets it be known."""
        conversation = await self._places.resolve(target)
        found = await api.receipts(self._session, conversation, entry_id(message))
        return receipts_of(found, await self._names({*found.readers, *(one.account for one in found.receipts)}))

    # Changing ---------------------------------------------------------------------------------------------------------

    async def edit(self, target: str, message: UUID | str, text: str, *, text_format: Format = "text") -> Sent:
        """Change what one of one's own messages says."""
        place, content = entry_id(message), content_of(text, text_format)
        conversation = await self._places.resolve(target)
        people = tuple(await self._sending.mentioned(conversation, content))
        return await self._changing.edit(str(conversation), place, content, people)

    async def delete(self, target: str, message: UUID | str, *, for_me: bool = False) -> Sent | None:
        """Delete a message for everyone, or only for oneself."""
        return await self._changing.delete(target, entry_id(message), for_me=for_me)

    async def restore(self, target: str, message: UUID | str) -> Sent:
        """Take back a deletion for everyone, within 30 days."""
        return await self._changing.restore(target, entry_id(message))

    async def forward(self, target: str, message: UUID | str, to: str) -> Sent:
        """Send the words of a message on to another conversation."""
        return await self._changing.forward(target, entry_id(message), to)

    async def set_ttl(self, target: str, ttl: Lasting | None) -> None:
        """Say how long everybody's new messages are there, in seconds; None: they stay."""
        await self._changing.set_ttl(target, ttl_of(ttl))

    async def react(self, target: str, message: UUID | str, emoji: str, *, on: bool = True) -> Sent | None:
        """Set a reaction, or take it back; None if it was so already."""
        return await self._changing.react(target, entry_id(message), (emoji, on))

    async def unreact(self, target: str, message: UUID | str, emoji: str) -> Sent | None:
        """Take a reaction back."""
        return await self.react(target, message, emoji, on=False)

    async def pin(self, target: str, message: UUID | str, *, on: bool = True) -> Sent | None:
        """Pin a message for everybody, or unpin it; None if it was so already. Moderators and above do."""
        return await self._changing.pin(target, entry_id(message), on=on)

    async def unpin(self, target: str, message: UUID | str) -> Sent | None:
        """Unpin a message."""
        return await self.pin(target, message, on=False)

    async def mark_read(self, target: str, message: UUID | str | None = None) -> None:
        """Tell that everything up to a message, or to the end, has been read."""
        await self._changing.mark_read(target, None if message is None else entry_id(message))

    # What hangs together ----------------------------------------------------------------------------------------------

    async def pinned(self, target: str) -> list[Message]:
        """Read the messages that are pinned, the one that was pinned last first."""
        conversation = await self._places.resolve(target)
        return await (await self._reading(conversation)).pinned(conversation)

    async def replies(self, target: str, message: UUID | str) -> list[Message]:
        """Read the messages that answer one by quoting it, oldest first."""
        conversation = await self._places.resolve(target, former=True)
        return await (await self._reading(conversation)).answers(conversation, entry_id(message))

    async def thread(
        self, target: str, root: UUID | str, limit: int = 50, *, before: UUID | str | None = None
    ) -> list[Message]:
        """Read the newest messages of a thread, or those before one, oldest first; the root is not among them."""
        conversation = await self._places.resolve(target, former=True)
        reading = await self._reading(conversation)
        return await reading.thread(conversation, entry_id(root), Asked(limit, _place(before)))

    async def threads(
        self, target: str, limit: int = 50, *, before: UUID | str | None = None, followed: bool = False
    ) -> list[Message]:
        """Read the roots of threads, the one with the newest message first: `Message.thread` counts what hangs there.

        `before`: those whose newest message is before this one. `followed`: those that one follows.
        """
        conversation = await self._places.resolve(target, former=True)
        reading = await self._reading(conversation)
        return await reading.threads(conversation, limit, before=_place(before), followed=followed)

    async def follow(self, target: str, root: UUID | str, *, on: bool = True) -> None:
        """Be told of what comes in a thread, or no longer."""
        await api.follow(self._session, await self._places.resolve(target), entry_id(root), on=on)

    async def mentions(self, limit: int = 50, *, before: UUID | str | None = None) -> list[Message]:
        """Read the newest messages of all conversations that mention one, or those before one; newest first."""
        place = _place(before)
        found = await self._readable.mentioning(limit, before=place)
        found += await self._history.mentioning(limit, before=place)
        return sorted(found, key=lambda message: message.id, reverse=True)[:limit]

    # Writing ----------------------------------------------------------------------------------------------------------

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

    async def _reading(self, conversation: ConversationId) -> History | Readable:
        return self._history if await self._private.has(conversation) else self._readable


def _place(message: UUID | str | None) -> EntryId | None:
    return entry_id(message) if message else None
