"""Workers die while what is due goes out: each message is said once, in order, and none before its time.

A trigger holds every mark of what was sent for a moment, so that many of the deaths fall between sending and marking.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support import people
from tests.support.people import Device
from tests.support.server import Aparte, aparte

AUTHORS = 4
EACH = 60
"""Messages of one author, over so many rooms: fewer than may wait in one."""
ROOMS = 3
DEATHS = 8
SLOW_MARKS = """
CREATE FUNCTION slow_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
CREATE TRIGGER slow_mark BEFORE UPDATE OF status ON scheduled_messages FOR EACH ROW WHEN (NEW.status = 'sent')
  EXECUTE FUNCTION slow_mark();
"""


async def schedule(author: Device, room: str, text: str, due: datetime) -> None:
    """One message for later."""
    key = str(uuid4())
    message = {"client_message_id": key, "content": {"text": text}}
    body = {"client_message_id": key, "due": due.isoformat(), "message": message}
    await author.post(f"/conversations/{room}/scheduled", body)


async def dying(server: Aparte) -> None:
    """Workers end with -9, one after the other."""
    rng = random.Random(7)
    for _ in range(DEATHS):
        await asyncio.sleep(rng.uniform(0.2, 0.9))
        workers = server.children("aparte.server")
        if workers:
            server.kill("aparte.server", rng.randrange(len(workers)))


async def waiting(admin: Any) -> int:
    """How many are not sent."""
    count: int = await admin.fetchval("SELECT count(*) FROM scheduled_messages WHERE status <> 'sent'")
    return count


@pytest.mark.timeout(240)
async def test_each_is_said_once_in_order_whoever_dies() -> None:
    with aparte(workers=2) as server:
        admin = await asyncpg.connect(server.admin_dsn, ssl=False)
        await admin.execute(SLOW_MARKS)
        async with people.world(server.url) as world:
            owner, *authors = [await world.register("author") for _ in range(AUTHORS)]
            authors = [owner, *authors]
            rooms = [await owner.room() for _ in range(ROOMS)]
            for author in authors[1:]:
                for room in rooms:
                    await author.join(room)
            begins = datetime.now(UTC) + timedelta(hours=1)
            for number in range(EACH):
                due = begins + timedelta(milliseconds=80 * number)
                said = [(author, rooms[number % ROOMS]) for author in authors]
                await asyncio.gather(*(schedule(a, room, f"{number:03} {a.username}", due) for a, room in said))
        sooner = begins - datetime.now(UTC) - timedelta(seconds=1)
        await admin.execute(
            "UPDATE scheduled_messages SET due_at = due_at - $1::interval, look_at = due_at - $1::interval", sooner
        )
        await dying(server)
        async with asyncio.timeout(60):
            while await waiting(admin):  # noqa: ASYNC110 - the database rings nobody here
                await asyncio.sleep(0.1)
        rows = await admin.fetch(
            """
            SELECT m.conversation_id, m.content->>'text' AS text, s.due_at, s.sent_id, m.id,
                   to_timestamp(('x' || substr(replace(m.id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0) AS at
              FROM messages m JOIN scheduled_messages s
                ON s.conversation_id = m.conversation_id AND s.client_message_id = m.client_message_id
             ORDER BY m.id
            """
        )
        total = await admin.fetchval("SELECT count(*) FROM messages")
        await admin.close()
    assert len(rows) == total == AUTHORS * EACH, "something was lost or said twice"
    for row in rows:
        assert row["sent_id"] == row["id"]
        assert row["at"] >= row["due_at"] - timedelta(milliseconds=1), "before its time"
    for room in {row["conversation_id"] for row in rows}:
        numbers = [int(row["text"][:3]) for row in rows if row["conversation_id"] == room]
        assert numbers == sorted(numbers), "out of order"
