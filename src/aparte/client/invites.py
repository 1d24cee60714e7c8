"""Invite links of a group in verbs: opened, looked at, listed, closed.

Which links are open follows from the chain; what stands behind the `#` of one is known on the device that made it.
"""

from datetime import UTC, datetime
from uuid import UUID

from aparte.client import past
from aparte.client.answers import Invitation, InviteLink
from aparte.client.core.events import role_name, role_number
from aparte.client.crypto import cards, membership
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.client.store import conversations, invite_links
from aparte.e2ee import invite as links
from aparte.e2ee.invite import Invite
from aparte.e2ee.invite_card import Card
from aparte.e2ee.members import Link
from aparte.wire.content import Role
from aparte.wire.ids import ConversationId


def is_invite(text: str) -> bool:
    """Tell whether this is meant to be an invite link, and no name of a room."""
    return "#" in text[1:] and not text.startswith(("#", "+", "@"))


class Invites:
    """The invite links of the groups of an open profile."""

    def __init__(self, session: Session) -> None:
        """Work in the name of a session."""
        self._session = session

    async def open(self, conversation: ConversationId, role: Role, expires: datetime | None, uses: int | None) -> str:
        """Open a link. Raises ClientError `forbidden`, `invalid` …"""
        until = 0 if expires is None else int(expires.timestamp())
        if (expires is not None and expires <= datetime.now(UTC)) or (uses is not None and uses < 1):
            raise ClientError("invalid", "a link must be of use to somebody")
        number, card = role_number(role), self._card(conversation)
        return await membership.link(self._session, conversation, number, expires=until, uses=uses or 0, card=card)

    async def look(self, link: str) -> Invitation:
        """Ask where a link leads. Raises ClientError `bad_invite`, `invite_over`."""
        found, card = await membership.look(self._session, link)
        return Invitation(
            conversation_id=found.conversation,
            name=card.name if card else "",
            topic=card.topic if card else "",
            description=card.description if card else "",
            member_count=found.member_count,
            expires_at=found.expires_at,
            uses_left=found.uses_left,
        )

    async def renew(self, conversation: ConversationId) -> None:
        """Let the links that were made here say what the group says of itself now."""
        card = self._card(conversation)
        if card is not None:
            await cards.renew(self._session, conversation, card)

    def _card(self, conversation: ConversationId) -> Card | None:
        """What the group has said of itself, as far as it is known here; what a link has said is not passed on."""
        with self._session.store.reading() as tx:
            row = conversations.select_conversation(tx, conversation)
            said = past.profile_before(tx, row, row.cursor.seq + 1) if row is not None else None
        return Card(name=said.name, topic=said.topic, description=said.description) if said is not None else None

    def all(self, conversation: ConversationId) -> list[InviteLink]:
        """List the open links, as the newest membership that is known here has them."""
        with self._session.store.reading() as tx:
            state = membership.state(tx, conversation)
            made = {row.link_id: row for row in invite_links.select_links(tx, conversation)}
        found: list[InviteLink] = []
        for link_id, link in (state.links if state else {}).items():
            row = made.get(link_id)
            text = None
            if row is not None:
                invite = Invite(conversation.bytes, row.seed)
                text = membership.link_text(self._session.http.server, row.token, invite)
            found.append(_shown(link_id, link, text))
        return found

    async def close(self, conversation: ConversationId, link: str) -> None:
        """Close a link, by its id or by itself. Raises ClientError `not_found`, `bad_invite`, `forbidden`."""
        await membership.close_link(self._session, conversation, _id_of(link))


def _shown(link_id: bytes, link: Link, text: str | None) -> InviteLink:
    return InviteLink(
        id=str(UUID(bytes=link_id)),
        link=text,
        role=role_name(link.role),
        expires_at=datetime.fromtimestamp(link.expires, UTC) if link.expires else None,
        uses=link.uses or None,
        used=link.used,
    )


def _id_of(link: str) -> bytes:
    """Give the id of a link that is given by its id, or whole."""
    if is_invite(link):
        _, invite = membership.parse_link(link)
        return links.link_id(links.link_key(invite.seed).public)
    try:
        return UUID(link).bytes
    except ValueError:
        raise ClientError("not_found") from None
