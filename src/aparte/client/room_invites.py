"""Invite links into rooms and channels that the server can read: their token is all that there is to them."""

import re
from datetime import datetime
from uuid import UUID

from aparte.client.answers import Invitation, InviteLink, Room, invitation_of, link_of, room_of
from aparte.client.api import room_invites as api
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.wire.content import Role
from aparte.wire.conversations import NewInvite
from aparte.wire.ids import ConversationId, InviteId, InviteToken

_LINK = re.compile(r"\S*/i/([0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12})")


def is_room_invite(text: str) -> bool:
    """Tell whether this is a link into a conversation that the server can read: it has nothing to keep from it."""
    return _LINK.fullmatch(text.strip()) is not None


class RoomInvites:
    """The invite links of the readable rooms and channels of an open profile."""

    def __init__(self, session: Session) -> None:
        """Work in the name of a session."""
        self._session = session

    async def open(self, conversation: ConversationId, role: Role, expires: datetime | None, uses: int | None) -> str:
        """Open a link, and give it: the server cannot tell it again."""
        if uses is not None and uses < 1:
            raise ClientError("invalid", "a link must be of use to somebody")
        until = expires.astimezone() if expires is not None else None
        made = await api.create(self._session, conversation, NewInvite(role, until, uses or 0))
        return f"{self._session.http.server}/i/{made.token}"

    async def look(self, link: str) -> Invitation:
        """Ask where a link leads. Raises ClientError `bad_invite`, `invite_over`."""
        return invitation_of(await api.look(self._session, _token(link)))

    async def enter(self, link: str) -> Room:
        """Come in by a link. Raises ClientError `bad_invite`, `invite_over`, `banned`, `room_full`."""
        return room_of(await api.enter(self._session, _token(link)))

    async def all(self, conversation: ConversationId) -> list[InviteLink]:
        """List the open links."""
        return [link_of(one, None) for one in await api.all_of(self._session, conversation)]

    async def close(self, conversation: ConversationId, link: str) -> None:
        """Close a link by its id. Raises ClientError `not_found`."""
        try:
            wanted = InviteId(UUID(link))
        except ValueError:
            raise ClientError("not_found", link) from None
        await api.close(self._session, conversation, wanted)


def _token(link: str) -> InviteToken:
    found = _LINK.fullmatch(link.strip())
    if found is None:
        raise KeyRefused("bad_invite")
    return InviteToken(UUID(found[1]))
