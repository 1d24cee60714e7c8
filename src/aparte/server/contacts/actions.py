"""Address book, blocks, and people as others may see them."""

from collections.abc import Sequence
from typing import Literal

from aparte.server.accounts import actions as accounts
from aparte.server.accounts.model import PersonRow
from aparte.server.contacts import rules, store
from aparte.server.contacts.model import BlockRow, ContactRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.kit.names import check_name, check_text
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import Block, BlockList, Contact, ContactList, Person, PersonPage
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

Aspect = Literal["may_write", "see_last_seen", "see_presence"]


# People -----------------------------------------------------------------------------------------------------------


async def person(db: Database, caller: Caller, account: AccountId) -> Person:
    """Show somebody; whoever is deleted is not there."""
    async with db.read() as reader:
        return await _one(reader, caller.account, account)


async def people(db: Database, caller: Caller, wanted: Sequence[AccountId]) -> PersonPage:
    """Show several people, in the order asked; those who are not there are left out."""
    async with db.read() as reader:
        shown = await as_seen(reader, caller.account, list(dict.fromkeys(wanted)))
    return PersonPage(list(shown.values()))


async def people_named(db: Database, caller: Caller, usernames: Sequence[str]) -> PersonPage:
    """Find people by user name, whatever its case; those who are not there are left out."""
    async with db.read() as reader:
        found = await _show(reader, caller.account, await accounts.people_named(reader, usernames))
    return PersonPage(list(found.values()))


async def as_seen(reader: Reader, asker: AccountId, wanted: Sequence[AccountId]) -> dict[AccountId, Person]:
    """Show people as far as each lets the asker see, in the order asked."""
    found = await _show(reader, asker, await accounts.people(reader, list(wanted)))
    return {account: found[account] for account in wanted if account in found}


async def allowed(reader: Reader, asker: AccountId, wanted: Sequence[AccountId], aspect: Aspect) -> set[AccountId]:
    """Tell which people let the asker do or see something; a block in either direction is a no."""
    rows = await accounts.people(reader, list(wanted))
    owners = await store.select_owners(reader, wanted, asker)
    blocked = await store.select_blocked_either_way(reader, asker, wanted)
    return {
        row.account
        for row in rows
        if row.account == asker
        or (row.account not in blocked and rules.is_in(getattr(row.privacy, aspect), is_contact=row.account in owners))
    }


async def audience(reader: Reader, account: AccountId, askers: Sequence[AccountId], aspect: Aspect) -> set[AccountId]:
    """Tell which of these people an account lets do or see something: `allowed`, asked from the other side."""
    rows = await accounts.people(reader, [account])
    if not rows:
        return set()
    audience = getattr(rows[0].privacy, aspect)
    book = {row.contact for row in await store.select_contacts(reader, account)} if audience == "contacts" else set()
    blocked = await store.select_blocked_either_way(reader, account, askers)
    return {
        asker
        for asker in askers
        if asker == account or (asker not in blocked and rules.is_in(audience, is_contact=asker in book))
    }


async def _show(reader: Reader, asker: AccountId, rows: Sequence[PersonRow]) -> dict[AccountId, Person]:
    ids = [row.account for row in rows]
    owners = await store.select_owners(reader, ids, asker)
    blocked = await store.select_blocked_either_way(reader, asker, ids)
    return {
        row.account: rules.shown(
            row,
            to_self=row.account == asker,
            is_contact=row.account in owners,
            is_blocked=row.account in blocked,
        )
        for row in rows
    }


async def _one(reader: Reader, asker: AccountId, account: AccountId) -> Person:
    found = await as_seen(reader, asker, [account])
    if account not in found:
        raise Refusal("not_found")
    return found[account]


# May they ---------------------------------------------------------------------------------------------------------


