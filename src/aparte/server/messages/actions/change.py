"""Edit, delete, restore, hide: one transaction each, under the head's lock.

The order of every one: repeat? · the message · may I? · the entry · the message's row · remember the client id.
"""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.server.messages import pages, rules, store
from aparte.server.messages.model import Change, Repeat, Target
from aparte.server.state import actions as state
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, Position, time_of
from aparte.wire.messages import ChangeMessage, Sent


async def edit(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, change: ChangeMessage
) -> Sent:
    """Change one's own message; the earlier version stays in the history."""
    rules.check_content(change.content)
    wanted = Change(conversation, message, change.client_message_id, kinds.EDIT, change.content)
    async with db.transaction() as tx:
        target = await _begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return _sent(conversation, target.position)
        await conversations.authorise(tx, caller, conversation, "post")
        rules.check_edit(target, caller.account)
        at = await _append(tx, caller, wanted, target)
        await store.update_edited(tx, conversation, message, at.id)
        return _sent(conversation, at)


async def delete(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, client_message_id: ClientMessageId
) -> Sent:
    """Delete a message for everyone: by its author, or by whoever may manage messages."""
    wanted = Change(conversation, message, client_message_id, kinds.DELETION, kinds.Switch(on=True))
    async with db.transaction() as tx:
        target = await _begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return _sent(conversation, target.position)
        own = target.account == caller.account
        await conversations.authorise(tx, caller, conversation, "post" if own else "manage_messages")
        rules.check_delete(target)
        at = await _append(tx, caller, wanted, target)
        await store.update_deleted(tx, conversation, message, at.id)
        await log.count(tx, conversation, -1)
        return _sent(conversation, at)


async def restore(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, client_message_id: ClientMessageId
) -> Sent:
    """Take a deletion for everyone back within 30 days: by who deleted, or by whoever may manage messages."""
    wanted = Change(conversation, message, client_message_id, kinds.DELETION, kinds.Switch(on=False))
    async with db.transaction() as tx:
        target = await _begin(tx, caller, wanted)
        if isinstance(target, Repeat):
            return _sent(conversation, target.position)
        own = target.deleted_by == caller.account
        await conversations.authorise(tx, caller, conversation, "post" if own else "manage_messages")
        rules.check_restore(target, now())
        await store.update_deleted(tx, conversation, message, None)
        content = await pages.select_content(tx, conversation, message)
        at = await _append(tx, caller, wanted, target, shown=kinds.Switch(on=False, content=content))
        await log.count(tx, conversation, 1)
        return _sent(conversation, at)


async def hide(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> None:
    """Delete a message for oneself only: no position, no trace for others, known to one's own devices."""
    async with db.transaction() as tx:
        await conversations.authorise(tx, caller, conversation, "read")
        target = await store.select_target(tx, conversation, message)
        if target is None:
            raise Refusal("not_found")
        if await store.insert_hidden(tx, caller.account, conversation, message, target.ordinal):
            await state.put(tx, caller.account, f"hidden:{conversation}:{message}", {"hidden": True})


async def _begin(tx: Tx, caller: Caller, wanted: Change) -> Target | Repeat:
    """Lock the conversation; find what this client id did before, or the message to change.

    Somebody who is no member learns nothing: `authorise` is asked before any rule about the message answers.
    """
    await log.lock(tx, wanted.conversation)
    repeat = await store.select_repeat(tx, wanted.conversation, caller.device, wanted.client_message_id)
    if repeat is not None:
        rules.check_repeat(repeat, rules.digest_of(wanted))
        return repeat
    rules.check_readable(await conversations.authorise(tx, caller, wanted.conversation, "read"))
    target = await store.select_target(tx, wanted.conversation, wanted.message)
    if target is None:
        raise Refusal("not_found")
    return target


async def _append(tx: Tx, caller: Caller, wanted: Change, target: Target, shown: object = None) -> Position:
    entry = NewEntry(
        wanted.conversation,
        wanted.kind,
        caller.account,
        wanted.body,
        caller.device,
        wanted.client_message_id,
        target.position,
    )
    at = await log.append(tx, entry, shown)
    done = Repeat(at, rules.digest_of(wanted))
    await store.insert_send(tx, wanted.conversation, caller.device, wanted.client_message_id, done)
    return at


def _sent(conversation: ConversationId, at: Position) -> Sent:
    return Sent(conversation, at.seq, at.id, time_of(at.id))
