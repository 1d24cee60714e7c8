"""Scheduled messages and drafts at the server."""

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.conversations import Draft
from aparte.wire.ids import ConversationId, ScheduledId
from aparte.wire.messages import NewScheduled, Scheduled, ScheduledChange, ScheduledList


async def add(session: Session, conversation: ConversationId, new: NewScheduled) -> Scheduled:
    """Schedule a message; a repeat is kept once."""
    return await session.call(Request("POST", _path(conversation), to_json(new)), Scheduled)


async def mine(session: Session, conversation: ConversationId) -> list[Scheduled]:
    """Read what one has scheduled in a conversation and was not sent."""
    return (await session.call(Request("GET", _path(conversation)), ScheduledList)).scheduled


async def change(
    session: Session, conversation: ConversationId, scheduled: ScheduledId, wanted: ScheduledChange
) -> Scheduled:
    """Change a scheduled message. Raises ClientError `over` once it is due, `not_found`."""
    return await session.call(Request("PATCH", _path(conversation, scheduled), to_json(wanted)), Scheduled)


async def cancel(session: Session, conversation: ConversationId, scheduled: ScheduledId) -> None:
    """Take a scheduled message back. Raises ClientError `over` once it is due, `not_found`."""
    await session.call(Request("DELETE", _path(conversation, scheduled)), Nothing)


async def put_draft(session: Session, conversation: ConversationId, draft: Draft) -> None:
    """Keep a draft in place of the one before."""
    await session.call(Request("PUT", f"/conversations/{conversation}/draft", to_json(draft)), Nothing)


async def delete_draft(session: Session, conversation: ConversationId) -> None:
    """Forget a draft; where there is none nothing happens."""
    await session.call(Request("DELETE", f"/conversations/{conversation}/draft"), Nothing)


def _path(conversation: ConversationId, scheduled: ScheduledId | None = None) -> str:
    path = f"/conversations/{conversation}/scheduled"
    return path if scheduled is None else f"{path}/{scheduled}"
