"""People who are let in at nearly the same time begin one epoch together; everything else is at once."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.support import groups
from tests.support.groups import Group, group, person

from aparte.server.conversations import actions as conversations
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted, NewStatements, SignedStatement

Admin = Any


class Clock:
    """Time that stands still."""

    now = 1_000.0

    def __call__(self) -> float:
        """Tell it."""
        return self.now


@pytest.fixture
async def gathering(db: Database) -> AsyncIterator[Gathering]:
    """One that waits so long that only a test ends the wait."""
    here = Gathering(db, seconds=3_600, clock=Clock())
    yield here
    await here.close()


def sending(db: Database, here: Gathering, made: Group, who: Caller, *said: SignedStatement) -> asyncio.Task[Admitted]:
    """Submit, and go on meanwhile."""
    return asyncio.ensure_future(conversations.submit(db, here, who, made.id, NewStatements(list(said))))


async def epochs(admin: Admin) -> list[int]:
    """The newest statement of every epoch, in order."""
    return [row[0] for row in await admin.fetch("SELECT statement FROM epochs ORDER BY epoch")]


async def waiting(here: Gathering, made: Group, count: int) -> None:
    """Until so many wait."""
    async with asyncio.timeout(30):
        while len(here.pending(made.id)) < count:  # noqa: ASYNC110 - there is nothing to wait on but the queue itself
            await asyncio.sleep(0)


async def test_the_first_is_stored_at_once_and_the_next_ones_together(
    db: Database, admin: Admin, gathering: Gathering
) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice)
    said = made.add(alice, bob)
    assert (await sending(db, gathering, made, alice, said)).number == 2
    made.take(said)
    late = made.again()
    answers = []
    for count, other in enumerate((carol, dave), 1):
        said = made.add(alice, other)
        answers.append(sending(db, gathering, made, alice, said))
        made.take(said)
        await waiting(gathering, made, count)
    assert await epochs(admin) == [1, 2]
    with pytest.raises(Refusal) as refused:
        await sending(db, gathering, made, alice, late.add(alice, dave))
    assert refused.value.code == "stale_membership"
    assert (refused.value.data["number"], refused.value.data["hash"]) == (2, late.state.hash.hex())
    pending = [
        msgspec.msgpack.decode(base64.b64decode(one), type=SignedStatement) for one in refused.value.data["pending"]
    ]
    assert pending == made.chain[2:]
    again = sending(db, gathering, made, alice, made.chain[2])
    await gathering.flush(made.id)
    one, other = await asyncio.gather(*answers)
    assert one == other == await again
    assert (one.number, one.epoch) == (4, 3)
    assert await epochs(admin) == [1, 2, 4]
    assert await sending(db, gathering, made, alice, made.chain[3]) == one


async def test_what_is_at_once_takes_those_that_wait_along(db: Database, admin: Admin, gathering: Gathering) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice)
    first = made.add(alice, bob)
    await sending(db, gathering, made, alice, first)
    made.take(first)
    second = made.add(alice, carol)
    answer = sending(db, gathering, made, alice, second)
    await waiting(gathering, made, 1)
    made.take(second)
    out = await sending(db, gathering, made, alice, made.remove(alice, bob))
    assert (out.number, out.epoch) == (4, 4)
    assert (await answer).epoch == 3


async def test_one_that_does_not_hold_any_more_ends_the_row_and_those_before_it_are_stored(
    db: Database, admin: Admin, gathering: Gathering
) -> None:
    alice, bob, carol, dave, erin = [await person(admin) for _ in range(5)]
    made = await group(db, alice)
    first = made.add(alice, bob)
    await sending(db, gathering, made, alice, first)
    made.take(first)
    answers = []
    for count, other in enumerate((carol, dave, erin), 1):
        said = made.add(alice, other)
        answers.append(sending(db, gathering, made, alice, said))
        made.take(said)
        await waiting(gathering, made, count)
    await admin.execute("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", dave.account, alice.account)
    await gathering.flush(made.id)
    stored, blocked, late = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(stored, Admitted)
    assert isinstance(blocked, Refusal)
    assert isinstance(late, Refusal)
    assert (stored.number, blocked.code, late.code) == (3, "blocked", "stale_membership")
    assert late.data["number"] == 3


async def test_of_two_processes_the_slower_one_is_told(db: Database, admin: Admin, gathering: Gathering) -> None:
    alice, bob, carol, dave = [await person(admin) for _ in range(4)]
    made = await group(db, alice)
    first = made.add(alice, bob)
    await sending(db, gathering, made, alice, first)
    made.take(first)
    here = sending(db, gathering, made, alice, made.add(alice, carol))
    await waiting(gathering, made, 1)
    there = await groups.store(db, made, alice, made.add(alice, dave))
    assert there.number == 3
    await gathering.flush(made.id)
    with pytest.raises(Refusal, match="stale_membership"):
        await here


async def test_nobody_is_lost_when_a_process_ends_or_the_sender_goes_away(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice)
    here = Gathering(db, seconds=3_600, clock=Clock())
    first = made.add(alice, bob)
    await sending(db, here, made, alice, first)
    made.take(first)
    gone = sending(db, here, made, alice, made.add(alice, carol))
    await waiting(here, made, 1)
    gone.cancel()
    await here.close()
    assert await epochs(admin) == [1, 2, 3]


async def test_what_waits_is_stored_by_itself(db: Database, admin: Admin) -> None:
    alice, bob, carol = [await person(admin) for _ in range(3)]
    made = await group(db, alice)
    here = Gathering(db, seconds=0.05)
    for other in (bob, carol):
        said = made.add(alice, other)
        await sending(db, here, made, alice, said)
        made.take(said)
    await here.close()
    assert await epochs(admin) == [1, 2, 3]
