"""REST of word lists and of messages that wait: translate, nothing else."""

from typing import Any
from uuid import UUID

import msgspec

from aparte.server.filters import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire.ids import ConversationId, HeldId
from aparte.wire.moderation import HeldList, WordList


class HeldQuery(msgspec.Struct, frozen=True):
    """`after` is the last one of the page before; pages are of 100."""

    after: HeldId = HeldId(UUID(int=0))


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


class Doors:
    """`/words`, `/conversations/{conversation}/words`, `/conversations/{conversation}/held`."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def words(self, call: Call[Nothing, Nothing]) -> WordList:
        """Read which words a conversation does not want."""
        return await actions.words(self._db, call.caller, conversation_of(call))

    async def put_words(self, call: Call[WordList, Nothing]) -> WordList:
        """Say which words a conversation does not want."""
        return await actions.put_words(self._db, call.caller, conversation_of(call), call.body)

    async def server_words(self, call: Call[Nothing, Nothing]) -> WordList:
        """Read which words are wanted nowhere."""
        return await actions.server_words(self._db, call.caller)

    async def put_server_words(self, call: Call[WordList, Nothing]) -> WordList:
        """Say which words are wanted nowhere."""
        return await actions.put_server_words(self._db, call.caller, call.body)

    async def held(self, call: Call[Nothing, HeldQuery]) -> HeldList:
        """List messages that wait for a moderator, or were rejected."""
        return await actions.held(self._db, call.caller, conversation_of(call), call.query.after)

    async def withdraw(self, call: Call[Nothing, Nothing]) -> None:
        """Take one of my messages back that waits."""
        await actions.withdraw(self._db, call.caller, conversation_of(call), HeldId(call.id("held")))
