"""Address books: whom one knows, by which name. An entry needs nobody's consent and is nobody else's business."""

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import rules, store
from aparte.server.contacts.actions.people import as_seen, one
from aparte.server.contacts.model import ContactRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.kit.names import check_name
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import Contact, ContactList, Person
from aparte.wire.ids import AccountId


async def contacts(db: Database, caller: Caller) -> ContactList:
    """Read one's address book."""
    async with db.read() as reader:
        rows = await store.select_contacts(reader, caller.account)
        shown = await as_seen(reader, caller.account, [row.contact for row in rows])
        blocked = {row.blocked for row in await store.select_blocks(reader, caller.account)}
    return ContactList([_contact(row, shown[row.contact], blocked) for row in rows if row.contact in shown])


async def add(
    db: Database, caller: Caller, account: AccountId, nickname: str | None, display_name: str | None = None
) -> Contact:
    """Write somebody into one's address book, or give the entry another nickname."""
    rules.check_other(caller.account, account)
    given = rules.nickname_of(nickname, display_name)
    name = check_name(given, limits.NICKNAME, "the nickname") if given is not None else None
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        shown = await one(tx, caller.account, account)
        row = await store.select_contact(tx, caller.account, account)
        if row is None:
            rules.check_room_for_one(await store.count_contacts(tx, caller.account), limits.CONTACTS)
        if row is None or row.nickname != name:
            row = await _write(tx, caller.account, account, name)
        blocked = await store.select_block(tx, caller.account, account)
    return _contact(row, shown, {account} if blocked else set())


async def keep(tx: Tx, owner: AccountId, contact: AccountId) -> None:
    """Write somebody into a book without a nickname, unless they are in it. The owner's account is locked.

    Refuses with `too_many`.
    """
    if await store.select_contact(tx, owner, contact) is None:
        rules.check_room_for_one(await store.count_contacts(tx, owner), limits.CONTACTS)
        await _write(tx, owner, contact, None)


async def remove(db: Database, caller: Caller, account: AccountId) -> None:
    """Take somebody out of one's address book; whoever is not in it stays out."""
    async with db.transaction() as tx:
        if await store.delete_contact(tx, caller.account, account):
            await state.put(tx, caller.account, f"contact:{account}", None)


def _contact(row: ContactRow, shown: Person, blocked: set[AccountId]) -> Contact:
    return Contact(shown, row.nickname, row.contact in blocked, row.added_at)


async def _write(tx: Tx, owner: AccountId, contact: AccountId, nickname: str | None) -> ContactRow:
    row = await store.upsert_contact(tx, owner, contact, nickname)
    await state.put(tx, owner, f"contact:{contact}", {"nickname": nickname, "added_at": row.added_at})
    return row
