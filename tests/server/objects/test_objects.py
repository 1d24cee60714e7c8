"""Sealed objects: left once by a member, fetched by members, gone after thirty days, nothing lost in between."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support import rooms
from tests.support.people import Problem, World
from tests.support.sealing import Pair, over_the_wire, pair

from aparte.server.kit.blobs import Blobs
from aparte.server.kit.db import Database
from aparte.server.objects import actions, rules
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, ObjectId

Admin = Any


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty folder."""
    return Blobs(tmp_path / "objects")


@pytest.fixture
async def two(db: Database, admin: Admin) -> Pair:
    """Alice and Bob in private."""
    return await pair(db, admin, await rooms.person(admin), await rooms.person(admin))


def somewhere(two: Pair) -> tuple[ConversationId, ObjectId]:
    """A new object's place."""
    return two.conversation, ObjectId(uuid4())


def files(blobs: Blobs) -> list[Path]:
    """Every file of the folder."""
    return [path for path in blobs._folder.rglob("*") if path.is_file()]


async def test_a_member_leaves_it_and_the_others_fetch_it(db: Database, two: Pair, blobs: Blobs) -> None:
    where, data = somewhere(two), os.urandom(limits.OBJECT_BYTES)
    await actions.put(db, blobs, two.alice, where, data)
    assert await actions.get(db, blobs, two.bob, *where) == data
    assert await actions.get(db, blobs, two.alice, *where) == data


async def test_the_same_again_is_done_and_anything_else_is_refused(
    db: Database, admin: Admin, two: Pair, blobs: Blobs
) -> None:
    where = somewhere(two)
    await actions.put(db, blobs, two.alice, where, b"first")
    await actions.put(db, blobs, two.alice, where, b"first")
    with pytest.raises(Refusal, match="object_exists"):
        await actions.put(db, blobs, two.alice, where, b"other")
    with pytest.raises(Refusal, match="object_exists"):
        await actions.put(db, blobs, two.bob, where, b"first")
    assert await actions.get(db, blobs, two.bob, *where) == b"first"
    assert await admin.fetchval("SELECT count(*) FROM objects") == len(files(blobs)) == 1


async def test_of_many_at_once_one_wins_and_stays_whole(db: Database, admin: Admin, two: Pair, blobs: Blobs) -> None:
    where = somewhere(two)
    offered = [b"one", b"one", b"two", b"two", b"three"]
    outcomes = await asyncio.gather(
        *(actions.put(db, blobs, two.alice, where, data) for data in offered), return_exceptions=True
    )
    kept = await actions.get(db, blobs, two.bob, *where)
    done = {data for data, outcome in zip(offered, outcomes, strict=True) if outcome is None}
    assert done == {kept}
    assert all(isinstance(one, Refusal) and one.code == "object_exists" for one in outcomes if one is not None)
    assert await admin.fetchval("SELECT count(*) FROM objects") == 1
    await actions.clear_litter(db, blobs, datetime.now(UTC) + timedelta(minutes=1))
    assert len(files(blobs)) == 1
    assert await actions.get(db, blobs, two.bob, *where) == kept


async def test_only_present_members_of_an_encrypted_conversation(
    db: Database, admin: Admin, two: Pair, blobs: Blobs
) -> None:
    where, eve = somewhere(two), await rooms.person(admin)
    await actions.put(db, blobs, two.alice, where, b"sealed")
    elsewhere = (await pair(db, admin, two.alice, eve)).conversation, where[1]
    for work in (actions.put(db, blobs, eve, where, b"sealed"), actions.get(db, blobs, eve, *where)):
        with pytest.raises(Refusal, match="not_member"):
            await work
    with pytest.raises(Refusal, match="not_found"):
        await actions.get(db, blobs, eve, *elsewhere)
    with pytest.raises(Refusal, match="forbidden"):
        await actions.put(db, blobs, two.bob._replace(role="guest"), where, b"sealed")
    room = await rooms.room(admin, eve)
    with pytest.raises(Refusal, match="mode_mismatch"):
        await actions.put(db, blobs, eve, (room, where[1]), b"sealed")
    with pytest.raises(Refusal, match="not_found"):
        await actions.get(db, blobs, eve, room, where[1])
    await admin.execute(
        "UPDATE members SET left_at = now(), left_seq = 1, left_id = joined_id WHERE account_id = $1", two.bob.account
    )
    with pytest.raises(Refusal, match="not_member"):
        await actions.get(db, blobs, two.bob, *where)
    assert len(files(blobs)) == 1


