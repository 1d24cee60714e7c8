"""Scheduled messages, for tests: near enough to be let come, and what became of them.

A scheduled message comes up to two minutes early where clocks differ: so tests schedule for 100 seconds ahead and let
the server believe that these have passed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aparte.client import ScheduledMessage
from tests.support.talk import Company, Talker

AHEAD = timedelta(seconds=100)


def soon() -> datetime:
    """Near enough to be let come."""
    return datetime.now(UTC) + AHEAD


async def let_come(admin: Any, one: ScheduledMessage) -> None:
    """Its time has come."""
    await admin.execute(
        "UPDATE scheduled_messages SET due_at = clock_timestamp(), look_at = clock_timestamp() WHERE scheduled_id = $1",
        one.id,
    )


async def status(admin: Any, one: ScheduledMessage) -> str:
    """What the server made of it."""
    found: str = await admin.fetchval("SELECT status FROM scheduled_messages WHERE scheduled_id = $1", one.id)
    return found


async def comes_to(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Wait until what is read is what is wanted: the database and the mailbox ring nobody here."""
    async with asyncio.timeout(15):
        while await read() != wanted:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


async def acquainted(people: Company) -> tuple[Talker, Talker]:
    """Alice and bob, who have spoken."""
    alice, bob = await people.newcomer("alice"), await people.newcomer("bob")
    await alice.client.send(bob.name, "hello")
    await bob.hears("hello")
    return alice, bob
