"""Conversations: finding them by name, opening direct ones, coming and going, and what rooms say of themselves."""

import time
from collections.abc import AsyncIterator, Collection
from uuid import UUID

from aparte.client import local_log
from aparte.client.api.accounts import account_named
from aparte.client.core import checks
from aparte.client.core.checks import DERIVED
from aparte.client.core.names import IdTarget, PersonTarget, SelfTarget, name_key, parse_target
from aparte.client.crypto import learning
from aparte.client.errors import ClientError, Unreachable
from aparte.client.session import Nothing, Session, decoded
from aparte.client.store import conversations, profile
from aparte.client.store.conversations import ConversationRow
from aparte.client.transport.http import Request
from aparte.e2ee.roster import direct_id
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import Role
from aparte.wire.conversations import (
    Conversation,
    ConversationChange,
    ConversationPage,
    DirectoryPage,
    Member,
    MemberPage,
    NewConversation,
)
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.keys import NewDirect

CHECKED_SECONDS = 30.0
"""How long a name leads to the same room without asking again."""


class Rooms:
    """The rooms of the account, and how their names lead to them."""

    def __init__(self, session: Session) -> None:
        """Work in the name of a session."""
        self._session = session
        self._checked: dict[str, tuple[ConversationId, float]] = {}

    async def resolve(self, target: str, *, offline: bool = False) -> ConversationId:
        """Find the conversation that a target names. Raises ClientError `no_such_room`, `no_such_member`, `bad_target`.

        The direct conversation with a person is opened if it was not before. A room's name that the store knows is
        checked with the server now and then, because rooms are renamed; with `offline`, one that cannot be checked is
        taken from the store.
        """
        wanted = parse_target(target)
        if isinstance(wanted, IdTarget):
            if wanted.conversation.version == DERIVED:
                await self.row(wanted.conversation)  # known to be encrypted, before anything is said there
            return wanted.conversation
        if isinstance(wanted, PersonTarget):
            return await self.open_direct(await account_named(self._session, wanted.username))
        if isinstance(wanted, SelfTarget):
            return await self.open_direct(self._session.profile.account)
        key, now = name_key(wanted.name), time.monotonic()
        conversation, checked_at = self._checked.get(key, (None, 0.0))
        if conversation is None or now - checked_at > CHECKED_SECONDS:
            conversation = await self._find(wanted.name, offline=offline)
            self._checked[key] = (conversation, now)
        return conversation

    async def open_direct(self, account: AccountId) -> ConversationId:
        """Open the direct conversation with somebody, or with oneself; its id follows from both accounts."""
        one = self._session.profile.account
        conversation = ConversationId(UUID(bytes=direct_id(one.bytes, account.bytes)))
        with self._session.store.reading() as tx:
            known = conversations.select_conversation(tx, conversation)
        if known is None or known.role is None:
            body = to_json(NewDirect(conversation, account))
            made = await self._session.call(Request("POST", "/conversations/direct", body), Conversation)
            if made.id != conversation:
                raise ClientError("unexpected_answer", "another conversation was opened")
            local_log.keep(self._session.store, made)
        return conversation

    async def row(self, conversation: ConversationId) -> ConversationRow:
        """Give what the store knows of a conversation, asking the server when that is nothing."""
        with self._session.store.reading() as tx:
            known = conversations.select_conversation(tx, conversation)
        if known is None:
            await self.get(conversation)
            return await self.row(conversation)
        return known

    async def start(self) -> None:
        """On a profile that has just signed in: know the account's rooms, and listen from their heads on."""
        if self._session.profile.is_started:
            return
        async for found in self.all():
            try:
                local_log.keep(self._session.store, found, from_head=True)
            except ClientError as error:
                if error.code != "unsupported_target":
                    raise
            else:
                await self._introduce(found)
        with self._session.store.transaction() as tx:
            profile.update_started(tx)

    async def all(self) -> AsyncIterator[Conversation]:
        """Give the account's conversations, newest activity first."""
        query = {"limit": str(limits.PAGE_LIST)}
        while True:
            page = await self._session.call(Request("GET", "/conversations", query=query), ConversationPage)
            for found in page.conversations:
                yield found
            if page.next is None:
                return
            query["before"] = str(page.next)

    async def get(self, conversation: ConversationId, *, patience: float | None = None) -> Conversation:
        """Read one of the account's conversations and keep what it says; of a group, learn who is in it."""
        found = await fetch(self._session, conversation, patience=patience)
        local_log.keep(self._session.store, found)
        await self._introduce(found)
        return found

    async def create(self, new: NewConversation) -> Conversation:
        """Create a room or channel. If an answer was lost, one that is mine and not known here yet is taken for it."""
        request = Request("POST", "/conversations", to_json(new))
        with self._session.store.reading() as tx:
            before = conversations.select_cursors(tx).keys()
        try:
            made = decoded(await self._session.once(request), Conversation)
        except Unreachable:
            made = await self._made_again(new, before)
        local_log.keep(self._session.store, made)
        return made

    async def delete(self, conversation: ConversationId) -> None:
        """End a conversation for everybody in it; what is stored of it here stays."""
        await self._session.call(Request("DELETE", f"/conversations/{conversation}"), Nothing)
        local_log.leave(self._session.store, conversation)

    async def change(self, conversation: ConversationId, wanted: ConversationChange) -> Conversation:
        """Change what a room says of itself."""
        request = Request("PATCH", f"/conversations/{conversation}", to_json(wanted))
        found = await self._session.call(request, Conversation)
        local_log.keep(self._session.store, found)
        return found

    async def join(self, conversation: ConversationId) -> Conversation:
        """Enter a room; what is said from here on is listened to."""
        found = await self._session.call(Request("POST", f"/conversations/{conversation}/join"), Conversation)
        local_log.keep(self._session.store, found)
        return found

    async def leave(self, conversation: ConversationId) -> None:
        """Leave a room; what is stored of it stays."""
        await self._session.call(Request("POST", f"/conversations/{conversation}/leave"), Nothing)
        local_log.leave(self._session.store, conversation)

    async def members(self, conversation: ConversationId, role: Role | None = None) -> list[Member]:
        """List who is in a room, or who has one base role there."""
        found: list[Member] = []
        query = {"limit": str(limits.PAGE_LIST)} | ({"role": role} if role is not None else {})
        while True:
            request = Request("GET", f"/conversations/{conversation}/members", query=query)
            page = await self._session.call(request, MemberPage)
            found += page.members
            if page.next is None:
                local_log.keep_people(self._session.store, [member.person for member in found])
                return found
            query["after"] = str(page.next)

    async def member(self, conversation: ConversationId, account: AccountId) -> Member:
        """Read one member's place. Raises ClientError `not_found`."""
        query = {"after": str(UUID(int=max(account.int - 1, 0))), "limit": "1"}
        request = Request("GET", f"/conversations/{conversation}/members", query=query)
        for found in (await self._session.call(request, MemberPage)).members:
            if found.person.id == account:
                return found
        raise ClientError("not_found")

    async def _introduce(self, found: Conversation) -> None:
        if checks.has_chain(found):
            await learning.introduce(self._session, found.id)

    async def _find(self, name: str, *, offline: bool) -> ConversationId:
        with self._session.store.reading() as tx:
            known = conversations.select_named(tx, name)
        if known is not None:
            try:
                found = await self.get(known.conversation, patience=0 if offline else None)
            except Unreachable:
                if offline:
                    return known.conversation
                raise
            except ClientError as error:
                if error.code != "not_member":
                    raise
                local_log.leave(self._session.store, known.conversation)
            else:
                if name_key(found.name) == name_key(name):
                    return found.id
        page = await self._session.call(Request("GET", "/directory", query={"name": name}), DirectoryPage)
        if not page.rooms:
            raise ClientError("no_such_room", name)
        return page.rooms[0].id

    async def _made_again(self, new: NewConversation, before: Collection[ConversationId]) -> Conversation:
        """Give what was asked for and not answered; asked again where nothing came of it."""
        if (found := await self._made(new, before)) is not None:
            return found
        try:
            return await self._session.call(Request("POST", "/conversations", to_json(new)), Conversation)
        except ClientError as error:
            found = await self._made(new, before) if error.code == "name_taken" else None
            if found is None:
                raise
            return found

    async def _made(self, new: NewConversation, before: Collection[ConversationId]) -> Conversation | None:
        """Find what was asked for if it was made after all: one's own of that name, which was not there before."""
        account = self._session.profile.account
        async for found in self.all():
            is_mine = found.owner == account and found.kind == new.kind and found.id not in before
            if is_mine and name_key(found.name) == name_key(new.name):
                return found
        return None


async def fetch(session: Session, conversation: ConversationId, *, patience: float | None = None) -> Conversation:
    """Read one of the account's conversations."""
    return await session.call(Request("GET", f"/conversations/{conversation}"), Conversation, patience=patience)
