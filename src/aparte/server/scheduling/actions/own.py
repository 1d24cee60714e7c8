"""What an author does with messages that are due later: add, list, change, take back."""

from dataclasses import replace
from datetime import timedelta

from aparte.server.accounts import actions as accounts
from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.scheduling import rules, store
from aparte.server.scheduling.model import KEPT_DAYS, Delivery, Outcome, ScheduledRow
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, ScheduledId, new_id
from aparte.wire.messages import NewScheduled, Scheduled, ScheduledChange, ScheduledList

STEP = 500


async def add(
    db: Database, delivery: Delivery, caller: Caller, conversation: ConversationId, given: NewScheduled
) -> Scheduled:
    """Keep a message until it is due; a repeat is kept once and answered with what became of the first.

    Refuses what could not be sent at this moment either, but for what only time decides (slow mode).
    """
    rules.check_form(given)
    async with db.read() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "post")
        repeat = await store.select_repeat(reader, caller.account, conversation, given.client_message_id)
    digest = rules.digest(conversation, given)
    if repeat is not None:
        rules.check_repeat(repeat, digest)
        return rules.shown(repeat)
    rules.check_mode(standing.mode, is_sealed=given.sealed is not None)
    due = rules.check_due(given.due, now(), is_sealed=given.sealed is not None)
    row = ScheduledRow(
        ScheduledId(new_id()),
        conversation,
        caller.account,
        caller.device,
        given.client_message_id,
        digest,
        due,
        "waiting",
        now(),
        given.message,
        given.sealed,
    )
    await _check(delivery, caller, row, given)
    return await _keep(db, caller, row)


async def mine(db: Database, caller: Caller, conversation: ConversationId) -> ScheduledList:
    """List what one has scheduled and was not sent: what waits, and what was refused until one puts it away."""
    async with db.read() as reader:
        await conversations.authorise(reader, caller, conversation, "read")
        rows = await store.select_own(reader, caller.account, conversation)
    return ScheduledList([rules.shown(row) for row in rows])


async def change(
    db: Database,
    delivery: Delivery,
    caller: Caller,
    place: tuple[ConversationId, ScheduledId],
    wanted: ScheduledChange,
) -> Scheduled:
    """Give a message another time or other words, or seal it again. Refuses with `over` once it is due."""
    conversation, scheduled = place
    async with db.read() as reader:
        await conversations.authorise(reader, caller, conversation, "read")
        known = _found(await store.select_scheduled(reader, caller.account, conversation, scheduled))
        await conversations.authorise(reader, caller, conversation, "post")
    before = rules.changed(known, wanted, now())
    await _check(delivery, caller, before, wanted)
    async with db.transaction() as tx:
        row = _found(await store.lock_scheduled(tx, caller.account, conversation, scheduled))
        row = rules.changed(row, wanted, now())
        if wanted.sealed is not None:
            row = replace(row, device=caller.device)
        await store.update_scheduled(tx, row)
        await _tell(tx, row)
    return rules.shown(row)


async def cancel(db: Database, caller: Caller, conversation: ConversationId, scheduled: ScheduledId) -> None:
    """Take a message back, or put one away that was refused. Refuses with `over` once it is due.

    Its author may after leaving the conversation too: it is theirs.
    """
    async with db.transaction() as tx:
        found = await store.lock_scheduled(tx, caller.account, conversation, scheduled)
        if found is None:
            await conversations.authorise(tx, caller, conversation, "read")
        row = _found(found)
        if row.status == "cancelled":
            return
        rules.check_removable(row, now())
        await store.update_outcome(tx, scheduled, Outcome("cancelled"))
        await _tell(tx, replace(row, status="cancelled"))


async def forget_over(tx: Tx) -> int:
    """Forget a batch of what is long over; a job repeats it until it returns 0."""
    gone = await store.delete_over(tx, now() - timedelta(days=KEPT_DAYS), STEP)
    for row in sorted(gone, key=lambda row: row.account):
        if row.status == "refused":
            await state.put(tx, row.account, key_of(row), None)
    return len(gone)


def key_of(row: ScheduledRow) -> str:
    """Name a scheduled message in the account state."""
    return f"scheduled:{row.id}"


async def _keep(db: Database, caller: Caller, row: ScheduledRow) -> Scheduled:
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        repeat = await store.select_repeat(tx, caller.account, row.conversation, row.client_message_id)
        if repeat is not None:
            rules.check_repeat(repeat, row.digest)
            return rules.shown(repeat)
        if await store.count_open(tx, caller.account, row.conversation) >= limits.SCHEDULED:
            raise Refusal("too_many", f"{limits.SCHEDULED} messages wait in this conversation")
        await store.insert_scheduled(tx, row)
        await _tell(tx, row)
    return rules.shown(row)


async def _check(delivery: Delivery, caller: Caller, row: ScheduledRow, given: NewScheduled | ScheduledChange) -> None:
    """Refuse words that nobody may say, and what is sealed for other readers than those of this moment."""
    if given.message is not None:
        delivery.check(given.message)
    if given.sealed is not None:
        entry = rules.entry_of(given.sealed, row.client_message_id)
        await delivery.check_sealed(caller, row.conversation, entry, row.due)


def _found(row: ScheduledRow | None) -> ScheduledRow:
    if row is None:
        raise Refusal("not_found")
    return row


async def _tell(tx: Tx, row: ScheduledRow) -> None:
    """Let the author's own devices know."""
    await state.put(tx, row.account, key_of(row), rules.state_of(row))
