"""Workers die while moderators let messages through: each is said once, in the end, and what was rejected never.

A trigger holds every mark of what was sent for a moment, so that many of the deaths fall between sending and marking.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from tests.support import moderating, people
from tests.support.people import Device, Problem
from tests.support.server import Aparte, aparte

AUTHORS = 3
EACH = 30
DEATHS = 8
SLOW_MARKS = """
CREATE FUNCTION slow_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
CREATE TRIGGER slow_mark BEFORE UPDATE OF sent_id ON held_messages FOR EACH ROW EXECUTE FUNCTION slow_mark();
"""
AWAY = (aiohttp.ClientError, OSError)


async def stubbornly(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until there is an answer, whoever dies meanwhile; `over` is one: somebody has decided."""
    while True:
        try:
            return await ask()
        except AWAY:
            await asyncio.sleep(0.1)
        except Problem as problem:
            if problem.code == "over":
                return None
            if problem.status not in {429, 503}:
                raise
            await asyncio.sleep(0.2)


async def dying(server: Aparte, until: "asyncio.Task[Any]") -> int:
    """Workers end with -9, one after the other, while there is something to do; counts them."""
    rng, deaths = random.Random(11), 0
    while deaths < DEATHS and not until.done():
        await asyncio.wait([until], timeout=rng.uniform(0.3, 0.8))
        workers = server.children("aparte.server")
        if workers:
            server.kill("aparte.server", rng.randrange(len(workers)))
            deaths += 1
    return deaths


async def talk(author: Device, owner: Device, room: str, approved: set[UUID], rejected: set[UUID]) -> None:
    """Say things that wait; every third is rejected, the others let through, each asked for as often as it takes."""
    for number in range(EACH):
        key = uuid4()
        answer = await stubbornly(lambda key=key, number=number: author.send(room, f"spam {number}", key))
        held, approve = answer["data"]["held"], number % 3 != 0
        (approved if approve else rejected).add(key)
        await stubbornly(lambda held=held, approve=approve: moderating.decide(owner, room, held, approve=approve))


@pytest.mark.timeout(240)
async def test_each_is_said_once_whoever_dies() -> None:
    approved: set[UUID] = set()
    rejected: set[UUID] = set()
    with aparte(workers=2) as server:
        admin = await asyncpg.connect(server.admin_dsn, ssl=False)
        await admin.execute(SLOW_MARKS)
        async with people.world(server.url) as world:
            owner, *authors = [await world.register("author") for _ in range(AUTHORS + 1)]
            room = await moderating.screened(owner, *authors)
            talking = asyncio.gather(*(talk(author, owner, room, approved, rejected) for author in authors))
            assert await dying(server, asyncio.ensure_future(talking)) > 0
            await talking
        async with asyncio.timeout(60):
            while await admin.fetchval(  # noqa: ASYNC110 - the database rings nobody here
                "SELECT count(*) FROM held_messages WHERE status = 'approved' AND sent_id IS NULL"
            ):
                await asyncio.sleep(0.1)
        said = await admin.fetch("SELECT client_message_id, id FROM messages WHERE conversation_id = $1", UUID(room))
        kept = await admin.fetch("SELECT client_message_id, status, sent_id, message FROM held_messages")
        await admin.close()
    assert len(said) == len(approved), "something was lost or said twice"
    assert {row["client_message_id"] for row in said} == approved
    became = {row["client_message_id"]: row for row in kept}
    assert set(became) == approved | rejected
    for row in said:
        assert became[row["client_message_id"]]["sent_id"] == row["id"]
        assert became[row["client_message_id"]]["message"] is None
    assert {became[key]["status"] for key in rejected} == {"rejected"}
