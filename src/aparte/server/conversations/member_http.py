"""REST of who is in a conversation and what they may do: members, custom roles, silences, bans. Translate, nothing
else."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from aparte.server.conversations import actions
from aparte.server.conversations.model import WantedMembers
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire import limits
from aparte.wire.content import CustomRole, Role
from aparte.wire.conversations import (
    MemberPage,
    MemberUpdate,
    NewRole,
    NicknameChange,
    RoleList,
    RoleUpdate,
    Silence,
    SilenceList,
)
from aparte.wire.groups import BanList, NewBan
from aparte.wire.ids import AccountId, ConversationId, RoleId


class MembersQuery(msgspec.Struct, frozen=True):
    """`role` leaves out who has another base role; `after` is the `next` of the page before."""

    role: Role | None = None
    after: AccountId | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_LIST)] = 100


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


def account_of(call: Call[Any, Any]) -> AccountId:
    """Read whom it is about off the path."""
    return AccountId(call.id("account"))


class Doors:
    """REST of members and their rights."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def members(self, call: Call[Nothing, MembersQuery]) -> MemberPage:
        """List the current members."""
        query = call.query
        wanted = WantedMembers(query.role, query.after, query.limit)
        return await actions.members(self._db, call.caller, conversation_of(call), wanted)

    async def change_member(self, call: Call[MemberUpdate, Nothing]) -> None:
        """Give a member another base role, custom role or overrides."""
        await actions.change_member(self._db, call.caller, conversation_of(call), account_of(call), call.body)

    async def remove(self, call: Call[Nothing, Nothing]) -> None:
        """Remove a member."""
        await actions.remove(self._db, call.caller, conversation_of(call), account_of(call))

    async def rename(self, call: Call[NicknameChange, Nothing]) -> None:
        """Call a member by another name here; none: as everywhere."""
        nickname = call.body.nickname
        await actions.rename_member(self._db, call.caller, conversation_of(call), account_of(call), nickname)

    async def roles(self, call: Call[Nothing, Nothing]) -> RoleList:
        """List the roles that a conversation defines."""
        return await actions.list_roles(self._db, call.caller, conversation_of(call))

    async def create_role(self, call: Call[NewRole, Nothing]) -> CustomRole:
        """Define a role."""
        return await actions.create_role(self._db, call.caller, conversation_of(call), call.body)

    async def change_role(self, call: Call[RoleUpdate, Nothing]) -> CustomRole:
        """Change a role, for all who have it."""
        role = RoleId(call.id("role"))
        return await actions.change_role(self._db, call.caller, conversation_of(call), role, call.body)

    async def delete_role(self, call: Call[Nothing, Nothing]) -> None:
        """End a role; whoever has it has none from here on."""
        await actions.delete_role(self._db, call.caller, conversation_of(call), RoleId(call.id("role")))

    async def silence(self, call: Call[Silence, Nothing]) -> None:
        """Silence a member until a moment."""
        await actions.silence(self._db, call.caller, conversation_of(call), account_of(call), call.body)

    async def lift_silence(self, call: Call[Nothing, Nothing]) -> None:
        """Let a member speak again; where nobody is silenced, nothing happens."""
        await actions.lift_silence(self._db, call.caller, conversation_of(call), account_of(call))

    async def silences(self, call: Call[Nothing, Nothing]) -> SilenceList:
        """List who is silenced at this moment."""
        return await actions.silences(self._db, call.caller, conversation_of(call))

    async def ban(self, call: Call[NewBan, Nothing]) -> None:
        """Ban somebody: who is in is put out, who is not is let in no more."""
        await actions.ban(self._db, call.caller, conversation_of(call), account_of(call), call.body)

    async def bans(self, call: Call[Nothing, Nothing]) -> BanList:
        """List who is banned."""
        return await actions.bans(self._db, call.caller, conversation_of(call))

    async def lift_ban(self, call: Call[Nothing, Nothing]) -> None:
        """Lift a ban; where there is none, nothing happens."""
        await actions.lift_ban(self._db, call.caller, conversation_of(call), account_of(call))
