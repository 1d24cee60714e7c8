"""REST of messages: translate, nothing else."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.pages import Where
from aparte.server.messages.writer import Writer
from aparte.wire import limits
from aparte.wire.content import Emoji
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import FIRST_ID, ClientMessageId, ConversationId, EntryId
from aparte.wire.messages import (
    ChangeMessage,
    EntryPage,
    Follow,
    History,
    Mentioned,
    Message,
    MessagePage,
    PinList,
    PinMessage,
    PostMessage,
    QuotePage,
    React,
    ReactorPage,
    RestoreMessage,
    Sent,
    ThreadPage,
)
from aparte.wire.sealed import SealEntry


class PageQuery(msgspec.Struct, frozen=True):
    """At most one of `before`, `after`, `around`; none means the newest page. `tombstones` keeps deleted ones in.

    `thread`: of what was said under this message, instead of all that was said.
    """

    before: EntryId | None = None
    after: EntryId | None = None
    around: EntryId | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_MESSAGES)] = 50
    tombstones: bool = False
    thread: EntryId | None = None


class EntriesQuery(msgspec.Struct, frozen=True):
    """`after` is the last entry one has."""

    after: EntryId = FIRST_ID
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_ENTRIES)] = 200


class DeleteQuery(msgspec.Struct, frozen=True):
    """For whom; a deletion for everyone takes a client id, as everything that takes a position does."""

    scope: Literal["everyone", "me"] = "everyone"
    client_message_id: ClientMessageId | None = None


class ReactorsQuery(msgspec.Struct, frozen=True):
    """Who has set `emoji`; `after` is `next` of the page before."""

    emoji: Emoji
    after: EntryId = FIRST_ID


class RepliesQuery(msgspec.Struct, frozen=True):
    """`after` is `next` of the page before."""

    after: EntryId = FIRST_ID
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_MESSAGES)] = 50


class MentionsQuery(msgspec.Struct, frozen=True):
    """`before` is `next` of the page before."""

    before: EntryId | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_MESSAGES)] = 50


class ThreadsQuery(MentionsQuery, frozen=True):
    """`before` is `next` of the page before; `followed` leaves out what the caller does not follow."""

    followed: bool = False


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


def message_of(call: Call[Any, Any]) -> EntryId:
    """Read the message's id off the path."""
    return EntryId(call.id("message"))


class Doors:
    """REST of messages."""

    def __init__(self, db: Database, writer: Writer, coverage: Coverage) -> None:
        """Keep what the actions need."""
        self._db = db
        self._writer = writer
        self._coverage = coverage

    async def send(self, call: Call[PostMessage, Nothing]) -> Sent:
        """Store a message. It has a `client_message_id`, or the header `Idempotency-Key`, or a `client_random`."""
        return await actions.post(self._writer, call.caller, conversation_of(call), call.body, call.idempotency_key)

    async def seal(self, call: Call[SealEntry, Nothing]) -> Sent:
        """Store a sealed entry."""
        conversation = conversation_of(call)
        return await actions.seal(self._db, self._writer, self._coverage, call.caller, conversation, call.body)

    async def distribute(self, call: Call[Distributions, Nothing]) -> None:
        """Keep what devices need to read one of my chains."""
        await actions.distribute(self._db, self._coverage, call.caller, conversation_of(call), call.body)

    async def page(self, call: Call[Nothing, PageQuery]) -> MessagePage:
        """Read messages as they are now, in order of time."""
        query = call.query
        if sum(place is not None for place in (query.before, query.after, query.around)) > 1:
            raise Refusal("invalid", "at most one of before, after, around")
        where = Where(query.before, query.after, query.around, query.tombstones, query.thread)
        return await actions.page(self._db, call.caller, conversation_of(call), where, query.limit)

    async def entries(self, call: Call[Nothing, EntriesQuery]) -> EntryPage:
        """Read the log as it was written."""
        query = call.query
        return await actions.entries(self._db, call.caller, conversation_of(call), query.after, query.limit)

    async def get(self, call: Call[Nothing, Nothing]) -> Message:
        """Read one message."""
        return await actions.get(self._db, call.caller, conversation_of(call), message_of(call))

    async def edit(self, call: Call[ChangeMessage, Nothing]) -> Sent:
        """Change one of my messages."""
        return await actions.edit(self._db, call.caller, conversation_of(call), message_of(call), call.body)

    async def delete(self, call: Call[Nothing, DeleteQuery]) -> Sent | None:
        """Delete a message for everyone, or only for me (no answer)."""
        conversation, message = conversation_of(call), message_of(call)
        if call.query.scope == "me":
            await actions.hide(self._db, call.caller, conversation, message)
            return None
        if call.query.client_message_id is None:
            raise Refusal("invalid", "client_message_id is missing")
        return await actions.delete(self._db, call.caller, conversation, message, call.query.client_message_id)

    async def restore(self, call: Call[RestoreMessage, Nothing]) -> Sent:
        """Take back a deletion for everyone."""
        conversation, message = conversation_of(call), message_of(call)
        return await actions.restore(self._db, call.caller, conversation, message, call.body.client_message_id)

    async def history(self, call: Call[Nothing, Nothing]) -> History:
        """Read every version of a message."""
        return await actions.history(self._db, call.caller, conversation_of(call), message_of(call))

    async def react(self, call: Call[React, Nothing]) -> Sent | None:
        """Set a reaction, or take it back; no answer where there was none to take back."""
        return await actions.react(self._db, call.caller, conversation_of(call), message_of(call), call.body)

    async def reactors(self, call: Call[Nothing, ReactorsQuery]) -> ReactorPage:
        """Read who has set an emoji under a message."""
        conversation, message, query = conversation_of(call), message_of(call), call.query
        return await actions.reactors(self._db, call.caller, conversation, message, query.emoji, query.after)

    async def pin(self, call: Call[PinMessage, Nothing]) -> Sent | None:
        """Pin a message for everybody, or unpin it; no answer where it was not pinned."""
        return await actions.pin(self._db, call.caller, conversation_of(call), message_of(call), call.body)

    async def pinned(self, call: Call[Nothing, Nothing]) -> PinList:
        """Read what is pinned."""
        return await actions.pinned(self._db, call.caller, conversation_of(call))

    async def replies(self, call: Call[Nothing, RepliesQuery]) -> QuotePage:
        """Read what answers a message by quoting it."""
        conversation, message, query = conversation_of(call), message_of(call), call.query
        return await actions.replies(self._db, call.caller, conversation, message, query.after, query.limit)

    async def threads(self, call: Call[Nothing, ThreadsQuery]) -> ThreadPage:
        """Read the threads of a conversation, the one with the newest reply first."""
        query, conversation = call.query, conversation_of(call)
        return await actions.threads(
            self._db, call.caller, conversation, query.before, query.limit, followed=query.followed
        )

    async def follow(self, call: Call[Follow, Nothing]) -> None:
        """Follow what is said under a message, or no longer."""
        await actions.follow(self._db, call.caller, conversation_of(call), message_of(call), on=call.body.on)

    async def mentions(self, call: Call[Nothing, MentionsQuery]) -> Mentioned:
        """Read what mentions me, from all of my conversations."""
        return await actions.mentions(self._db, call.caller, call.query.before, call.query.limit)
