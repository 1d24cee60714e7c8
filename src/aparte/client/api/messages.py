"""Messages at the server: reading them as they are now, and changing one's own."""

from collections.abc import AsyncIterator

from aparte.client.session import Nothing, Session, decoded
from aparte.client.transport.http import Request
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.conversations import Mark, ReceiptList
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, Position, new_id
from aparte.wire.messages import (
    ChangeMessage,
    Follow,
    History,
    Mentioned,
    Message,
    MessagePage,
    PinList,
    PinMessage,
    QuotePage,
    React,
    Reactor,
    ReactorPage,
    RestoreMessage,
    Sent,
    ThreadPage,
)


async def newest(
    session: Session, conversation: ConversationId, limit: int, before: EntryId | None, root: EntryId | None = None
) -> list[Message]:
    """Read the newest messages, or those before one, oldest first; of a thread, if its root is given."""
    return [message async for message in backwards(session, conversation, limit, before, root)][::-1]


async def backwards(
    session: Session, conversation: ConversationId, limit: int, before: EntryId | None, root: EntryId | None = None
) -> AsyncIterator[Message]:
    """Read messages from the newest to the oldest, page by page, at most `limit`."""
    left = limit
    while left > 0:
        query = {"limit": str(min(left, limits.PAGE_MESSAGES))} | ({"thread": str(root)} if root else {})
        if before is not None:
            query["before"] = str(before)
        page = await session.call(Request("GET", f"/conversations/{conversation}/messages", query=query), MessagePage)
        for message in reversed(page.messages):
            yield message
        left -= len(page.messages)
        before = page.older
        if before is None:
            return


async def get(session: Session, conversation: ConversationId, message: EntryId) -> Message:
    """Read one message."""
    return await session.call(Request("GET", path(conversation, message)), Message)


async def edit(session: Session, conversation: ConversationId, message: EntryId, content: MessageContent) -> Sent:
    """Change what one of one's own messages says."""
    body = to_json(ChangeMessage(ClientMessageId(new_id()), content))
    return await session.call(Request("PATCH", path(conversation, message), body), Sent)


async def delete(session: Session, conversation: ConversationId, message: EntryId) -> Sent:
    """Delete a message for everyone."""
    query = {"scope": "everyone", "client_message_id": str(new_id())}
    return await session.call(Request("DELETE", path(conversation, message), query=query), Sent)


async def hide(session: Session, conversation: ConversationId, message: EntryId) -> None:
    """Delete a message for oneself."""
    await session.call(Request("DELETE", path(conversation, message), query={"scope": "me"}), Nothing)


async def restore(session: Session, conversation: ConversationId, message: EntryId) -> Sent:
    """Take back a deletion for everyone."""
    body = to_json(RestoreMessage(ClientMessageId(new_id())))
    return await session.call(Request("POST", f"{path(conversation, message)}/restore", body), Sent)


async def mark_read(session: Session, conversation: ConversationId, up_to: Position) -> None:
    """Tell that everything up to a position has been read."""
    await session.call(Request("POST", f"/conversations/{conversation}/read", to_json(Mark(up_to))), Nothing)


async def versions(session: Session, conversation: ConversationId, message: EntryId) -> History:
    """Read everything that a message has said. Raises ClientError `gone`."""
    return await session.call(Request("GET", f"{path(conversation, message)}/history"), History)


async def react(
    session: Session, conversation: ConversationId, message: EntryId, emoji: str, *, on: bool
) -> Sent | None:
    """Set a reaction, or take it back; None if it was so already."""
    body = to_json(React(ClientMessageId(new_id()), emoji, on))
    return await _once(session, Request("POST", f"{path(conversation, message)}/reactions", body))


async def reactors(session: Session, conversation: ConversationId, message: EntryId, emoji: str) -> list[Reactor]:
    """Name everybody who has set a reaction, in order of time."""
    query = {"emoji": emoji}
    found: list[Reactor] = []
    while True:
        request = Request("GET", f"{path(conversation, message)}/reactions", query=query)
        page = await session.call(request, ReactorPage)
        found += page.reactors
        if page.next is None:
            return found
        query["after"] = str(page.next)


async def pin(session: Session, conversation: ConversationId, message: EntryId, *, on: bool) -> Sent | None:
    """Pin a message, or unpin it; None if it was so already."""
    body = to_json(PinMessage(ClientMessageId(new_id()), on))
    return await _once(session, Request("POST", f"{path(conversation, message)}/pin", body))


async def pinned(session: Session, conversation: ConversationId) -> list[Message]:
    """Read the pinned messages, the one that was pinned last first."""
    return (await session.call(Request("GET", f"/conversations/{conversation}/pins"), PinList)).messages


async def replies(session: Session, conversation: ConversationId, message: EntryId, limit: int) -> list[Message]:
    """Read the first messages that answer one, oldest first."""
    query = {"limit": str(min(limit, limits.PAGE_MESSAGES))}
    found: list[Message] = []
    while True:
        request = Request("GET", f"{path(conversation, message)}/replies", query=query)
        page = await session.call(request, QuotePage)
        found += page.messages
        if page.next is None or len(found) >= limit:
            return found[:limit]
        query["after"] = str(page.next)


async def threads(
    session: Session, conversation: ConversationId, limit: int, *, before: EntryId | None, followed: bool
) -> list[Message]:
    """Read the roots of threads, the one with the newest reply first."""
    query = {"limit": str(min(limit, limits.PAGE_MESSAGES)), "followed": str(followed).lower()}
    found: list[Message] = []
    while True:
        query |= {"before": str(before)} if before else {}
        page = await session.call(Request("GET", f"/conversations/{conversation}/threads", query=query), ThreadPage)
        found += page.roots
        before = page.next
        if before is None or len(found) >= limit:
            return found[:limit]


async def follow(session: Session, conversation: ConversationId, message: EntryId, *, on: bool) -> None:
    """Follow a thread, or no longer."""
    await session.call(Request("PUT", f"{path(conversation, message)}/follow", to_json(Follow(on))), Nothing)


async def mentions(session: Session, before: EntryId | None) -> AsyncIterator[Message]:
    """Give the messages that mention one, newest first, from all conversations; sealed ones without their words."""
    while True:
        query = {"before": str(before)} if before else {}
        page = await session.call(Request("GET", "/mentions", query=query), Mentioned)
        for message in page.messages:
            yield message
        before = page.next
        if before is None:
            return


async def receipts(session: Session, conversation: ConversationId, message: EntryId) -> ReceiptList:
    """Read who has received and read a message."""
    return await session.call(Request("GET", f"{path(conversation, message)}/receipts"), ReceiptList)


async def _once(session: Session, request: Request) -> Sent | None:
    """Make a request that answers nothing where what it asks was so already."""
    body = await session.fetch(request)
    return decoded(body, Sent) if body else None


def path(conversation: ConversationId, message: EntryId) -> str:
    """Address a message."""
    return f"/conversations/{conversation}/messages/{message}"
