"""Coming and going: join, leave, remove; the owner's succession.

Each locks the head first, decides by what it then reads, and tells the room by an entry and the account by its state:
last, and of several accounts in the order of their ids, as everybody does who writes account states.
"""

from collections.abc import Mapping, Sequence

from aparte.server.contacts import actions as contacts
from aparte.server.conversations import custom_roles, links, rules, seats, store
from aparte.server.conversations.actions import journal, rights
from aparte.server.conversations.actions.access import administer, authorise, seen
from aparte.server.conversations.model import Author, Seat, WantedMembers
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.doorbell import Joined, Left
from aparte.server.log import actions as log
from aparte.server.log.model import Head
from aparte.server.state import actions as state
from aparte.wire import kinds
from aparte.wire.content import MemberRights, MemberSilence, Role
from aparte.wire.conversations import Conversation, MemberPage
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, Position


async def admit(
    tx: Tx, caller: Caller, head: Head, account: AccountId, role: Role, by: AccountId | None = None
) -> None:
    """Let somebody in, by whichever door; the head is locked. Refuses with `banned`.

    They are given the default role. What was said against them when they left is said again: nobody ends a silence by
    leaving. `by` is who invited them.
    """
    conversation = head.conversation
    if await links.select_banned(tx, conversation, [account]):
        raise Refusal("banned")
    role_id = None if role == "owner" else await custom_roles.select_default(tx, conversation)
    body = kinds.MemberChange(account, role, role_id)
    at = await journal.append(tx, caller, conversation, kinds.JOINED, body)
    await enter(tx, conversation, account, role, at, head.ordinal)
    if by is not None:
        await seats.update_invited_by(tx, conversation, account, by)
    await keep(tx, caller, conversation, [account])
    await rights.renew(tx, conversation, [account])
    await journal.record(tx, caller, conversation, "member_joined", account, role=role)


async def enter(
    tx: Tx, conversation: ConversationId, account: AccountId, role: Role, at: Position, ordinal: int
) -> None:
    """Make somebody a member from a position on. The head is locked and the entry is written by the caller."""
    await store.upsert_member(tx, conversation, account, role, at, ordinal)
    await store.update_member_count(tx, conversation, 1)
    await tell(tx, conversation, {account: role})
    tx.ring(Joined(account, conversation))


async def keep(
    tx: Tx, by: Caller | Author, conversation: ConversationId, accounts: Sequence[AccountId], *, is_said: bool = True
) -> None:
    """Give newcomers the default role, and tell what was said against them before. `is_said`: their own entry names
    the role. What they may do then is for `rights.renew`."""
    for kept in await seats.update_kept(tx, conversation, accounts):
        if kept.overrides or (kept.role_id is not None and not is_said):
            body = MemberRights(kept.account, kept.role_id, kept.overrides)
            await journal.append(tx, by, conversation, kinds.RIGHTS, body)
        if kept.silenced_until is not None:
            silence = MemberSilence(kept.account, kept.silenced_until)
            await journal.append(tx, by, conversation, kinds.SILENCED, silence)


async def tell(tx: Tx, conversation: ConversationId, roles: Mapping[AccountId, Role | None]) -> None:
    """Let accounts' own devices know their place in a conversation; None when it has none any more."""
    values = {account: {"role": role} if role else None for account, role in roles.items()}
    await state.put_all(tx, f"membership:{conversation}", values)


async def join(db: Database, caller: Caller, conversation: ConversationId) -> Conversation:
    """Enter a public room; whoever is in already stays as they are.

    Refuses with `not_found`, `banned`, `room_full`.
    """
    rules.check_platform(caller.role)
    async with db.transaction() as tx:
        if await store.select_room(tx, conversation) is None:
            raise Refusal("not_found")
        standing = await store.select_standing(tx, conversation, caller.account)
        if standing is not None:
            rules.check_no_chain(standing)
        head = await log.lock(tx, conversation)
        member = await store.select_member(tx, conversation, caller.account)
        if member is None or not member.is_current:
            room = rules.check_join(await store.select_room(tx, conversation))
            await admit(tx, caller, head, caller.account, rules.role_of_newcomer(room))
        return await seen(tx, caller.account, conversation)


