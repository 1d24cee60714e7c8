"""People as others may see them, and what each lets others do."""

from collections.abc import Mapping, Sequence
from typing import Literal

from aparte.server.accounts import actions as accounts
from aparte.server.accounts.model import PersonRow
from aparte.server.contacts import rules, store
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.wire.accounts import FindPerson, Person, PersonPage
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId

Aspect = Literal[
    "may_write",
    "see_last_seen",
    "see_presence",
    "may_add",
    "see_receipts",
    "find_by_name",
    "find_by_email",
    "find_by_phone",
]
"""What privacy decides, each by itself: the fields of `Privacy`."""


async def person(db: Database, caller: Caller, account: AccountId) -> Person:
    """Show somebody; whoever is deleted is not there."""
    async with db.read() as reader:
        return await one(reader, caller.account, account)


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


async def find(db: Database, caller: Caller, wanted: FindPerson) -> Person:
    """Find somebody by a whole e-mail address or phone number, if they let the caller.

    Refuses with `not_found` whether nobody has the address, whoever has it may not be found by it, or there is a block.
    """
    if (wanted.email is None) == (wanted.phone is None):
        raise Refusal("invalid", "give either email or phone")
    aspect: Aspect = "find_by_phone" if wanted.email is None else "find_by_email"
    async with db.read() as reader:
        rows = await accounts.people_at(reader, email=wanted.email, phone=wanted.phone)
        found = await allowed(reader, caller.account, [row.account for row in rows], aspect)
        shown = await _show(reader, caller.account, [row for row in rows if row.account in found])
    if not shown:
        raise Refusal("not_found")
    return next(iter(shown.values()))


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
    return (await audiences(reader, {account: askers}, aspect))[account]


async def audiences(
    reader: Reader, wanted: Mapping[AccountId, Sequence[AccountId]], aspect: Aspect
) -> dict[AccountId, set[AccountId]]:
    """Tell of many accounts at once which people each lets do or see something, by three questions at most."""
    askers = list({asker for several in wanted.values() for asker in several})
    audiences = {row.account: getattr(row.privacy, aspect) for row in await accounts.people(reader, list(wanted))}
    choosy = [account for account, audience in audiences.items() if audience == "contacts"]
    known = await store.select_known(reader, choosy, askers) if choosy else set()
    blocked = await store.select_blocks_between(reader, list(audiences), askers)

    def lets(account: AccountId, asker: AccountId) -> bool:
        if account == asker or account not in audiences:
            return account in audiences
        is_contact = (account, asker) in known
        return (account, asker) not in blocked and rules.is_in(audiences[account], is_contact=is_contact)

    return {account: {asker for asker in several if lets(account, asker)} for account, several in wanted.items()}


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


async def one(reader: Reader, asker: AccountId, account: AccountId) -> Person:
    """Show somebody inside of a transaction. Refuses with `not_found`."""
    found = await as_seen(reader, asker, [account])
    if account not in found:
        raise Refusal("not_found")
    return found[account]


async def may_write(reader: Reader, sender: AccountId, target: AccountId) -> None:
    """Refuse with `blocked` if either blocks the other or the target does not take messages from the sender.

    The answer does not say which. Refuses with `not_found` if there is no such person.
    """
    if not await accounts.people(reader, [target]):
        raise Refusal("not_found")
    if target not in await allowed(reader, sender, [target], "may_write"):
        raise Refusal("blocked")


async def blocked_among(reader: Reader, account: AccountId, others: Sequence[AccountId]) -> set[AccountId]:
    """Tell between which of these people and an account there is a block, whoever made it."""
    return await store.select_blocked_either_way(reader, account, others)


async def blocked_between(reader: Reader, one: AccountId, other: AccountId) -> list[AccountId]:
    """Tell who of two people blocks the other (C-21): empty if nobody does."""
    return await store.select_blockers(reader, one, other)
