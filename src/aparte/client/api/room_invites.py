"""Invite links into rooms and channels that the server can read."""

from aparte.client import local_log
from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.conversations import Conversation, InviteLink, InviteList, NewInvite
from aparte.wire.groups import Invite
from aparte.wire.ids import ConversationId, InviteId, InviteToken


async def create(session: Session, conversation: ConversationId, wanted: NewInvite) -> InviteLink:
    """Open a link; its token is told this once."""
    return await session.call(Request("POST", _links(conversation), to_json(wanted)), InviteLink)


async def all_of(session: Session, conversation: ConversationId) -> list[InviteLink]:
    """List the open links."""
    return (await session.call(Request("GET", _links(conversation)), InviteList)).invites


async def close(session: Session, conversation: ConversationId, link: InviteId) -> None:
    """Close a link."""
    await session.call(Request("DELETE", f"{_links(conversation)}/{link}"), Nothing)


async def look(session: Session, token: InviteToken) -> Invite:
    """Ask where a link leads. Raises ClientError `invite_over`."""
    return await session.call(Request("GET", f"/invites/{token}"), Invite)


async def enter(session: Session, token: InviteToken) -> Conversation:
    """Come in by a link. Raises ClientError `invite_over`, `banned`, `room_full`, `mode_mismatch`."""
    found = await session.call(Request("POST", f"/invites/{token}/enter"), Conversation)
    local_log.keep(session.store, found)
    return found


def _links(conversation: ConversationId) -> str:
    return f"/conversations/{conversation}/invites"
