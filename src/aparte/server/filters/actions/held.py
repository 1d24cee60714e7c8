"""What waits for a moderator, and when it is forgotten."""

from dataclasses import replace
from datetime import timedelta

from aparte.server.conversations import actions as conversations
from aparte.server.filters import rules, store
from aparte.server.filters.actions.telling import tell_author
from aparte.server.filters.model import KEPT_DAYS
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.wire import limits
from aparte.wire.ids import ConversationId, HeldId
from aparte.wire.moderation import HeldList

STEP = 500


async def held(db: Database, caller: Caller, conversation: ConversationId, after: HeldId) -> HeldList:
    """List what waits or was rejected, the oldest first, a page at most: everybody's to moderators, one's own to
    members."""
    async with db.read() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        rules.check_readable(standing)
        is_moderator = rules.moderates(standing)
        whose = None if is_moderator else caller.account
        rows = await store.select_held(reader, conversation, whose, after, limits.PAGE_LIST)
    given = [(row, row.message) for row in rows]
    return HeldList([rules.shown(row, message, to_moderator=is_moderator) for row, message in given if message])


async def forget_over(tx: Tx) -> int:
    """Forget a batch of what was decided long ago, or waits where nobody is; a job repeats it until it returns 0."""
    gone = await store.delete_over(tx, now() - timedelta(days=KEPT_DAYS), STEP)
    gone += await store.delete_closed(tx, STEP)
    for row in sorted(gone, key=lambda row: row.account):
        if row.message is not None:
            await tell_author(tx, replace(row, message=None))
    return len(gone)
