"""Read: pages of messages, the log, histories, and what moved."""

from datetime import timedelta

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.server.log.model import Marker
from aparte.server.messages import current, pages, rules, sealed, store, sync
from aparte.wire.errors import Refusal
from aparte.wire.ids import FIRST_ID, AccountId, ConversationId, EntryId, Position, first_id_at
from aparte.wire.messages import EntryPage, Head, History, Message, MessagePage

RECENT = timedelta(days=2)
"""How far back a node looks for entries it was not told of; no transaction lives that long."""


async def page(
    db: Database, caller: Caller, conversation: ConversationId, where: pages.Where, limit: int
) -> MessagePage:
    """Page through a conversation or one of its threads, in order of time, without what is deleted (unless tombstones
    are asked for). A thread is there as long as its root is, deleted or not."""
    async with db.read_log() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        rules.check_readable(standing)
        if where.thread and await current.select_message(reader, conversation, where.thread, caller.account) is None:
            raise Refusal("not_found")
        return await pages.select_page(reader, standing, where, limit)


async def entries(db: Database, caller: Caller, conversation: ConversationId, after: EntryId, limit: int) -> EntryPage:
    """Read the log after an entry. Below the floor the answer is `resync`, never silence."""
    async with db.read_log() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        floor = standing.floor
        if after != FIRST_ID and after < floor.id:
            raise Refusal("resync", data={"floor": {"seq": floor.seq, "id": str(floor.id)}})
        if standing.mode == "e2ee":
            found = await sealed.select_entries(reader, conversation, caller.device, after, limit)
        else:
            found = await pages.select_entries(reader, conversation, after, limit)
        found = rules.page_of(found)
    more = bool(found) and found[-1].id < standing.head.id
    return EntryPage(found, more)


async def get(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> Message:
    """Read one message; a tombstone if it is deleted."""
    async with db.read_log() as reader:
        standing = await conversations.authorise(reader, caller, conversation, "read")
        rules.check_readable(standing)
        with_flags = current.shows_flags(standing)
        found = await current.select_message(reader, conversation, message, caller.account, with_flags=with_flags)
    if found is None:
        raise Refusal("not_found")
    return found


async def history(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> History:
    """Read every version of a message; none of a deleted or expired one."""
    now_ = await get(db, caller, conversation, message)
    if now_.deleted_at is not None or now_.erased_at is not None:
        raise Refusal("gone")
    async with db.read_log() as reader:
        return History(await pages.select_versions(reader, conversation, message, caller.account))


async def place_of(reader: Reader, conversation: ConversationId, entry: EntryId) -> tuple[Position, int]:
    """Find the position of an entry and the ordinal read when one has read up to it."""
    found = await store.select_mark(reader, conversation, entry)
    if found is None:
        raise Refusal("not_found")
    return found


async def marker(db: Database) -> Marker:
    """Name this moment of the whole log."""
    async with db.read() as reader:
        return await log.marker(reader)


async def changes(
    db: Database, account: AccountId, since: str, before: EntryId | None, limit: int
) -> tuple[list[Head], EntryId | None]:
    """Name the account's conversations that moved since a marker, newest activity first, and how to go on."""
    async with db.read() as reader:
        here = await log.marker(reader)
        heads = await sync.select_heads(reader, account, here.since(since), before, limit)
    return heads, heads[-1].head.id if len(heads) == limit else None


async def moved_since(db: Database, since: Marker | None) -> tuple[Marker, list[tuple[ConversationId, Position]]]:
    """What every conversation of this server has reached since a marker, and the marker for the next look."""
    async with db.read() as reader:
        here = await log.marker(reader)
        if since is None:
            return here, []
        return here, await sync.select_moved(reader, here.since(str(since)), first_id_at(now() - RECENT))
