"""REST of receipts: translate, nothing else."""

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.receipts import actions
from aparte.server.receipts.model import Mark as Marked
from aparte.wire.conversations import Mark, ReceiptList
from aparte.wire.ids import ConversationId, EntryId


class Doors:
    """REST of receipts."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def read(self, call: Call[Mark, Nothing]) -> None:
        """I have read up to here."""
        conversation = ConversationId(call.id("conversation"))
        await actions.read(self._db, Marked(call.caller, conversation, "read", call.body.up_to))

    async def delivered(self, call: Call[Mark, Nothing]) -> None:
        """This device has stored everything up to here."""
        conversation = ConversationId(call.id("conversation"))
        await actions.delivered_to(self._db, Marked(call.caller, conversation, "delivered", call.body.up_to))

    async def of_message(self, call: Call[Nothing, Nothing]) -> ReceiptList:
        """Tell who has received and read a message."""
        conversation, message = ConversationId(call.id("conversation")), EntryId(call.id("message"))
        return await actions.of_message(self._db, call.caller, conversation, message)
