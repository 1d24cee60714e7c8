"""Coming and going: join, leave, remove, change roles.

Each locks the head first, decides by what it then reads, and tells the room by an entry and the account by its state.
"""

from aparte.server.conversations import pages, rules, store
from aparte.server.conversations.actions.access import administer, authorise, seen
from aparte.server.conversations.model import MemberRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.doorbell import Joined, Left
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.server.state import actions as state
from aparte.wire import kinds
from aparte.wire.content import Role
from aparte.wire.conversations import Conversation, MemberPage
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, Position


async def enter(
    tx: Tx, conversation: ConversationId, account: AccountId, role: Role, at: Position, ordinal: int
) -> None:
    """Make somebody a member from a position on. The head is locked and the entry is written by the caller."""
    await store.upsert_member(tx, conversation, account, role, at, ordinal)
    await store.update_member_count(tx, conversation, 1)
    await tell(tx, conversation, account, role)
    tx.ring(Joined(account, conversation))


async def tell(tx: Tx, conversation: ConversationId, account: AccountId, role: Role | None) -> None:
    """Let an account's own devices know its place in a conversation; None when it has none any more."""
    value = {"role": role} if role else None
    await state.put(tx, account, f"membership:{conversation}", value)


async def join(db: Database, caller: Caller, conversation: ConversationId) -> Conversation:
    """Enter a public room; whoever is in already stays as they are. Refuses with `not_found`, `room_full`."""
    rules.check_platform(caller.role)
    async with db.transaction() as tx:
        if await store.select_room(tx, conversation) is None:
            raise Refusal("not_found")
        standing = await store.select_standing(tx, conversation, caller.account)
        if standing is not None:
            rules.check_not_group(standing)
        head = await log.lock(tx, conversation)
        member = await store.select_member(tx, conversation, caller.account)
        if member is None or not member.is_current:
            role = rules.role_of_newcomer(rules.check_join(await store.select_room(tx, conversation)))
            body = kinds.MemberChange(caller.account, role)
            at = await log.append(tx, NewEntry(conversation, kinds.JOINED, caller.account, body, caller.device))
            await enter(tx, conversation, caller.account, role, at, head.ordinal)
        return await seen(tx, caller.account, conversation)


async def leave(db: Database, caller: Caller, conversation: ConversationId) -> None:
    """End one's membership; an owner's room passes to the next in rank (C-44). The last one out leaves it empty."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "read")
        rules.check_not_group(standing)
        rules.check_leave(standing)
        heir = None
        if standing.role == "owner":
            heir = rules.successor(await store.select_successors(tx, conversation), standing)
        await exit_(tx, caller, conversation, caller.account, kinds.LEFT)
        if heir is not None:
            await promote(tx, caller, conversation, heir, "owner")


async def remove(db: Database, caller: Caller, conversation: ConversationId, account: AccountId) -> None:
    """Put a member of lower rank out of the room."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await administer(tx, caller, conversation, "manage_members")
        rules.check_removal(standing, await current(tx, conversation, account))
        await exit_(tx, caller, conversation, account, kinds.REMOVED)


async def change_role(
    db: Database, caller: Caller, conversation: ConversationId, account: AccountId, role: Role
) -> None:
    """Give a member another base role; giving `owner` makes the giver an admin, both in one transaction."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await administer(tx, caller, conversation, "manage_roles")
        target = await current(tx, conversation, account)
        rules.check_role_change(standing, target, role)
        if role == target.role:
            return
        if role == "owner":
            giver = await current(tx, conversation, caller.account)
            await promote(tx, caller, conversation, giver, "admin")
        await promote(tx, caller, conversation, target, role)


async def current(tx: Tx, conversation: ConversationId, account: AccountId) -> MemberRow:
    """A current member, or `not_found`."""
    member = await store.select_member(tx, conversation, account)
    if member is None or not member.is_current:
        raise Refusal("not_found")
    return member


async def exit_(tx: Tx, caller: Caller, conversation: ConversationId, account: AccountId, kind: int) -> None:
    """End a membership by an entry of the given kind."""
    body = kinds.MemberChange(account)
    at = await log.append(tx, NewEntry(conversation, kind, caller.account, body, caller.device))
    await store.update_left(tx, conversation, account, at)
    await store.update_member_count(tx, conversation, -1)
    await tell(tx, conversation, account, None)
    tx.ring(Left(account, conversation))


async def promote(tx: Tx, caller: Caller, conversation: ConversationId, member: MemberRow, role: Role) -> None:
    """Write a role and its entry."""
    await store.update_role(tx, conversation, member.account, role)
    body = kinds.MemberChange(member.account, role)
    await log.append(tx, NewEntry(conversation, kinds.ROLE, caller.account, body, caller.device))
    await tell(tx, conversation, member.account, role)


async def members(
    db: Database, caller: Caller, conversation: ConversationId, after: AccountId | None, limit: int
) -> MemberPage:
    """List who is in."""
    async with db.read() as reader:
        await authorise(reader, caller, conversation, "read")
        found = await pages.select_members(reader, conversation, after, limit + 1)
    return MemberPage(found[:limit], found[limit - 1].person.id if len(found) > limit else None)
