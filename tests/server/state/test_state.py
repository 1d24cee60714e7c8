"""Account state: whoever has everything up to a revision misses nothing, whatever happens at once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from tests.support.sign_in import Bell, gate, register

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import ToAccount
from aparte.server.state import actions as state
from aparte.wire import limits
from aparte.wire.accounts import StateItem
from aparte.wire.ids import AccountId

Admin = Any


@pytest.fixture
async def alice(db: Database) -> Caller:
    return await register(gate(db), "alice")


async def put(db: Database, who: Caller, key: str, value: Any) -> int:
    async with db.transaction() as tx:
        return await state.put(tx, who.account, key, value)


async def rev(db: Database, who: Caller) -> int:
    async with db.read() as reader:
        return await state.newest(reader, who.account)


async def followed(db: Database, who: Caller, after: int) -> list[StateItem]:
    """Page after page, as a device does."""
    items: list[StateItem] = []
    while True:
        page = await state.page(db, who, after)
        assert page.rev >= after
        assert len(page.items) <= limits.PAGE_CHANGES
        items += page.items
        after = page.rev
        if not page.more:
            return items


async def test_the_latest_value_of_each_key_is_what_counts(db: Database, alice: Caller) -> None:
    start = await rev(db, alice)
    await put(db, alice, "a", {"n": 1})
    await put(db, alice, "b", [True, None, "é"])
    await put(db, alice, "a", {"n": 2})
    await put(db, alice, "b", None)
    assert await followed(db, alice, start) == [
        StateItem("a", start + 3, {"n": 2}),
        StateItem("b", start + 4, None),
    ]
    assert await followed(db, alice, start + 3) == [StateItem("b", start + 4, None)]
    assert await followed(db, alice, start + 4) == []


async def test_changes_at_once_take_revisions_without_gaps(db: Database, alice: Caller) -> None:
    start = await rev(db, alice)
    revs = await asyncio.gather(*(put(db, alice, f"key{n % 7}", n) for n in range(40)))
    assert sorted(revs) == list(range(start + 1, start + 41))
    assert await rev(db, alice) == start + 40


async def test_a_device_that_follows_while_others_write_ends_with_what_is_there(db: Database, alice: Caller) -> None:
    start = await rev(db, alice)
    known: dict[str, Any] = {}
    writing = asyncio.gather(*(put(db, alice, f"key{n % 5}", n) for n in range(60)))
    after = start
    while not writing.done() or after < await rev(db, alice):
        page = await state.page(db, alice, after)
        known |= {item.key: item.value for item in page.items}
        after = page.rev
        await asyncio.sleep(0)
    await writing
    assert known == {item.key: item.value for item in await followed(db, alice, start)}


async def test_much_state_comes_in_pages(db: Database, alice: Caller) -> None:
    start = await rev(db, alice)
    async with db.transaction() as tx:
        for n in range(limits.PAGE_CHANGES + 3):
            await state.put(tx, alice.account, f"key:{n}", n)
    page = await state.page(db, alice, start)
    assert (len(page.items), page.more) == (limits.PAGE_CHANGES, True)
    assert [item.value for item in await followed(db, alice, start)] == list(range(limits.PAGE_CHANGES + 3))


async def test_what_is_rolled_back_takes_no_revision_and_rings_nobody(db: Database, alice: Caller) -> None:
    db.doorbell = bell = Bell()
    start = await rev(db, alice)

    async def fail_afterwards() -> None:
        async with db.transaction() as tx:
            await state.put(tx, alice.account, "a", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_afterwards()
    assert (await rev(db, alice), bell.rung) == (start, [])
    await put(db, alice, "a", 1)
    assert [(hint.account, hint.frame.rev) for hint in bell.rung if isinstance(hint, ToAccount)] == [  # type: ignore[union-attr] # a States frame
        (alice.account, start + 1)
    ]


async def test_nobody_reads_anybody_elses_state(db: Database, alice: Caller) -> None:
    await put(db, alice, "secret", {"a": 1})
    stranger = alice._replace(account=AccountId(uuid4()))
    assert await followed(db, stranger, 0) == []


async def test_the_look_finds_what_changed_since_a_marker_however_long_the_commit_took(
    db: Database, alice: Caller, admin: Admin
) -> None:
    bob = await register(gate(db), "bob")
    xmin = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    async with db.transaction() as slow:
        await state.put(slow, alice.account, "a", 1)
        before = await admin.fetchval(xmin)
        await put(db, bob, "b", 1)
        async with db.read() as reader:
            assert {account for account, _ in await state.moved_since(reader, before)} == {bob.account}
        after_bob = await admin.fetchval(xmin)
    async with db.read() as reader:
        found = dict(await state.moved_since(reader, after_bob))
    assert found[alice.account] == await rev(db, alice), "its transaction was running when the marker was taken"
