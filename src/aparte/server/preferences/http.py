"""REST of preferences: translate, nothing else."""

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.preferences import actions
from aparte.wire.conversations import Preferences, PreferencesChange
from aparte.wire.ids import ConversationId


class Doors:
    """`/conversations/{conversation}/preferences`."""

    def __init__(self, db: Database) -> None:
        """Serve from this database."""
        self._db = db

    async def get(self, call: Call[Nothing, Nothing]) -> Preferences:
        """What one has set for oneself in a conversation: notifications, pin, archive, labels."""
        return await actions.get(self._db, call.caller, ConversationId(call.id("conversation")))

    async def change(self, call: Call[PreferencesChange, Nothing]) -> Preferences:
        """Change what one has set for oneself in a conversation; nobody else sees it."""
        return await actions.change(self._db, call.caller, ConversationId(call.id("conversation")), call.body)
