"""Edit, delete, restore, hide: one transaction each, under the head's lock, in the order of `aiming`."""

from dataclasses import replace

from aparte.server.conversations import actions as conversations
from aparte.server.filters import actions as filters
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import content, expiry, pages, referenced, rules, store, threads
from aparte.server.messages.actions.aiming import append, begin, sent
from aparte.server.messages.actions.compose import revise
from aparte.server.messages.actions.pin import keep_pins_few
from aparte.server.messages.model import Change, Repeat
from aparte.server.state import actions as state
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId
from aparte.wire.messages import ChangeMessage, Sent


async def edit(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, change: ChangeMessage
) -> Sent:
    """Change one's own message; the earlier version stays in the history."""
    content.check(change.content)
    wanted = Change(conversation, message, change.client_message_id, kinds.EDIT, change.content)
    async with db.transaction() as tx:
        target = await begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return sent(conversation, target.position)
        standing = await conversations.authorise(tx, caller, conversation, "post")
        rules.check_edit(target, caller.account)
        before = await pages.select_content(tx, conversation, message)
        words, source = await revise(tx, caller.account, conversation, change.content, before)
        await filters.check_edit(tx, standing, words)
        at = await append(tx, caller, replace(wanted, stored=words), target)
        await store.update_edited(tx, conversation, message, at.id)
        await expiry.delete_mentions(tx, conversation, message)
        await referenced.insert_mentions(tx, conversation, message, words.mentions)
        if source is not None:
            await referenced.insert_source(tx, conversation, at.id, source)
        return sent(conversation, at)


async def delete(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, client_message_id: ClientMessageId
) -> Sent:
    """Delete a message for everyone: by its author, or by whoever may manage messages."""
    wanted = Change(conversation, message, client_message_id, kinds.DELETION, kinds.Switch(on=True))
    async with db.transaction() as tx:
        target = await begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return sent(conversation, target.position)
        own = target.account == caller.account
        await conversations.authorise(tx, caller, conversation, "retract" if own else "manage_messages")
        rules.check_delete(target)
        at = await append(tx, caller, wanted, target)
        await store.update_deleted(tx, conversation, message, at.id)
        await log.count(tx, conversation, -1)
        await threads.update_count(tx, conversation, message, -1)
        return sent(conversation, at)


async def restore(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, client_message_id: ClientMessageId
) -> Sent:
    """Take a deletion for everyone back within 30 days: by who deleted, or by whoever may manage messages."""
    wanted = Change(conversation, message, client_message_id, kinds.DELETION, kinds.Switch(on=False))
    async with db.transaction() as tx:
        target = await begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return sent(conversation, target.position)
        own = target.deleted_by == caller.account
        await conversations.authorise(tx, caller, conversation, "post" if own else "manage_messages")
        rules.check_restore(target, now())
        await store.update_deleted(tx, conversation, message, None)
        words = await pages.select_content(tx, conversation, message)
        at = await append(tx, caller, wanted, target, shown=kinds.Switch(on=False, content=words))
        await log.count(tx, conversation, 1)
        await threads.update_count(tx, conversation, message, 1)
        await keep_pins_few(tx, caller, conversation, target)
        return sent(conversation, at)


async def hide(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> None:
    """Delete a message for oneself only: no position, no trace for others, known to one's own devices."""
    async with db.transaction() as tx:
        await conversations.authorise(tx, caller, conversation, "read")
        target = await store.select_target(tx, conversation, message)
        if target is None:
            raise Refusal("not_found")
        if await store.insert_hidden(tx, caller.account, conversation, message, target.ordinal):
            await state.put(tx, caller.account, f"hidden:{conversation}:{message}", {"hidden": True})
