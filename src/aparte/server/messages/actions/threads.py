"""Threads: what has been said under a message, and who follows it; and what answers a message by quoting it."""

from aparte.server.conversations import actions as conversations
from aparte.server.conversations.model import Standing
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.server.messages import current, lists, rules, store
from aparte.server.messages import reactions as reaction_rows
from aparte.server.messages import threads as thread_rows
from aparte.server.state import actions as state
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID, LAST_ID, ConversationId, EntryId
from aparte.wire.messages import QuotePage, ThreadPage


async def threads(
    db: Database,
    caller: Caller,
    conversation: ConversationId,
    before: EntryId | None,
    limit: int,
    *,
    followed: bool,
) -> ThreadPage:
    """Page through roots of threads, the one with the newest reply first: all of them, or those that one follows."""
    async with db.read_log() as reader:
        standing = await _standing(reader, caller, conversation)
        return ThreadPage(*await lists.select_threads(reader, standing, before or LAST_ID, limit, followed=followed))


async def replies(
    db: Database, caller: Caller, conversation: ConversationId, message: EntryId, after: EntryId, limit: int
) -> QuotePage:
    """Page through what answers a message by quoting it; the message itself may be deleted."""
    async with db.read_log() as reader:
        standing = await _standing(reader, caller, conversation)
        if await current.select_message(reader, conversation, message, caller.account) is None:
            raise Refusal("not_found")
        found = await lists.select_quoting(reader, standing, message, after, limit)
    return QuotePage(found, found[-1].id if len(found) == limit else None)


async def follow(db: Database, caller: Caller, conversation: ConversationId, root: EntryId, *, on: bool) -> None:
    """Follow what is said under a message, or no longer; only one's own devices are told."""
    async with db.transaction() as tx:
        await conversations.authorise(tx, caller, conversation, "read")
        target = await store.select_target(tx, conversation, root)
        if target is None:
            raise Refusal("not_found")
        if target.is_reply:
            raise Refusal("invalid", "a reply is the root of no thread")
        if await thread_rows.upsert_follow(tx, caller.account, conversation, root, is_following=on):
            await state.put(tx, caller.account, f"thread:{conversation}:{root}", {"is_followed": on})


async def repair_counts(db: Database) -> int:
    """Count replies and reactions anew, one conversation after the other, and correct what is wrong (C-58)."""
    corrected, after = 0, ConversationId(FIRST_ID)
    while True:
        async with db.read_log() as reader:
            conversation = await thread_rows.select_busy(reader, after)
        if conversation is None:
            return corrected
        async with db.transaction() as tx:
            await log.lock(tx, conversation)
            corrected += await thread_rows.update_wrong(tx, conversation)
            corrected += await reaction_rows.update_wrong(tx, conversation)
        after = conversation


async def _standing(reader: Reader, caller: Caller, conversation: ConversationId) -> Standing:
    standing = await conversations.authorise(reader, caller, conversation, "read")
    rules.check_readable(standing)
    return standing
