"""Blocks: whom one does not want to hear of; effective from the next operation, and nobody is told."""

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import rules, store
from aparte.server.contacts.actions.asking import close_between, tell
from aparte.server.contacts.actions.people import as_seen, one
from aparte.server.contacts.model import BlockRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.names import check_text
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import Block, BlockList, Person
from aparte.wire.ids import AccountId


async def blocks(db: Database, caller: Caller) -> BlockList:
    """Read whom one has blocked."""
    async with db.read() as reader:
        rows = await store.select_blocks(reader, caller.account)
        shown = await as_seen(reader, caller.account, [row.blocked for row in rows])
    return BlockList([_block(row, shown[row.blocked]) for row in rows if row.blocked in shown])


async def block(db: Database, caller: Caller, account: AccountId, reason: str | None) -> Block:
    """Block somebody, who is not told; effective from the next operation (R-109). Requests between the two close."""
    rules.check_other(caller.account, account)
    why = check_text(reason, limits.BLOCK_REASON, "the reason") if reason is not None else None
    async with db.transaction() as tx:
        await one(tx, caller.account, account)
        await accounts.lock_all(tx, [caller.account, account])
        row = await store.select_block(tx, caller.account, account)
        is_new = row is None
        if is_new:
            rules.check_room_for_one(await store.count_blocks(tx, caller.account), limits.BLOCKS)
        if row is None or row.reason != why:
            row = await store.upsert_block(tx, caller.account, account, why)
            # The request between the two is locked before anything of an account's state, as whoever forgets it does.
            if is_new:
                await close_between(tx, caller.account, account)
            await state.put(tx, caller.account, f"block:{account}", {"reason": why, "blocked_at": row.blocked_at})
        return _block(row, await one(tx, caller.account, account))


async def unblock(db: Database, caller: Caller, account: AccountId) -> None:
    """Take a block back; where there is none, nothing happens."""
    async with db.transaction() as tx:
        await accounts.lock_all(tx, [caller.account, account])
        if await store.delete_block(tx, caller.account, account):
            await tell(tx, caller.account, account, only=caller.account)
            await state.put(tx, caller.account, f"block:{account}", None)


def _block(row: BlockRow, shown: Person) -> Block:
    return Block(shown, row.reason, row.blocked_at)
