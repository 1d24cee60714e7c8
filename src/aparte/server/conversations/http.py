"""REST of conversations: translate, nothing else."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from aparte.server.conversations import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire import limits
from aparte.wire.conversations import (
    Conversation,
    ConversationChange,
    ConversationPage,
    DirectoryPage,
    MemberPage,
    NewConversation,
    RoleChange,
)
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.keys import NewDirect

Limit = Annotated[int, Meta(ge=1, le=limits.PAGE_LIST)]


class ListQuery(msgspec.Struct, frozen=True):
    """`before` is the `next` of the page before."""

    before: EntryId | None = None
    limit: Limit = 50


class DirectoryQuery(msgspec.Struct, frozen=True):
    """`name` finds exactly one room, `query` those whose name contains it; `after` is the `next` of the page before."""

    name: Annotated[str, Meta(max_length=limits.ROOM_NAME)] | None = None
    query: Annotated[str, Meta(max_length=limits.ROOM_NAME)] | None = None
    after: Annotated[str, Meta(max_length=400)] = ""
    limit: Limit = 50


class MembersQuery(msgspec.Struct, frozen=True):
    """`after` is the `next` of the page before."""

    after: AccountId | None = None
    limit: Limit = 100


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


class Doors:
    """REST of conversations."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def create(self, call: Call[NewConversation, Nothing]) -> Conversation:
        """Create a public room."""
        return await actions.create(self._db, call.caller, call.body)

    async def open_direct(self, call: Call[NewDirect, Nothing]) -> Conversation:
        """Open the direct conversation with somebody, or one's notes to oneself; opening twice is opening once."""
        return await actions.open_direct(self._db, call.caller, call.body)

    async def mine(self, call: Call[Nothing, ListQuery]) -> ConversationPage:
        """List my conversations, newest activity first."""
        return await actions.mine(self._db, call.caller, call.query.before, call.query.limit)

    async def get(self, call: Call[Nothing, Nothing]) -> Conversation:
        """Read one of my conversations."""
        return await actions.get(self._db, call.caller, conversation_of(call))

    async def change(self, call: Call[ConversationChange, Nothing]) -> Conversation:
        """Change name, topic or description."""
        return await actions.change(self._db, call.caller, conversation_of(call), call.body)

    async def directory(self, call: Call[Nothing, DirectoryQuery]) -> DirectoryPage:
        """Find public rooms."""
        query = call.query
        return await actions.directory(
            self._db, call.caller, name=query.name, query=query.query, after=query.after, limit=query.limit
        )

    async def join(self, call: Call[Nothing, Nothing]) -> Conversation:
        """Join a public room; joining twice is joining once."""
        return await actions.join(self._db, call.caller, conversation_of(call))

    async def leave(self, call: Call[Nothing, Nothing]) -> None:
        """Leave; an owner's room passes on."""
        await actions.leave(self._db, call.caller, conversation_of(call))

    async def members(self, call: Call[Nothing, MembersQuery]) -> MemberPage:
        """List the current members."""
        query = call.query
        return await actions.members(self._db, call.caller, conversation_of(call), query.after, query.limit)

    async def change_role(self, call: Call[RoleChange, Nothing]) -> None:
        """Give a member another role."""
        account = AccountId(call.id("account"))
        await actions.change_role(self._db, call.caller, conversation_of(call), account, call.body.role)

    async def remove(self, call: Call[Nothing, Nothing]) -> None:
        """Remove a member."""
        await actions.remove(self._db, call.caller, conversation_of(call), AccountId(call.id("account")))
