"""Messages at the server: reading them as they are now, and changing one's own."""

from collections.abc import AsyncIterator

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.conversations import Mark
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, Position, new_id
from aparte.wire.messages import ChangeMessage, Message, MessagePage, RestoreMessage, Sent


async def newest(session: Session, conversation: ConversationId, limit: int, before: EntryId | None) -> list[Message]:
    """Read the newest messages, or those before one, oldest first."""
    return [message async for message in backwards(session, conversation, limit, before)][::-1]


async def backwards(
    session: Session, conversation: ConversationId, limit: int, before: EntryId | None
) -> AsyncIterator[Message]:
    """Read messages from the newest to the oldest, page by page, at most `limit`."""
    left = limit
    while left > 0:
        query = {"limit": str(min(left, limits.PAGE_MESSAGES))}
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


def path(conversation: ConversationId, message: EntryId) -> str:
    """Address a message."""
    return f"/conversations/{conversation}/messages/{message}"
