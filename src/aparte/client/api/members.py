"""Members at the server: what each may do, how they are called, who is silenced or banned; and the roles of a room."""

from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.codec import to_json
from aparte.wire.content import CustomRole
from aparte.wire.conversations import (
    MemberUpdate,
    NewRole,
    Nickname,
    NicknameChange,
    RoleList,
    RoleUpdate,
    Silence,
    SilenceList,
    SilenceShown,
)
from aparte.wire.groups import Ban, BanList, NewBan
from aparte.wire.ids import AccountId, ConversationId, RoleId


async def change(session: Session, conversation: ConversationId, account: AccountId, wanted: MemberUpdate) -> None:
    """Change a member's base role, custom role or overrides. Raises ClientError `last_owner`, `mode_mismatch` …"""
    await session.call(Request("PATCH", _member(conversation, account), to_json(wanted)), Nothing)


async def remove(session: Session, conversation: ConversationId, account: AccountId) -> None:
    """Put a member out of a room."""
    await session.call(Request("DELETE", _member(conversation, account)), Nothing)


async def rename(session: Session, conversation: ConversationId, account: AccountId, name: Nickname | None) -> None:
    """Say how a member is called here."""
    body = to_json(NicknameChange(name))
    await session.call(Request("PUT", f"{_member(conversation, account)}/nickname", body), Nothing)


async def silence(session: Session, conversation: ConversationId, account: AccountId, wanted: Silence) -> None:
    """Silence a member until a moment."""
    await session.call(Request("PUT", f"{_member(conversation, account)}/silence", to_json(wanted)), Nothing)


async def unsilence(session: Session, conversation: ConversationId, account: AccountId) -> None:
    """Let a member speak again."""
    await session.call(Request("DELETE", f"{_member(conversation, account)}/silence"), Nothing)


async def silences(session: Session, conversation: ConversationId) -> list[SilenceShown]:
    """List who is silenced at present."""
    path = f"/conversations/{conversation}/silences"
    return (await session.call(Request("GET", path), SilenceList)).silences


async def bans(session: Session, conversation: ConversationId) -> list[Ban]:
    """List who is banned."""
    return (await session.call(Request("GET", f"/conversations/{conversation}/bans"), BanList)).bans


async def ban(session: Session, conversation: ConversationId, account: AccountId, wanted: NewBan) -> None:
    """Put somebody out, or keep them out, until the ban is lifted."""
    await session.call(Request("PUT", f"/conversations/{conversation}/bans/{account}", to_json(wanted)), Nothing)


async def unban(session: Session, conversation: ConversationId, account: AccountId) -> None:
    """Lift a ban."""
    await session.call(Request("DELETE", f"/conversations/{conversation}/bans/{account}"), Nothing)


async def roles(session: Session, conversation: ConversationId) -> list[CustomRole]:
    """List the roles that a conversation defines."""
    return (await session.call(Request("GET", _roles(conversation)), RoleList)).roles


async def create_role(session: Session, conversation: ConversationId, wanted: NewRole) -> CustomRole:
    """Define a role."""
    return await session.call(Request("POST", _roles(conversation), to_json(wanted)), CustomRole)


async def change_role(session: Session, conversation: ConversationId, role: RoleId, wanted: RoleUpdate) -> CustomRole:
    """Change a role."""
    return await session.call(Request("PATCH", f"{_roles(conversation)}/{role}", to_json(wanted)), CustomRole)


async def delete_role(session: Session, conversation: ConversationId, role: RoleId) -> None:
    """Define a role no longer; nobody has it then."""
    await session.call(Request("DELETE", f"{_roles(conversation)}/{role}"), Nothing)


def _member(conversation: ConversationId, account: AccountId) -> str:
    return f"/conversations/{conversation}/members/{account}"


def _roles(conversation: ConversationId) -> str:
    return f"/conversations/{conversation}/roles"
