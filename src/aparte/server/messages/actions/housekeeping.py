"""What time takes away: the words of deleted messages after 30 days, the memory of client ids, envelopes."""

from collections.abc import Sequence
from datetime import timedelta

from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import sealed, store
from aparte.server.messages.model import DEDUP_DAYS, ENVELOPE_DAYS, RECOVERY_DAYS, Acknowledged
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


async def forget_acknowledged(db: Database, marks: Sequence[Acknowledged]) -> int:
    """Erase envelopes that every device has acknowledged.

    In a transaction after the one that wrote the marks: of two devices that acknowledge at once the later one to commit
    sees both marks.
    """
    if not marks:
        return 0
    async with db.transaction() as tx:
        return await sealed.delete_acknowledged(tx, marks)


async def forget_envelopes(db: Database) -> int:
    """Erase envelopes that have waited 60 days, whoever has not come for them."""
    border = first_id_at(now() - timedelta(days=ENVELOPE_DAYS))
    gone = 0
    while True:
        async with db.transaction() as tx:
            step = await sealed.delete_envelopes(tx, border, STEP * 10)
        gone += step
        if step < STEP * 10:
            return gone
