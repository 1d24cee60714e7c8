"""REST of drafts: translate, nothing else."""

from typing import Any

from aparte.server.drafts import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire.conversations import Draft
from aparte.wire.ids import ConversationId


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


class Doors:
    """`/conversations/{conversation}/draft`."""

    def __init__(self, db: Database) -> None:
        """Serve from this database."""
        self._db = db

    async def put(self, call: Call[Draft, Nothing]) -> None:
        """Keep what I am writing here, sealed; my other devices find it in the account state."""
        await actions.put(self._db, call.caller, conversation_of(call), call.body)

    async def remove(self, call: Call[Nothing, Nothing]) -> None:
        """Forget what I was writing here."""
        await actions.remove(self._db, call.caller, conversation_of(call))
