"""The people of an open profile: the address book, requests to be contacts, blocks, and finding people."""

from collections.abc import Sequence

from aparte.client.api import accounts
from aparte.client.api import contacts as api
from aparte.client.core.asked import asked
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.wire.accounts import (
    Block,
    BlockChange,
    Contact,
    ContactChange,
    ContactRequest,
    FindPerson,
    NewContactRequest,
    Person,
)
from aparte.wire.ids import AccountId


class Contacts:
    """`client.contacts`: people are named by their user names."""

    def __init__(self, session: Session) -> None:
        """Work in the name of a session."""
        self._session = session

    async def list(self) -> list[Contact]:
        """Read one's address book."""
        return await api.contacts(self._session)

    async def add(self, username: str, *, nickname: str | None = None) -> Contact:
        """Put somebody into one's address book, or change how they are called there; they are not asked."""
        return await api.add(self._session, await self._account(username), ContactChange(nickname=nickname))

    async def remove(self, username: str) -> None:
        """Take somebody out of one's address book."""
        await api.remove(self._session, await self._account(username))

    async def request(self, username: str, note: str = "") -> ContactRequest:
        """Ask somebody to be contacts: once accepted, each has the other. Raises ClientError `too_soon`, `blocked` …

        If they have asked before, both are.
        """
        return await api.ask(self._session, await self._account(username), NewContactRequest(note))

    async def requests(self) -> Sequence[ContactRequest]:
        """Read the requests from oneself and to oneself, newest first."""
        return await api.requests(self._session)

    async def accept(self, username: str) -> ContactRequest:
        """Accept somebody's request. Raises ClientError `not_found`, `over`."""
        return await api.accept(self._session, await self._account(username))

    async def decline(self, username: str) -> ContactRequest:
        """Decline somebody's request: they may ask again in a week. Raises ClientError `not_found`, `over`."""
        return await api.decline(self._session, await self._account(username))

    async def withdraw(self, username: str) -> None:
        """Take one's own request back. Raises ClientError `over` once it was answered."""
        await api.withdraw(self._session, await self._account(username))

    async def block(self, username: str, reason: str | None = None) -> Block:
        """Let nothing come from somebody any more, and tell them nothing of oneself. The reason is for oneself."""
        return await api.block(self._session, await self._account(username), BlockChange(reason))

    async def unblock(self, username: str) -> None:
        """Block somebody no longer."""
        await api.unblock(self._session, await self._account(username))

    async def blocks(self) -> Sequence[Block]:
        """Read whom one blocks."""
        return await api.blocks(self._session)

    async def find(self, *, email: str | None = None, phone: str | None = None) -> Person:
        """Find somebody who lets one, by a whole e-mail address or phone number. Raises ClientError `not_found`."""
        if (email is None) is (phone is None):
            raise ClientError("invalid", "an e-mail address or a phone number")
        wanted = asked({"email": email} if phone is None else {"phone": phone}, FindPerson)
        return await api.find(self._session, wanted)

    async def _account(self, username: str) -> AccountId:
        return await accounts.account_named(self._session, username)
