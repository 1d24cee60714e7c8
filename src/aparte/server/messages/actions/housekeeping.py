"""What time takes away: the words of deleted messages after 30 days, and the memory of client ids."""

from datetime import timedelta

from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import store
from aparte.server.messages.model import DEDUP_DAYS, RECOVERY_DAYS
from aparte.wire.ids import first_id_at

STEP = 500


async def erase_deleted(db: Database) -> int:
    """Empty messages whose recovery window is over, with their edits; their skeletons stay. Counts messages."""
    border = first_id_at(now() - timedelta(days=RECOVERY_DAYS))
    erased = 0
    while True:
        async with db.read() as reader:
            due = await store.select_erasable(reader, border, STEP)
        for conversation, message in due:
            async with db.transaction() as tx:
                await log.lock(tx, conversation)
                await store.update_erased(tx, conversation, message)
                await log.erase_edits(tx, conversation, message)
                erased += 1
        if len(due) < STEP:
            return erased


async def forget_sends(db: Database) -> int:
    """Forget client ids older than 30 days, in steps that hold no lock for long."""
    border = first_id_at(now() - timedelta(days=DEDUP_DAYS))
    forgotten = 0
    while True:
        async with db.transaction() as tx:
            step = await store.delete_sends(tx, border, STEP * 10)
        forgotten += step
        if step < STEP * 10:
            return forgotten
