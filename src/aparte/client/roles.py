"""Roles that a conversation defines, who has them, and what is granted or denied to one member alone.

In encrypted conversations they are the server's word and only narrow: the base role is signed by members.
"""

from collections.abc import Mapping
from uuid import UUID

from msgspec import UNSET, UnsetType

from aparte.client.api import accounts
from aparte.client.api import members as api
from aparte.client.api.conversations import Rooms
from aparte.client.errors import ClientError
from aparte.client.places import Places
from aparte.client.session import Session
from aparte.wire.content import CustomRole, Permission, Permissions
from aparte.wire.conversations import MemberUpdate, NewRole, RoleUpdate
from aparte.wire.ids import ConversationId, RoleId


class Roles:
    """`client.roles`: a `role` is given by its name or its id."""

    def __init__(self, session: Session, rooms: Rooms, places: Places) -> None:
        """Work in the name of a session."""
        self._session = session
        self._rooms = rooms
        self._places = places

    async def list(self, target: str) -> list[CustomRole]:
        """List the roles that a conversation defines, the oldest first."""
        return await api.roles(self._session, await self._places.resolve(target))

    async def define(
        self,
        target: str,
        name: str,
        permissions: Permissions | None = None,
        *,
        colour: str | None = None,
        is_default: bool = False,
    ) -> CustomRole:
        """Define a role: what it grants or denies, by permission. The default one is given to whoever comes in."""
        conversation = await self._places.resolve(target)
        return await api.create_role(self._session, conversation, NewRole(name, permissions or {}, colour, is_default))

    async def change(
        self,
        target: str,
        role: UUID | str,
        *,
        name: str | UnsetType = UNSET,
        permissions: Permissions | UnsetType = UNSET,
        colour: str | UnsetType | None = UNSET,
        is_default: bool | UnsetType = UNSET,
    ) -> CustomRole:
        """Change a role; what is not given stays. Raises ClientError `not_found`."""
        conversation = await self._places.resolve(target)
        wanted = RoleUpdate(name, permissions, colour, is_default)
        return await api.change_role(self._session, conversation, await self._role(conversation, role), wanted)

    async def remove(self, target: str, role: UUID | str) -> None:
        """Define a role no longer: whoever has it falls back to their base role."""
        conversation = await self._places.resolve(target)
        await api.delete_role(self._session, conversation, await self._role(conversation, role))

    async def give(self, target: str, username: str, role: UUID | str | None) -> None:
        """Give a member a role beside the base role, or take theirs away (None)."""
        conversation = await self._places.resolve(target)
        account = await accounts.account_named(self._session, username)
        wanted = None if role is None else await self._role(conversation, role)
        await api.change(self._session, conversation, account, MemberUpdate(role_id=wanted))

    async def override(self, target: str, username: str, permissions: Mapping[Permission, bool | None]) -> Permissions:
        """Grant (True) or deny (False) permissions to one member alone, or leave them to the roles again (None).

        Those not named stay; gives all that hold by then.
        """
        conversation = await self._places.resolve(target)
        account = await accounts.account_named(self._session, username)
        member = await self._rooms.member(conversation, account)
        after = {**member.permissions, **permissions}
        wanted: Permissions = {name: is_granted for name, is_granted in after.items() if is_granted is not None}
        await api.change(self._session, conversation, account, MemberUpdate(permissions=wanted))
        return wanted

    async def _role(self, conversation: ConversationId, wanted: UUID | str) -> RoleId:
        """Find a role by its name or id. Raises ClientError `not_found`."""
        if isinstance(wanted, UUID):
            return RoleId(wanted)
        found = await api.roles(self._session, conversation)
        for role in found:
            if wanted in {role.name, str(role.id)}:
                return role.id
        alike = [role.id for role in found if role.name.casefold() == wanted.casefold()]
        if len(alike) != 1:
            raise ClientError("not_found", wanted)
        return alike[0]
