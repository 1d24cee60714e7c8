"""REST of people, contacts, contact requests and blocks."""

import msgspec

from aparte.server.contacts import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing, ids_of
from aparte.wire import limits
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
    PersonPage,
)
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId


class Lookup(msgspec.Struct, frozen=True):
    """Either `ids` or, as `username`, user names: at most 100, separated by commas."""

    ids: str = ""
    username: str = ""


class Doors:
    """`/accounts`, `/contacts`, `/contact-requests`, `/blocks`."""

    def __init__(self, db: Database) -> None:
        """Serve from this database."""
        self._db = db

    async def person(self, call: Call[Nothing, Nothing]) -> Person:
        """Somebody, as far as they let one see."""
        return await actions.person(self._db, call.caller, AccountId(call.id("account")))

    async def people(self, call: Call[Nothing, Lookup]) -> PersonPage:
        """Several people by their ids or user names; those who are not there are left out."""
        if bool(call.query.ids) == bool(call.query.username):
            raise Refusal("invalid", "give either ids or username")
        if call.query.username:
            return await actions.people_named(self._db, call.caller, names_of(call.query.username))
        return await actions.people(self._db, call.caller, [AccountId(i) for i in ids_of(call.query.ids)])

    async def find(self, call: Call[FindPerson, Nothing]) -> Person:
        """Find somebody by a whole e-mail address or phone number, if they let one."""
        return await actions.find(self._db, call.caller, call.body)

    async def contacts(self, call: Call[Nothing, Nothing]) -> ContactList:
        """One's address book."""
        return await actions.contacts(self._db, call.caller)

    async def add(self, call: Call[ContactChange, Nothing]) -> Contact:
        """Write somebody into one's address book, or change the entry."""
        account = AccountId(call.id("account"))
        return await actions.add(self._db, call.caller, account, call.body.nickname, call.body.display_name)

    async def remove(self, call: Call[Nothing, Nothing]) -> None:
        """Take somebody out of one's address book."""
        await actions.remove(self._db, call.caller, AccountId(call.id("account")))

    async def requests(self, call: Call[Nothing, Nothing]) -> ContactRequestList:
        """One's contact requests in both directions, newest first; decided ones for 30 days."""
        return await actions.requests(self._db, call.caller)

    async def ask(self, call: Call[NewContactRequest, Nothing]) -> ContactRequest:
        """Ask somebody to be contacts, or accept what they asked."""
        return await actions.ask(self._db, call.caller, AccountId(call.id("account")), call.body.note)

    async def accept(self, call: Call[Nothing, Nothing]) -> ContactRequest:
        """Accept somebody's contact request: each has the other in their book."""
        return await actions.accept(self._db, call.caller, AccountId(call.id("account")))

    async def decline(self, call: Call[Nothing, Nothing]) -> ContactRequest:
        """Decline somebody's contact request."""
        return await actions.decline(self._db, call.caller, AccountId(call.id("account")))

    async def withdraw(self, call: Call[Nothing, Nothing]) -> None:
        """Take one's own contact request back."""
        await actions.withdraw(self._db, call.caller, AccountId(call.id("account")))

    async def blocks(self, call: Call[Nothing, Nothing]) -> BlockList:
        """Whom one has blocked."""
        return await actions.blocks(self._db, call.caller)

    async def block(self, call: Call[BlockChange, Nothing]) -> Block:
        """Block somebody, or change the reason."""
        return await actions.block(self._db, call.caller, AccountId(call.id("account")), call.body.reason)

    async def unblock(self, call: Call[Nothing, Nothing]) -> None:
        """Take a block back."""
        await actions.unblock(self._db, call.caller, AccountId(call.id("account")))


def names_of(text: str) -> list[str]:
    """Read user names out of a query: separated by commas, a page at most. Raises Refusal `invalid`."""
    names = text.split(",", limits.PAGE_LIST)
    if len(names) > limits.PAGE_LIST:
        raise Refusal("invalid", f"at most {limits.PAGE_LIST} names")
    return names