async def test_nobody_leaves_more_than_a_day_s_amount(db: Database, admin: Admin, two: Pair, blobs: Blobs) -> None:
    leave = "INSERT INTO objects SELECT $1, gen_random_uuid(), $2, gen_random_uuid(), 1, sha256('1'), $3 FROM"
    now = datetime.now(UTC)
    await admin.execute(f"{leave} generate_series(1, 300)", two.conversation, two.alice.account, now - actions.DAY)
    await admin.execute(f"{leave} generate_series(1, $4)", two.conversation, two.alice.account, now, rules.A_DAY - 1)
    last = somewhere(two)
    await actions.put(db, blobs, two.alice, last, b"the last one")
    with pytest.raises(Refusal, match="too_many"):
        await actions.put(db, blobs, two.alice, somewhere(two), b"one more")
    await actions.put(db, blobs, two.alice, last, b"the last one")
    await actions.put(db, blobs, two.bob, somewhere(two), b"his first")
    assert len(files(blobs)) == 2


async def test_it_is_gone_after_thirty_days(db: Database, admin: Admin, two: Pair, blobs: Blobs) -> None:
    old, young = somewhere(two), somewhere(two)
    for where in (old, young):
        await actions.put(db, blobs, two.alice, where, b"sealed")
    age = "UPDATE objects SET created_at = clock_timestamp() - $2::interval WHERE object_id = $1"
    await admin.execute(age, old[1], rules.KEPT)
    await admin.execute(age, young[1], rules.KEPT - timedelta(minutes=1))
    assert await actions.forget_old(db, blobs) == 1
    with pytest.raises(Refusal, match="not_found"):
        await actions.get(db, blobs, two.bob, *old)
    assert await actions.get(db, blobs, two.bob, *young) == b"sealed"
    assert len(files(blobs)) == 1
    await actions.put(db, blobs, two.alice, old, b"anew")
    assert await actions.get(db, blobs, two.bob, *old) == b"anew"


async def test_files_that_a_crash_has_left_are_cleared_away(
    db: Database, admin: Admin, two: Pair, blobs: Blobs
) -> None:
    where, litter = somewhere(two), uuid4()
    await actions.put(db, blobs, two.alice, where, b"sealed")
    await blobs.put(litter, b"no row")
    assert await actions.clear_litter(db, blobs) == 0  # too young: its row may be on the way
    assert await actions.clear_litter(db, blobs, datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert await blobs.get(litter) is None
    assert await actions.get(db, blobs, two.bob, *where) == b"sealed"
    await admin.execute("DELETE FROM objects")
    assert await actions.clear_litter(db, blobs, datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert files(blobs) == []


async def test_a_row_whose_file_is_lost_is_not_found(db: Database, two: Pair, blobs: Blobs) -> None:
    where = somewhere(two)
    await actions.put(db, blobs, two.alice, where, b"sealed")
    for file in files(blobs):
        file.unlink()
    with pytest.raises(Refusal, match="not_found"):
        await actions.get(db, blobs, two.bob, *where)


async def test_over_the_wire(world: World) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    hers, _ = await over_the_wire(alice, bob)
    path = f"/conversations/{hers.conversation}/objects/{uuid4()}"
    largest = "A" * (limits.OBJECT_BYTES // 3 * 4) + "AA=="
    await alice.call("PUT", path, {"data": largest})
    assert (await bob.get(path))["data"] == largest
    for wrong in ("", "A" * (limits.OBJECT_BYTES // 3 * 4) + "AAA="):
        with pytest.raises(Problem, match="422 invalid"):
            await alice.call("PUT", f"/conversations/{hers.conversation}/objects/{uuid4()}", {"data": wrong})
    with pytest.raises(Problem, match="not_found"):
        await alice.call("PUT", f"/conversations/{hers.conversation}/objects/no-id", {"data": "AA=="})