async def may_write(reader: Reader, sender: AccountId, target: AccountId) -> None:
    """Refuse with `blocked` if either blocks the other or the target does not take messages from the sender.

    The answer does not say which. Refuses with `not_found` if there is no such person.
    """
    if not await accounts.people(reader, [target]):
        raise Refusal("not_found")
    if target not in await allowed(reader, sender, [target], "may_write"):
        raise Refusal("blocked")


async def blocked_between(reader: Reader, one: AccountId, other: AccountId) -> list[AccountId]:
    """Tell who of two people blocks the other (C-21): empty if nobody does."""
    return await store.select_blockers(reader, one, other)


# Address book -----------------------------------------------------------------------------------------------------


async def contacts(db: Database, caller: Caller) -> ContactList:
    """Read one's address book."""
    async with db.read() as reader:
        rows = await store.select_contacts(reader, caller.account)
        shown = await as_seen(reader, caller.account, [row.contact for row in rows])
        blocked = {row.blocked for row in await store.select_blocks(reader, caller.account)}
    return ContactList([_contact(row, shown[row.contact], blocked) for row in rows if row.contact in shown])


async def add(db: Database, caller: Caller, account: AccountId, nickname: str | None) -> Contact:
    """Write somebody into one's address book, or give the entry another nickname."""
    rules.check_other(caller.account, account)
    name = check_name(nickname, limits.NICKNAME, "the nickname") if nickname is not None else None
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        shown = await _one(tx, caller.account, account)
        row = await store.select_contact(tx, caller.account, account)
        if row is None:
            rules.check_room_for_one(await store.count_contacts(tx, caller.account), limits.CONTACTS)
        if row is None or row.nickname != name:
            row = await store.upsert_contact(tx, caller.account, account, name)
            await state.put(tx, caller.account, f"contact:{account}", {"nickname": name, "added_at": row.added_at})
        blocked = await store.select_block(tx, caller.account, account)
    return _contact(row, shown, {account} if blocked else set())


async def remove(db: Database, caller: Caller, account: AccountId) -> None:
    """Take somebody out of one's address book; whoever is not in it stays out."""
    async with db.transaction() as tx:
        if await store.delete_contact(tx, caller.account, account):
            await state.put(tx, caller.account, f"contact:{account}", None)


def _contact(row: ContactRow, shown: Person, blocked: set[AccountId]) -> Contact:
    return Contact(shown, row.nickname, row.contact in blocked, row.added_at)


# Blocks -----------------------------------------------------------------------------------------------------------


async def blocks(db: Database, caller: Caller) -> BlockList:
    """Read whom one has blocked."""
    async with db.read() as reader:
        rows = await store.select_blocks(reader, caller.account)
        shown = await as_seen(reader, caller.account, [row.blocked for row in rows])
    return BlockList([_block(row, shown[row.blocked]) for row in rows if row.blocked in shown])


async def block(db: Database, caller: Caller, account: AccountId, reason: str | None) -> Block:
    """Block somebody, who is not told; effective from the next operation (R-109)."""
    rules.check_other(caller.account, account)
    why = check_text(reason, limits.BLOCK_REASON, "the reason") if reason is not None else None
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        await _one(tx, caller.account, account)
        row = await store.select_block(tx, caller.account, account)
        if row is None:
            rules.check_room_for_one(await store.count_blocks(tx, caller.account), limits.BLOCKS)
        if row is None or row.reason != why:
            row = await store.upsert_block(tx, caller.account, account, why)
            await state.put(tx, caller.account, f"block:{account}", {"reason": why, "blocked_at": row.blocked_at})
        return _block(row, await _one(tx, caller.account, account))


async def unblock(db: Database, caller: Caller, account: AccountId) -> None:
    """Take a block back; where there is none, nothing happens."""
    async with db.transaction() as tx:
        if await store.delete_block(tx, caller.account, account):
            await state.put(tx, caller.account, f"block:{account}", None)


def _block(row: BlockRow, shown: Person) -> Block:
    return Block(shown, row.reason, row.blocked_at)
