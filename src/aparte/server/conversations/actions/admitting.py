"""Membership statements on their way into the log: what is known against them, and what is written once they are in.

The order of locks is that of everybody: accounts by their ids, then the conversation's head. All accounts whose rows,
state or device list count are locked before the head, so that no list changes between being looked at and standing in
the roster, and no list that is just being stored waits for a head whose holder waits for its account.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from aparte.e2ee.members import Membership
from aparte.e2ee.statement import Action
from aparte.server.accounts import actions as accounts
from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.contacts import actions as contacts
from aparte.server.conversations import chain, differences, fold, links, rules
from aparte.server.conversations.actions import membership, rights
from aparte.server.conversations.model import Bounds, Facts, Prepared, Standings, Submission
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.kit.doorbell import Joined, Left
from aparte.server.log import actions as log
from aparte.server.log.model import Head, NewStatements
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted
from aparte.wire.ids import AccountId, ConversationId, Position

IN_A_THREAD = 8
"""From so many statements on their signatures are checked beside the event loop."""


async def repeat_of(reader: Reader, new: Submission) -> Admitted | None:
    """Find statements that are stored byte for byte; they are answered as they were the first time."""
    said = [one.signed.statement for one in new.said]
    epoch = await chain.select_stored(reader, new.conversation, said, new.said[0].statement.number)
    begun = await log.epoch_of(reader, new.conversation, epoch) if epoch is not None else None
    return Admitted(new.conversation, begun.statement, begun.epoch, begun.begins) if begun else None


async def stored(db: Database, conversation: ConversationId) -> Membership:
    """Read the state of a group. Refuses with `not_member` where there is none."""
    async with db.read() as reader:
        found = await chain.select_membership(reader, conversation)
    if found is None:
        raise Refusal("not_member")
    return found


async def facts_of(reader: Reader, new: Submission, before: Membership | None) -> Facts:
    """Learn what the server knows beside the chain of those whom statements are about. Refuses with `keys_needed`."""
    added, removed = fold.subjects_of(new.said, Action.ADD), fold.subjects_of(new.said, Action.REMOVE)
    let_in = [_id(one) for one in sorted(added | fold.subjects_of(new.said, Action.JOIN))]
    add = [_id(one) for one in sorted(added)]
    lists = {one.bytes: known for one, known in (await keys.hashes_of(reader, [new.caller.account, *add])).items()}
    if new.caller.account.bytes not in lists:
        raise Refusal("keys_needed")
    inside = before.members if before else {}
    moved = [_id(one) for one in lists if one in inside and inside[one].key33 != lists[one].account_key]
    owner = before.owner if before else None
    is_gone = owner is not None and owner in removed and await _is_gone(reader, _id(owner))
    return Facts(
        lists,
        {one.bytes: line for one, line in (await keys.lines_of(reader, moved)).items()} if moved else {},
        frozenset(one.bytes for one in await links.select_banned(reader, new.conversation, let_in)),
        frozenset(one.bytes for one in await contacts.allowed(reader, new.caller.account, add, "may_add")),
        frozenset(row.account.bytes for row in await accounts.people(reader, add)),
        frozenset({owner}) if owner is not None and is_gone else frozenset(),
        now().timestamp(),
        await chain.select_bounds(reader, new.conversation) or Bounds(new.kind, limits.GROUP_MEMBERS),
    )


async def _is_gone(reader: Reader, account: AccountId) -> bool:
    """Tell whether nobody uses an account any more: it is closed, or its list names no device."""
    known = await accounts.credentials_of(reader, account)
    newest = (await keys.hashes_of(reader, [account])).get(account)
    return known is None or not known.is_open or newest is None or not newest.devices


async def prepare(db: Database, new: Submission, before: Membership) -> Prepared:
    """Check statements and their signatures on a state, outside of any transaction. Refuses as `fold` does."""
    fold.check_continues(before, new.said)
    async with db.read() as reader:
        fold.check_token(before, new.said, has_token=new.token_hash is not None)
        facts = await facts_of(reader, new, before)
    if len(new.said) < IN_A_THREAD:
        return Prepared(new, before, fold.verified(facts, before, new.said))
    return Prepared(new, before, await asyncio.to_thread(fold.verified, facts, before, new.said))


async def store(db: Database, some: Sequence[Prepared]) -> list[Admitted | Refusal]:
    """Store submissions that continue each other, in one epoch; one that does not hold any more ends the row."""
    async with db.transaction() as tx:
        conversation, before = some[0].submission.conversation, some[0].before
        said = [one for prepared in some for one in prepared.submission.said]
        await accounts.lock_all(tx, differences.standings(before, some[-1].after, said).touched)
        head = await log.lock(tx, conversation)
        if await chain.select_end(tx, conversation) != (before.number, before.hash):
            return [Refusal("stale_membership") for _ in some]
        taken, after, refusal = await _take(tx, some)
        if taken:
            epoch, at = await write(tx, head, before, after, taken)
        admitted: list[Admitted | Refusal] = [Admitted(conversation, after.number, epoch, at) for _ in taken]
        late = [Refusal("stale_membership") for _ in some[len(taken) + 1 :]]
        return [*admitted, *([refusal] if refusal else []), *late]


async def _take(tx: Tx, some: Sequence[Prepared]) -> tuple[list[Submission], Membership, Refusal | None]:
    """Judge submissions once more under the lock, as far as they hold; their signatures did."""
    taken: list[Submission] = []
    after = some[0].before
    for prepared in some:
        new = prepared.submission
        try:
            after = fold.followed(await facts_of(tx, new, after), after, new.said)
        except Refusal as refusal:
            return taken, after, refusal
        taken.append(new)
    return taken, after, None


async def write(
    tx: Tx, head: Head, before: Membership | None, after: Membership, taken: Sequence[Submission]
) -> tuple[int, Position]:
    """Write statements and all that follows from them; gives the epoch and where it begins."""
    conversation = head.conversation
    said = [(new.caller, one) for new in taken for one in new.said]
    statements = [one for _, one in said]
    lists = await keys.hashes_of(tx, [_id(one) for one in after.members])
    roster = rules.roster_of(conversation, {one: known.hash for one, known in lists.items()}, after.hash)
    different = differences.difference(before, after, {one.bytes: known for one, known in lists.items()})
    signed = [(caller.account, caller.device, one.signed) for caller, one in said]
    epoch, places = await log.append_statements(
        tx, NewStatements(conversation, signed, after.number, roster, different)
    )
    await chain.insert_statements(tx, conversation, statements, epoch)
    at = {one.statement.number: place for one, place in zip(statements, places, strict=True)}
    await _write_links(tx, conversation, before, after, taken)
    standings = differences.standings(before, after, statements)
    await chain.upsert_members(tx, conversation, standings.entered, at, head.ordinal)
    await chain.update_out(tx, conversation, standings.out, at)
    await chain.update_standings(tx, conversation, after, standings.touched)
    await chain.upsert_end(tx, after, conversation)
    for new in taken:
        if new.is_ban:
            removed = [_id(one) for one in sorted(fold.subjects_of(new.said, Action.REMOVE))]
            await links.update_banned(tx, conversation, removed, new.caller.account)
    await _tell(tx, conversation, standings, before)
    await _settle(tx, taken[-1].caller, conversation, standings)
    return epoch, places[-1]


async def _settle(tx: Tx, by: Caller, conversation: ConversationId, standings: Standings) -> None:
    """What the server keeps of members beside the chain follows it; it narrows, and is told by entries of its own."""
    entered = [one.account for one in standings.entered if standings.told.get(one.account)]
    if entered:
        await membership.keep(tx, by, conversation, entered, is_said=False)
    if "owner" in standings.told.values():
        await membership.free_owner(tx, by, conversation)
    await rights.renew(tx, conversation, [account for account, role in standings.told.items() if role])
    if standings.told:
        roles = {str(account): role for account, role in standings.told.items()}
        event = Event("membership_changed", by.account, by.session, conversation, details={"roles": roles})
        await audit.record(tx, event)


async def _write_links(
    tx: Tx, conversation: ConversationId, before: Membership | None, after: Membership, taken: Sequence[Submission]
) -> None:
    known = before.links if before else {}
    for new in taken:
        for link, by in fold.opened(new.said).items():
            if link in after.links:
                await links.upsert_link(tx, conversation, link, after.links[link], by, new.token_hash)
                if new.card is not None:
                    await links.update_card(tx, conversation, link, new.card)
    used = {link: row.used for link, row in after.links.items() if link in known and known[link].used != row.used}
    if used:
        await links.update_used(tx, conversation, used)
    closed = [link for link in known if link not in after.links]
    if closed:
        await links.update_closed(tx, conversation, closed)


async def _tell(tx: Tx, conversation: ConversationId, standings: Standings, before: Membership | None) -> None:
    """Let everybody's own devices know their place, and the audience follow it."""
    values = {account: {"role": role} if role else None for account, role in standings.told.items()}
    if values:
        await state.put_all(tx, f"membership:{conversation}", values)
    inside = before.members if before else {}
    for account, role in standings.told.items():
        if role is None:
            tx.ring(Left(account, conversation))
        elif account.bytes not in inside:
            tx.ring(Joined(account, conversation))


def _id(account: bytes) -> AccountId:
    return AccountId(UUID(bytes=account))
