"""Contacts, contact requests and blocks at the server, and finding people by a whole address."""

from aparte.client import local_log
from aparte.client.session import Nothing, Session
from aparte.client.transport.http import Request
from aparte.wire.accounts import (
    Block,
    BlockChange,
    BlockList,
    Contact,
    ContactChange,
    ContactList,
    ContactRequest,
    ContactRequestList,
    FindPerson,
    NewContactRequest,
    Person,
)
from aparte.wire.codec import to_json
from aparte.wire.ids import AccountId


async def contacts(session: Session) -> list[Contact]:
    """Read one's address book."""
    found = (await session.call(Request("GET", "/contacts"), ContactList)).contacts
    local_log.keep_people(session.store, [one.person for one in found])
    return found


async def add(session: Session, account: AccountId, wanted: ContactChange) -> Contact:
    """Put somebody into one's address book, or change how they are called there."""
    return await session.call(Request("PUT", f"/contacts/{account}", to_json(wanted)), Contact)


async def remove(session: Session, account: AccountId) -> None:
    """Take somebody out of one's address book."""
    await session.call(Request("DELETE", f"/contacts/{account}"), Nothing)


async def requests(session: Session) -> list[ContactRequest]:
    """Read one's contact requests in both directions."""
    found = (await session.call(Request("GET", "/contact-requests"), ContactRequestList)).requests
    local_log.keep_people(session.store, [one.person for one in found])
    return found


async def ask(session: Session, account: AccountId, wanted: NewContactRequest) -> ContactRequest:
    """Ask somebody to be contacts. Raises ClientError `too_soon`, `blocked`, `forbidden`, `too_many`."""
    return await session.call(Request("POST", f"/contact-requests/{account}", to_json(wanted)), ContactRequest)


async def accept(session: Session, account: AccountId) -> ContactRequest:
    """Accept somebody's request. Raises ClientError `not_found`, `over`."""
    return await session.call(Request("POST", f"/contact-requests/{account}/accept"), ContactRequest)


async def decline(session: Session, account: AccountId) -> ContactRequest:
    """Decline somebody's request. Raises ClientError `not_found`, `over`."""
    return await session.call(Request("POST", f"/contact-requests/{account}/decline"), ContactRequest)


async def withdraw(session: Session, account: AccountId) -> None:
    """Take one's own request back. Raises ClientError `over`."""
    await session.call(Request("DELETE", f"/contact-requests/{account}"), Nothing)


async def blocks(session: Session) -> list[Block]:
    """Read whom one blocks."""
    found = (await session.call(Request("GET", "/blocks"), BlockList)).blocks
    local_log.keep_people(session.store, [one.person for one in found])
    return found


async def block(session: Session, account: AccountId, wanted: BlockChange) -> Block:
    """Block somebody."""
    return await session.call(Request("PUT", f"/blocks/{account}", to_json(wanted)), Block)


async def unblock(session: Session, account: AccountId) -> None:
    """Block somebody no longer."""
    await session.call(Request("DELETE", f"/blocks/{account}"), Nothing)


async def find(session: Session, wanted: FindPerson) -> Person:
    """Find somebody by a whole address. Raises ClientError `not_found`."""
    found = await session.call(Request("POST", "/accounts/find", to_json(wanted)), Person)
    local_log.keep_people(session.store, [found])
    return found
