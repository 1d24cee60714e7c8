"""From words to the outbox: checks what is said before it is kept, and sends many messages in order."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

import msgspec

from aparte.client.api import accounts
from aparte.client.api.conversations import Rooms
from aparte.client.changing import entry_id
from aparte.client.core import mentioned
from aparte.client.crypto import membership
from aparte.client.errors import ClientError, TimeOver, Unreachable
from aparte.client.outbox import Outbox
from aparte.client.private import Beside, Private
from aparte.client.session import Session
from aparte.client.store.conversations import ConversationRow
from aparte.e2ee.content import Ttl
from aparte.wire import limits
from aparte.wire.content import Format, MessageContent
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.messages import Sent

Lasting = int | Ttl
"""How long a message is there: seconds from sending on, or from when and how many seconds."""

AHEAD = 100
"""How many messages are kept in the outbox before the first of them is answered."""


class How(TypedDict, total=False):
    """What a message says beside its words."""

    text_format: Format
    reply: UUID | str | None
    """The message that it answers."""
    thread: UUID | str | None
    """The root of the thread that it belongs to."""
    mentions: Iterable[str]
    """User names; where the server can read, it finds them in the text itself, and nobody else is mentioned."""
    ttl: Lasting | None
    """How long it is there: seconds from sending on, in encrypted conversations ("reading", seconds) too."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a message says beside its words."""

    reply: EntryId | None = None
    thread: EntryId | None = None
    ttl: Ttl | None = None
    mentions: tuple[str, ...] = ()
    """User names, beside those in the words."""


def content_of(text: str, text_format: Format = "text") -> MessageContent:
    """Make the content of a message. Raises ClientError `invalid` for what the server would refuse."""
    if not text.strip():
        raise ClientError("invalid", "text is blank")
    try:
        text.encode()
        return msgspec.convert({"text": text, "format": text_format}, MessageContent)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ClientError("invalid", str(error)) from None


def wanted_of(how: How) -> Wanted:
    """Read what a message says beside its words. Raises ClientError `bad_message_id`, `invalid`."""
    reply, thread, ttl = how.get("reply"), how.get("thread"), how.get("ttl")
    return Wanted(
        reply=entry_id(reply) if reply is not None else None,
        thread=entry_id(thread) if thread is not None else None,
        ttl=ttl_of(ttl),
        mentions=tuple(how.get("mentions", ())),
    )


def ttl_of(ttl: Lasting | None) -> Ttl | None:
    """Read how long a message is there. Raises ClientError `invalid`."""
    if ttl is None:
        return None
    wanted: Ttl = ttl if isinstance(ttl, tuple) else ("sending", ttl)
    least, most = limits.TTL_SECONDS
    if not least <= wanted[1] <= most:
        raise ClientError("invalid", f"a message is there for {least} seconds to {most}")
    return wanted


class Sending:
    """Messages on their way into the outbox, with what they say beside their words."""

    def __init__(self, session: Session, rooms: Rooms, private: Private, outbox: Outbox) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._private = private
        self._outbox = outbox

    async def send(self, conversation: ConversationId, content: MessageContent, wanted: Wanted, seconds: float) -> Sent:
        """Send a message, as the conversation is encrypted or not."""
        row = await self._known(conversation)
        if row is not None and row.is_sealed:
            named = await accounts.accounts_named(self._session, wanted.mentions)
            people = dict.fromkeys([*named, *await self.mentioned(conversation, content)])
            beside = Beside(wanted.reply, tuple(people)[: limits.MENTIONS], wanted.thread, wanted.ttl)
            return await self._private.say(conversation, content, beside, seconds)
        said = {name for names in mentioned.names_in(content.text, content.format) for name in names}
        unsaid = [name for name in wanted.mentions if name.removeprefix("@").lower() not in said]
        if unsaid or (wanted.ttl is not None and wanted.ttl[0] == "reading"):
            raise ClientError("mode_mismatch", ", ".join(unsaid))
        ttl = wanted.ttl[1] if wanted.ttl is not None else None
        content = msgspec.structs.replace(content, reply=wanted.reply, ttl=ttl)
        item = self._outbox.put(conversation, [content], thread=wanted.thread)[0]
        return await self._outbox.deliver(conversation, item, seconds)

    async def mentioned(self, conversation: ConversationId, content: MessageContent) -> list[AccountId]:
        """Give which members the words of a message for an encrypted conversation mention; the server reads others."""
        row = await self._known(conversation)
        if row is None or not row.is_sealed or not mentioned.names_in(content.text, content.format):
            return []
        with self._session.store.reading() as tx:
            state = membership.state(tx, conversation)
        people = {AccountId(UUID(bytes=account)) for account in state.members} if state is not None else set()
        people |= {row.peer} if row.peer is not None else set()
        people |= {self._session.profile.account} if not row.has_chain else set()
        names = await accounts.usernames(self._session, people, patience=0)
        by_name = {name.lower(): account for account, name in names.items()}
        return mentioned.mentioned(content.text, content.format, by_name)[: limits.MENTIONS]

    async def _known(self, conversation: ConversationId) -> ConversationRow | None:
        """Give what is known of a conversation; None of one that cannot be asked for, which the server will refuse."""
        try:
            return await self._rooms.row(conversation)
        except Unreachable:
            return None


async def send_many(
    outbox: Outbox,
    conversation: ConversationId,
    texts: Iterable[str] | AsyncIterable[str],
    text_format: Format,
    seconds: float,
) -> AsyncIterator[Sent]:
    """Send messages in order; what has been read ahead is kept in the outbox, at most AHEAD of them.

    One that the server refuses ends it, and those read ahead are forgotten; after TimeOver they wait in the outbox.
    `seconds` is for each message, counted from the answer to the one before it.
    """
    items: asyncio.Queue[int | None] = asyncio.Queue()
    slots = asyncio.Semaphore(AHEAD)

    async def keep() -> None:
        try:
            async for text in each(texts):
                content = content_of(text, text_format)
                await slots.acquire()
                items.put_nowait(outbox.put(conversation, [content])[0])
        finally:
            items.put_nowait(None)

    reading = asyncio.ensure_future(keep())
    try:
        while (item := await items.get()) is not None:
            try:
                sent = await outbox.deliver(conversation, item, seconds)
            except TimeOver:
                raise
            except ClientError:
                outbox.drop(drained(items))
                raise
            slots.release()
            yield sent
        await reading
    finally:
        reading.cancel()


def drained(items: "asyncio.Queue[int | None]") -> list[int]:
    """Take everything out of a queue."""
    found = [items.get_nowait() for _ in range(items.qsize())]
    return [item for item in found if item is not None]


async def each(texts: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[str]:
    """Iterate over either kind of iterable."""
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            yield text
    else:
        for text in texts:
            yield text
