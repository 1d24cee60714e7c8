"""Leaving an object, fetching it, and clearing away what is over."""

from datetime import datetime, timedelta
from hashlib import sha256

from aparte.server.accounts import actions as accounts
from aparte.server.conversations import actions as conversations
from aparte.server.kit.blobs import Blobs
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader
from aparte.server.objects import rules, store
from aparte.server.objects.model import ObjectRow
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, ObjectId, new_id

DAY = timedelta(days=1)
BATCH = 500


async def put(db: Database, blobs: Blobs, caller: Caller, where: tuple[ConversationId, ObjectId], data: bytes) -> None:
    """Store an object; storing it twice is storing it once.

    Refuses with `not_member`, `forbidden`, `mode_mismatch`, `object_exists`, `too_many`, `storage_full`.
    """
    new = ObjectRow(*where, caller.account, new_id(), len(data), sha256(data).digest())
    async with db.read() as reader:
        if await _is_done(reader, caller, new):
            return
    # The file goes first, outside of the transaction: nobody waits for a disk with a lock in hand.
    await blobs.put(new.blob, data)
    async with db.transaction() as tx:
        await accounts.lock(tx, caller.account)
        is_done = await _is_done(tx, caller, new)
        if not is_done:
            await store.insert_object(tx, new)
    if is_done:
        await blobs.delete(new.blob)


async def get(db: Database, blobs: Blobs, caller: Caller, conversation: ConversationId, object_id: ObjectId) -> bytes:
    """Fetch an object. Refuses with `not_member`, `not_found`."""
    async with db.read() as reader:
        await conversations.authorise(reader, caller, conversation, "read")
        row = await store.select_object(reader, conversation, object_id)
    data = None if row is None else await blobs.get(row.blob)
    if data is None:
        raise Refusal("not_found")
    return data


async def forget_old(db: Database, blobs: Blobs) -> int:
    """Delete objects whose thirty days are over."""
    gone = 0
    while True:
        async with db.transaction() as tx:
            files = await store.delete_over(tx, rules.KEPT, BATCH)
        for blob in files:
            await blobs.delete(blob)
        gone += len(files)
        if len(files) < BATCH:
            return gone


async def clear_litter(db: Database, blobs: Blobs, before: datetime | None = None) -> int:
    """Delete files that have no row and are a day old: a crash, or a conversation that is gone, has left them."""
    gone = 0
    async for files in blobs.older_than(before or now() - rules.LITTER):
        async with db.read() as reader:
            known = await store.select_known(reader, files)
        for blob in files:
            if blob not in known:
                await blobs.delete(blob)
                gone += 1
    return gone


async def _is_done(reader: Reader, caller: Caller, new: ObjectRow) -> bool:
    """Check that the caller may, and tell whether the very same object is there."""
    standing = await conversations.authorise(reader, caller, new.conversation, "post")
    rules.check_place(standing)
    known = await store.select_object(reader, new.conversation, new.object)
    if known is None:
        rules.check_amount(await store.count_recent(reader, caller.account, DAY))
        return False
    rules.check_same(known, new)
    return True