async def leave(db: Database, caller: Caller, conversation: ConversationId) -> None:
    """End one's membership; an owner's room passes to the next in rank (C-44). The last one out leaves it empty."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "read")
        rules.check_no_chain(standing)
        rules.check_leave(standing)
        heir = await heir_of(tx, conversation) if standing.role == "owner" else None
        told: dict[AccountId, Role | None] = {caller.account: None}
        await _end(tx, caller, conversation, caller.account, kinds.LEFT)
        if heir is not None:
            await promote(tx, caller, conversation, heir, "owner")
            told[heir] = "owner"
        await tell(tx, conversation, told)


async def remove(db: Database, caller: Caller, conversation: ConversationId, account: AccountId) -> None:
    """Put a member of lower rank out of the room."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await administer(tx, caller, conversation, "manage_members")
        rules.check_removal(standing, await seated(tx, conversation, account))
        await exit_(tx, caller, conversation, account, kinds.REMOVED)


async def succeed(tx: Tx, account: AccountId) -> None:
    """Pass every room that an account owns on to the next in rank: its owner is about to be gone (C-44, B-104).

    Where nobody else is in, the room stays as it is. Groups are passed on by their own statements.
    """
    owned = await store.select_owned(tx, account)
    await log.lock_all(tx, owned)
    told: list[tuple[AccountId, ConversationId, Role]] = []
    for conversation in await store.select_owned(tx, account):
        heir = await heir_of(tx, conversation)
        if heir is not None:
            await promote(tx, Author(account), conversation, account, "member")
            await promote(tx, Author(account), conversation, heir, "owner")
            told += [(account, conversation, "member"), (heir, conversation, "owner")]
    for one, conversation, role in sorted(told):
        await tell(tx, conversation, {one: role})


async def heir_of(tx: Tx, conversation: ConversationId) -> AccountId | None:
    """Who owns a room when its owner does not any more."""
    heir = rules.successor(await store.select_successors(tx, conversation))
    return heir.account if heir else None


async def seated(tx: Tx, conversation: ConversationId, account: AccountId) -> Seat:
    """A current member, or `not_found`."""
    found = await seats.select_seats(tx, conversation, [account])
    if not found:
        raise Refusal("not_found")
    return found[0]


async def exit_(
    tx: Tx, caller: Caller, conversation: ConversationId, account: AccountId, kind: int, *, is_banned: bool = False
) -> None:
    """End a membership by an entry of the given kind, and tell the account."""
    await _end(tx, caller, conversation, account, kind, is_banned=is_banned)
    await tell(tx, conversation, {account: None})


async def _end(
    tx: Tx, caller: Caller, conversation: ConversationId, account: AccountId, kind: int, *, is_banned: bool = False
) -> None:
    at = await journal.append(tx, caller, conversation, kind, kinds.MemberChange(account, is_banned=is_banned))
    await store.update_left(tx, conversation, account, at)
    await store.update_member_count(tx, conversation, -1)
    name = "member_left" if kind == kinds.LEFT else "member_removed"
    await journal.record(tx, caller, conversation, name, account)
    tx.ring(Left(account, conversation))


async def promote(tx: Tx, by: Caller | Author, conversation: ConversationId, account: AccountId, role: Role) -> None:
    """Write a base role, its entry, and what follows from it; the caller tells the accounts."""
    await store.update_role(tx, conversation, account, role)
    await journal.append(tx, by, conversation, kinds.ROLE, kinds.MemberChange(account, role))
    await journal.record(tx, by, conversation, "role_changed", account, role=role)
    if role == "owner":
        await free_owner(tx, by, conversation)
    await rights.renew(tx, conversation, [account])


async def free_owner(tx: Tx, by: Caller | Author, conversation: ConversationId) -> None:
    """Whoever owns a conversation now is bound by nothing that somebody said before: nobody is left to take it back."""
    freed = await seats.update_owner(tx, conversation)
    if freed is not None and freed.overrides:
        await journal.append(tx, by, conversation, kinds.RIGHTS, MemberRights(freed.account, freed.role_id))
    if freed is not None and freed.silenced_until is not None:
        await journal.append(tx, by, conversation, kinds.SILENCED, MemberSilence(freed.account))


async def members(db: Database, caller: Caller, conversation: ConversationId, wanted: WantedMembers) -> MemberPage:
    """List who is in, or who of one base role is (R-150); across a block no more than names."""
    async with db.read() as reader:
        await authorise(reader, caller, conversation, "read")
        found = await seats.select_members(reader, conversation, wanted)
        hidden = await contacts.blocked_among(reader, caller.account, [one.person.id for one in found])
    found = [seats.without_profile(one) if one.person.id in hidden else one for one in found]
    has_more = len(found) > wanted.limit
    return MemberPage(found[: wanted.limit], found[wanted.limit - 1].person.id if has_more else None)
