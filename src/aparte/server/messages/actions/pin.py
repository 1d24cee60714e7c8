"""Pin a message for everybody, or unpin it; and what is pinned. Under the head's lock, as every change."""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.server.messages import lists, marks, pins, rules
from aparte.server.messages.actions.aiming import append, begin, sent
from aparte.server.messages.model import Change, Repeat, Target
from aparte.wire import kinds, limits
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.messages import PinList, PinMessage, Sent


async def pin(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, wanted: PinMessage
) -> Sent | None:
    """Pin a message, or unpin it. What is so already writes nothing: the answer is where the pin is, if there is one.

    Only what is there is pinned; unpinned is also what has been deleted since.
    """
    change = Change(conversation, message, wanted.client_message_id, kinds.PIN, kinds.Switch(on=wanted.on))
    async with db.transaction() as tx:
        target = await begin(tx, caller, change)
        if isinstance(target, Repeat):
            return sent(conversation, target.position)
        await conversations.authorise(tx, caller, conversation, "pin")
        if wanted.on:
            rules.check_there(target)
        place = await pins.select_place(tx, conversation, message)
        if (place is not None) == wanted.on:
            return sent(conversation, place) if place else None
        if wanted.on:
            marks.check_pins(await lists.count_pins(tx, conversation))
        at = await append(tx, caller, change, target)
        if wanted.on:
            await pins.insert(tx, conversation, message, caller.account, at.id)
        else:
            await pins.delete(tx, conversation, message)
        return sent(conversation, at)


async def pinned(db: Database, caller: Caller, conversation: ConversationId) -> PinList:
    """Read what is pinned, the newest pin first, without what is deleted, expired or hidden from the reader."""
    async with db.read_log() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        rules.check_readable(standing)
        return PinList(await lists.select_pinned(reader, standing))


async def keep_pins_few(tx: Tx, caller: Caller, conversation: ConversationId, restored: Target) -> None:
    """Unpin a message that has come back where others have taken its place: there are never too many pins."""
    if await pins.select_place(tx, conversation, restored.position.id) is None:
        return
    if await lists.count_pins(tx, conversation) <= limits.PINS:
        return
    body = kinds.Switch(on=False)
    entry = NewEntry(conversation, kinds.PIN, caller.account, body, caller.device, target=restored.position)
    await log.append(tx, entry)
    await pins.delete(tx, conversation, restored.position.id)
