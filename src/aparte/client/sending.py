"""From words to the outbox: checks what is said before it is kept, and sends many messages in order."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable

import msgspec

from aparte.client.errors import ClientError, TimeOver
from aparte.client.outbox import Outbox
from aparte.wire.content import Format, MessageContent
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Sent

AHEAD = 100
"""How many messages are kept in the outbox before the first of them is answered."""


def content_of(text: str, text_format: Format = "text") -> MessageContent:
    """Make the content of a message. Raises ClientError `invalid` for what the server would refuse."""
    if not text.strip():
        raise ClientError("invalid", "text is blank")
    try:
        text.encode()
        return msgspec.convert({"text": text, "format": text_format}, MessageContent)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ClientError("invalid", str(error)) from None


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
