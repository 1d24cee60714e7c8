"""What the world may ask of receipts."""

from datetime import timedelta

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToConversation
from aparte.server.messages import actions as messages
from aparte.server.receipts import store
from aparte.server.receipts.model import KEEP_DAYS, ROWS_UP_TO, TELL_UP_TO, Mark
from aparte.server.state import actions as state
from aparte.wire.conversations import ReceiptList
from aparte.wire.frames import Receipts
from aparte.wire.ids import ConversationId, EntryId

STEP = 5_000


async def mark(db: Database, wanted: Mark) -> None:
    """Record that a device has stored, or its owner has read, up to an entry of the conversation.

    A mark that says nothing new changes nothing; one of a former member or of a foreign entry is refused (404).
    """
    caller, conversation = wanted.caller, wanted.conversation
    async with db.transaction() as tx:
        standing = await conversations.authorise(tx, caller, conversation, "read")
        place, ordinal = await messages.place_of(tx, conversation, wanted.up_to.id)
        if wanted.kind == "read":
            moved = await conversations.move_read_mark(tx, conversation, caller.account, place, ordinal)
            if moved:
                value = {"seq": place.seq, "id": str(place.id)}
                await state.put(tx, caller.account, f"read:{conversation}", value)
        if standing.member_count > ROWS_UP_TO:
            return
        new = await store.insert_receipt(tx, conversation, wanted.kind, caller.device, place.seq)
        if new and standing.member_count <= TELL_UP_TO:
            tx.ring(ToConversation(conversation, Receipts(conversation, caller.account, wanted.kind, place.seq)))


async def of_message(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> ReceiptList:
    """Tell who has received and read a message, and when."""
    async with db.read() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        place, _ = await messages.place_of(reader, conversation, message)
        readers = await store.select_readers(reader, conversation, place.seq)
        if standing.member_count > ROWS_UP_TO:
            return ReceiptList([], readers)
        return ReceiptList(await store.select_receipts(reader, conversation, place.seq), readers)


async def collapse(db: Database) -> int:
    """Forget old receipts that later ones imply, in steps."""
    gone = 0
    while True:
        async with db.transaction() as tx:
            step = await store.delete_collapsed(tx, now() - timedelta(days=KEEP_DAYS), STEP)
        gone += step
        if step < STEP:
            return gone
