"""What time takes away: words that were deleted or disappear, the memory of client ids, envelopes, keys of groups."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog

from aparte.server.devices import actions as devices
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.messages import expiry, pins, reactions, sealed, sender_keys, store
from aparte.server.messages.model import DEDUP_DAYS, ENVELOPE_DAYS, RECOVERY_DAYS, Acknowledged
from aparte.wire.ids import ConversationId, EntryId, first_id_at

said = structlog.get_logger(__name__)

STEP = 500
GROUPS = 20
"""Groups whose keys are looked through in one transaction."""
NOWHERE = ConversationId(UUID(int=0))


async def erase_deleted(db: Database) -> int:
    """Empty messages whose recovery window is over, with their edits; their skeletons stay. Counts messages.

    One that cannot be erased stops none of the others, and is tried again the next day.
    """
    border = first_id_at(now() - timedelta(days=RECOVERY_DAYS))
    erased, after = 0, (NOWHERE, 0)
    while True:
        async with db.read() as reader:
            due = await store.select_erasable(reader, border, after, STEP)
        for conversation, _, message in due:
            erased += await _erase(db, conversation, message, border)
        if len(due) < STEP:
            return erased
        after = due[-1][:2]


async def _erase(db: Database, conversation: ConversationId, message: EntryId, border: EntryId) -> bool:
    """Empty one message, unless it was restored meanwhile, at the last moment; tells whether it did."""
    try:
        async with db.transaction() as tx:
            await log.lock_all(tx, [conversation])
            is_erased = await store.update_erased(tx, conversation, message, border)
            if is_erased:
                await _forget_around(tx, conversation, message)
            return is_erased
    except asyncpg.PostgresError as error:
        said.warning("message_unerased", error=type(error).__name__)
        return False


async def _forget_around(tx: Tx, conversation: ConversationId, message: EntryId) -> None:
    """Empty the edits of a message whose words are erased, and forget what was set on it and what it said of others."""
    await log.erase_edits(tx, conversation, message)
    await reactions.delete_all(tx, conversation, message)
    await pins.delete(tx, conversation, message)
    await expiry.delete_mentions(tx, conversation, message)
    await expiry.delete_sources(tx, conversation, message)


async def erase_expired(db: Database) -> int:
    """Empty messages whose time is over, conversation by conversation; counts them.

    Nobody has been shown them since: this is about what is stored. One that cannot be erased stops none of the others,
    and is tried again a minute later.
    """
    erased, after = 0, expiry.BEGINNING
    while True:
        async with db.read() as reader:
            due = await expiry.select_due(reader, after, STEP)
        found: dict[ConversationId, list[EntryId]] = {}
        for one in due:
            found.setdefault(one.conversation, []).append(one.id)
        for conversation, messages in found.items():
            erased += await _expire(db, conversation, messages)
        if len(due) < STEP:
            return erased
        after = due[-1]


async def _expire(db: Database, conversation: ConversationId, messages: Sequence[EntryId]) -> int:
    """Empty messages of one conversation together; if that fails, each by itself."""
    try:
        async with db.transaction() as tx:
            await log.lock_all(tx, [conversation])
            were_there = await expiry.update_expired(tx, conversation, messages)
            for message in messages:
                await _forget_around(tx, conversation, message)
            if were_there:
                await log.count(tx, conversation, -were_there)
    except asyncpg.PostgresError as error:
        if len(messages) == 1:
            said.warning("message_unerased", error=type(error).__name__)
            return 0
        return sum([await _expire(db, conversation, [message]) for message in messages])
    return len(messages)


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
    """Erase envelopes that every device has acknowledged, and distributions that their own device has.

    In a transaction after the one that wrote the marks: of two devices that acknowledge at once the later one to commit
    sees both marks.
    """
    in_groups = [mark for mark in marks if mark.is_group]
    elsewhere = [mark for mark in marks if not mark.is_group]
    if not marks:
        return 0
    async with db.transaction() as tx:
        gone = await sender_keys.forget_acknowledged(tx, in_groups) if in_groups else 0
        return gone + (await sealed.delete_acknowledged(tx, elsewhere) if elsewhere else 0)


async def forget_envelopes(db: Database) -> int:
    """Erase envelopes, group keys and distributions that have waited 60 days, whoever has not come for them."""
    border = first_id_at(now() - timedelta(days=ENVELOPE_DAYS))
    gone = 0
    while True:
        async with db.transaction() as tx:
            step = await sealed.delete_envelopes(tx, border, STEP * 10)
            step += await sender_keys.delete_old(tx, border, STEP * 10)
        gone += step
        if step < STEP * 10:
            return gone


async def erase_group_keys(db: Database) -> int:
    """Erase the keys of group entries that every device has, group by group."""
    erased, after = 0, NOWHERE
    while True:
        async with db.read() as reader:
            groups = await sender_keys.select_groups(reader, after, GROUPS)
        async with db.transaction() as tx:
            erased += await sender_keys.erase_group_keys(tx, groups, devices.DORMANT_DAYS) if groups else 0
        if len(groups) < GROUPS:
            return erased
        after = groups[-1]


async def forget_pending(tx: Tx) -> int:
    """Forget a batch of distributions that no entry committed in time; a job repeats it until it returns 0."""
    return await sender_keys.delete_pending(tx, STEP * 10)
