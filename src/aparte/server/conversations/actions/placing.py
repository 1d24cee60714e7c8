"""Where a member stands: base role, custom role, and what is granted or denied to them alone."""

from dataclasses import replace

import msgspec

from aparte.server.conversations import custom_roles, rules, seats
from aparte.server.conversations.actions import journal, rights
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.actions.membership import promote, seated, tell
from aparte.server.conversations.model import Seat, Standing
from aparte.server.conversations.rights import check_grant, check_seat
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.wire import kinds
from aparte.wire.content import MemberRights, Permissions, Role
from aparte.wire.conversations import MemberUpdate
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, RoleId


async def change_member(
    db: Database, caller: Caller, conversation: ConversationId, account: AccountId, update: MemberUpdate
) -> None:
    """Give a member another base role, custom role or overrides; all of it is done or nothing.

    Refuses with `not_member`, `not_found`, `forbidden`, `last_owner`, `archived`, and with `mode_mismatch` for a base
    role that members sign.
    """
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        if update.role is not msgspec.UNSET:
            rules.check_no_chain(await authorise(tx, caller, conversation, "read"))
        standing = await authorise(tx, caller, conversation, "manage_roles")
        target = await seated(tx, conversation, account)
        if (update.role_id, update.permissions) != (msgspec.UNSET, msgspec.UNSET):
            await _change_rights(tx, caller, standing, target, update)
        if update.role is not msgspec.UNSET:
            await _change_role(tx, caller, standing, await seated(tx, conversation, account), update.role)


async def _change_role(tx: Tx, caller: Caller, standing: Standing, target: Seat, role: Role) -> None:
    """Giving `owner` makes the giver an admin."""
    rules.check_role_change(standing, target, role)
    if role == target.role:
        return
    check_seat(standing, target, replace(target.place, role=role))
    roles: dict[AccountId, Role | None] = {target.account: role}
    if role == "owner":
        await promote(tx, caller, standing.conversation, caller.account, "admin")
        roles[caller.account] = "admin"
    await promote(tx, caller, standing.conversation, target.account, role)
    await tell(tx, standing.conversation, roles)


async def _change_rights(tx: Tx, caller: Caller, standing: Standing, target: Seat, update: MemberUpdate) -> None:
    conversation, before = standing.conversation, target.place
    role_id = target.role_id if update.role_id is msgspec.UNSET else update.role_id
    overrides = before.overrides if update.permissions is msgspec.UNSET else update.permissions
    custom = before.custom if role_id == target.role_id else await _permissions_of(tx, conversation, role_id)
    check_grant(standing, custom, before.custom)
    check_grant(standing, overrides, before.overrides)
    check_seat(standing, target, replace(before, custom=custom, overrides=overrides))
    if (role_id, overrides) == (target.role_id, before.overrides):
        return
    await seats.update_rights(tx, conversation, target.account, role_id, dict(overrides))
    await rights.renew(tx, conversation, [target.account])
    await journal.append(tx, caller, conversation, kinds.RIGHTS, MemberRights(target.account, role_id, dict(overrides)))
    await journal.record(
        tx, caller, conversation, "rights_changed", target.account, role_id=role_id, permissions=overrides
    )


async def _permissions_of(tx: Tx, conversation: ConversationId, role_id: RoleId | None) -> Permissions:
    if role_id is None:
        return {}
    role = await custom_roles.select_role(tx, conversation, role_id)
    if role is None:
        raise Refusal("not_found", "this conversation has no such role")
    return role.permissions
