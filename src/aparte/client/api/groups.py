"""Groups at the server: signed membership, what epochs are made of, invites and bans."""

from uuid import UUID

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.conversations import Conversation
from aparte.wire.groups import (
    Admitted,
    Ban,
    BanList,
    EpochMembers,
    Invite,
    NewCard,
    NewGroup,
    NewStatements,
    SignedStatement,
    StatementPage,
)
from aparte.wire.ids import AccountId, ConversationId, InviteToken


async def create(session: Session, new: NewGroup) -> Conversation:
    """Create a group; doing it twice is doing it once."""
    return await session.call(Request("POST", "/conversations/group", to_json(new)), Conversation)


async def submit(session: Session, conversation: ConversationId, new: NewStatements) -> Admitted:
    """Continue the chain. Raises ClientError `stale_membership`, `bad_statement`, `blocked`, `banned` …"""
    path = f"/conversations/{conversation}/statements"
    return await session.call(Request("POST", path, to_json(new)), Admitted)


async def statements(
    session: Session, conversation: ConversationId, after: int, token: InviteToken | None = None
) -> StatementPage:
    """Read statements after a number; with an invite's token, those of the group that it leads to."""
    path = f"/conversations/{conversation}/statements" if token is None else f"/invites/{token}/statements"
    return await session.call(Request("GET", path, query={"after": str(after)}), StatementPage)


async def epoch(session: Session, conversation: ConversationId, number: int | None = None) -> EpochMembers:
    """Ask what an epoch is made of; without a number, the present one. The answer is a hint, not to be believed."""
    query = {} if number is None else {"number": str(number)}
    return await session.call(Request("GET", f"/conversations/{conversation}/epoch", query=query), EpochMembers)


async def invite(session: Session, token: InviteToken) -> Invite:
    """Ask where an invite leads. Raises ClientError `invite_over`."""
    return await session.call(Request("GET", f"/invites/{token}"), Invite)


async def join(session: Session, token: InviteToken, signed: SignedStatement) -> Admitted:
    """Join by an invite. Raises ClientError `invite_over`, `stale_membership`, `banned`, `room_full`."""
    return await session.call(Request("POST", f"/invites/{token}/join", to_json(signed)), Admitted)


async def renew_card(session: Session, conversation: ConversationId, link_id: bytes, card: bytes) -> None:
    """Let an open link say something else of its group. Raises ClientError `not_found`, `forbidden`."""
    path = f"/conversations/{conversation}/invites/{UUID(bytes=link_id)}/card"
    await session.call(Request("PUT", path, to_json(NewCard(card))), Nothing)


async def bans(session: Session, conversation: ConversationId) -> list[Ban]:
    """List who is banned from a group."""
    return (await session.call(Request("GET", f"/conversations/{conversation}/bans"), BanList)).bans


async def lift_ban(session: Session, conversation: ConversationId, account: AccountId) -> None:
    """Admit somebody again who was banned."""
    await session.call(Request("DELETE", f"/conversations/{conversation}/bans/{account}"), Nothing)
