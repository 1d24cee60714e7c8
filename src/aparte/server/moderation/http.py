"""REST of decisions and flags: translate, nothing else."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.moderation import actions
from aparte.server.moderation.model import Send
from aparte.wire import limits
from aparte.wire.ids import LAST_ID, ConversationId, EntryId, HeldId
from aparte.wire.moderation import Decision, Flag, FlaggedPage, Held


class FlaggedQuery(msgspec.Struct, frozen=True):
    """`before` is the oldest message of the page before."""

    before: EntryId = LAST_ID
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_LIST)] = 50


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


def place_of(call: Call[Any, Any]) -> tuple[ConversationId, EntryId]:
    """Read conversation and message off the path."""
    return conversation_of(call), EntryId(call.id("message"))


class Doors:
    """`…/held/{held}/decision`, `…/messages/{message}/flag`, `…/flags` of a conversation."""

    def __init__(self, db: Database, send: Send) -> None:
        """Keep what the actions need."""
        self._db = db
        self._send = send

    async def decide(self, call: Call[Decision, Nothing]) -> Held:
        """Let a message through that waits, or reject it."""
        held = HeldId(call.id("held"))
        return await actions.decide(self._db, self._send, call.caller, conversation_of(call), held, call.body)

    async def flag(self, call: Call[Flag, Nothing]) -> None:
        """Tell moderators of a message."""
        await actions.flag(self._db, call.caller, *place_of(call), call.body)

    async def unflag(self, call: Call[Nothing, Nothing]) -> None:
        """Take my flag of a message back."""
        await actions.unflag(self._db, call.caller, *place_of(call))

    async def flagged(self, call: Call[Nothing, FlaggedQuery]) -> FlaggedPage:
        """Page through the flagged messages of a conversation."""
        query = call.query
        return await actions.flagged(self._db, call.caller, conversation_of(call), query.before, query.limit)
