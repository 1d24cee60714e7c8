"""REST of scheduled messages: translate, nothing else."""

from typing import Any

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.scheduling import actions
from aparte.server.scheduling.model import Delivery
from aparte.wire.ids import ConversationId, ScheduledId
from aparte.wire.messages import NewScheduled, Scheduled, ScheduledChange, ScheduledList


def conversation_of(call: Call[Any, Any]) -> ConversationId:
    """Read the conversation's id off the path."""
    return ConversationId(call.id("conversation"))


def place_of(call: Call[Any, Any]) -> tuple[ConversationId, ScheduledId]:
    """Read conversation and scheduled message off the path."""
    return conversation_of(call), ScheduledId(call.id("scheduled"))


class Doors:
    """`/conversations/{conversation}/scheduled`."""

    def __init__(self, db: Database, delivery: Delivery) -> None:
        """Keep what the actions need."""
        self._db = db
        self._delivery = delivery

    async def add(self, call: Call[NewScheduled, Nothing]) -> Scheduled:
        """Schedule a message."""
        return await actions.add(self._db, self._delivery, call.caller, conversation_of(call), call.body)

    async def mine(self, call: Call[Nothing, Nothing]) -> ScheduledList:
        """List my scheduled messages of a conversation that were not sent."""
        return await actions.mine(self._db, call.caller, conversation_of(call))

    async def change(self, call: Call[ScheduledChange, Nothing]) -> Scheduled:
        """Change one of my scheduled messages, or seal it again."""
        return await actions.change(self._db, self._delivery, call.caller, place_of(call), call.body)

    async def cancel(self, call: Call[Nothing, Nothing]) -> None:
        """Take one of my scheduled messages back."""
        await actions.cancel(self._db, call.caller, *place_of(call))
