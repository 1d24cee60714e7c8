"""Roles that a conversation defines for itself: make, list, change, end."""

from msgspec.structs import replace

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import custom_roles, rules, seats
from aparte.server.conversations.actions import journal, rights
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.rights import check_grant, check_holders
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.wire import kinds, limits
from aparte.wire.content import CustomRole
from aparte.wire.conversations import NewRole, RoleList, RoleUpdate
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, RoleId, new_id


async def list_roles(db: Database, caller: Caller, conversation: ConversationId) -> RoleList:
    """List the roles of a conversation to its members."""
    async with db.read() as reader:
        await authorise(reader, caller, conversation, "read")
        return RoleList(await custom_roles.select_roles(reader, conversation))


async def create_role(db: Database, caller: Caller, conversation: ConversationId, new: NewRole) -> CustomRole:
    """Define a role. Refuses with `not_member`, `forbidden`, `archived`, `invalid`, `too_many`."""
    role = CustomRole(RoleId(new_id()), rules.clean_role_name(new.name), new.permissions, new.colour, new.is_default)
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_roles")
        check_grant(standing, role.permissions, {})
        there = await custom_roles.select_roles(tx, conversation)
        if len(there) >= limits.CUSTOM_ROLES:
            raise Refusal("too_many", f"a conversation defines at most {limits.CUSTOM_ROLES} roles")
        if role.is_default:
            await _end_default(tx, caller, conversation, there)
        await custom_roles.insert_role(tx, conversation, role)
        await _tell(tx, caller, conversation, role, "role_created")
    return role


async def change_role(
    db: Database, caller: Caller, conversation: ConversationId, role_id: RoleId, update: RoleUpdate
) -> CustomRole:
    """Change a role, for all who have it. Refuses as `create_role` does, and with `not_found`."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_roles")
        there = await custom_roles.select_roles(tx, conversation)
        before = _one(there, role_id)
        role = rules.merged_role(before, update)
        if role == before:
            return role
        is_new_default = role.is_default and not before.is_default
        check_grant(standing, role.permissions, {} if is_new_default else before.permissions)
        holders = await seats.select_seats(tx, conversation, role_id=role_id)
        check_holders(standing, holders, role.permissions)
        if is_new_default:
            await _end_default(tx, caller, conversation, there)
        await custom_roles.update_role(tx, conversation, role)
        await rights.renew(tx, conversation, [seat.account for seat in holders])
        await _tell(tx, caller, conversation, role, "role_redefined")
    return role


async def delete_role(db: Database, caller: Caller, conversation: ConversationId, role_id: RoleId) -> None:
    """End a role; whoever has it has none from here on. Refuses as `change_role` does."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_roles")
        _one(await custom_roles.select_roles(tx, conversation), role_id)
        holders = await seats.select_seats(tx, conversation, role_id=role_id)
        check_holders(standing, holders, {})
        await custom_roles.delete_role(tx, conversation, role_id)
        await rights.renew(tx, conversation, [seat.account for seat in holders])
        await journal.append(tx, caller, conversation, kinds.ROLES, kinds.RolesChange(gone=role_id))
        event = Event("role_deleted", caller.account, caller.session, conversation, ("role", role_id))
        await audit.record(tx, event)


async def _end_default(tx: Tx, caller: Caller, conversation: ConversationId, there: list[CustomRole]) -> None:
    """Newcomers are given one role: another one is about to be it."""
    for role in (one for one in there if one.is_default):
        other = replace(role, is_default=False)
        await custom_roles.update_role(tx, conversation, other)
        await journal.append(tx, caller, conversation, kinds.ROLES, kinds.RolesChange(other))


async def _tell(tx: Tx, caller: Caller, conversation: ConversationId, role: CustomRole, name: str) -> None:
    await journal.append(tx, caller, conversation, kinds.ROLES, kinds.RolesChange(role))
    details = {"permissions": role.permissions, "is_default": role.is_default}
    event = Event(name, caller.account, caller.session, conversation, ("role", role.id), details=details)
    await audit.record(tx, event)


def _one(there: list[CustomRole], role_id: RoleId) -> CustomRole:
    for role in there:
        if role.id == role_id:
            return role
    raise Refusal("not_found", "this conversation has no such role")
