"""Twelve people, three rooms, 20,000 messages in every script, two processes, and everything killed in turn.

Every acknowledged message arrives once, in order, on every device; positions are without hole.
"""

import asyncio
import os
import random
import unicodedata
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from tests.support import people
from tests.support.devices import Follower, all_reach
from tests.support.people import Device, Gateway, Problem
from tests.support.server import Aparte, aparte
from tests.support.texts import texts

PEOPLE = 12
ROOMS = 3
MESSAGES = int(os.environ.get("APARTE_JOURNEY_MESSAGES", "20000"))
WINDOW = 8
BETWEEN_KILLS = 1_000
VICTIMS = ["aparte.server", "postgres", "valkey-server"]
AGAIN = {"unavailable", "storage_full", "rate_limited"}


class Talker:
    """Says things into the three rooms over the gateway, several at once, and repeats each until it is acknowledged."""

    def __init__(self, device: Device, rooms: list[str], number: int) -> None:
        self.device, self.rooms = device, rooms
        self.rng = random.Random(number)
        self.texts = texts(number)
        self.todo: list[tuple[str, str, str]] = []
        self.acknowledged: dict[str, tuple[str, int, str]] = {}

    async def talk(self, count: int) -> None:
        """Say so many things, whatever happens to the connection."""
        for _ in range(count):
            self.todo.append((self.rng.choice(self.rooms), next(self.texts), str(uuid4())))
        while self.todo:
            try:
                async with self.device.gateway() as gateway:
                    while self.todo:
                        await self.say(gateway, self.todo[:WINDOW])
            except (aiohttp.ClientError, OSError, AssertionError, TimeoutError, Problem):
                await asyncio.sleep(self.rng.random() * 0.5)

    async def say(self, gateway: Gateway, some: list[tuple[str, str, str]]) -> None:
        """Send a window of messages and keep what is acknowledged; the others stay to be said again."""
        asked = [
            gateway.ask("send", conversation=room, message={"client_message_id": key, "content": {"text": text}})
            for room, text, key in some
        ]
        for message, answer in zip(some, await asyncio.gather(*asked), strict=True):
            if answer["type"] == "sent":
                room, text, key = message
                self.acknowledged[key] = (room, answer["seq"], text)
                self.todo.remove(message)
            else:
                assert answer["code"] in AGAIN, answer
                await asyncio.sleep(0.1)


async def kill_in_turn(server: Aparte, talkers: list[Talker]) -> int:
    """Kill a worker, PostgreSQL with all its processes, Valkey, and again; each time people got a word in since."""
    rng, kills = random.Random(7), 0
    acks = 0
    try:
        while True:
            for victim in VICTIMS:
                while sum(len(talker.acknowledged) for talker in talkers) < acks + BETWEEN_KILLS:  # noqa: ASYNC110
                    await asyncio.sleep(rng.uniform(0.05, 0.3))
                acks = sum(len(talker.acknowledged) for talker in talkers)
                there = server.children(victim)
                if there:
                    server.kill(victim, rng.randrange(len(there)))
                    kills += 1
    except asyncio.CancelledError:
        return kills


async def meet(world: people.World) -> tuple[list[Device], list[str]]:
    """Twelve people in three rooms."""
    crowd = [await world.register(f"person{n}") for n in range(PEOPLE)]
    rooms = [await crowd[0].room() for _ in range(ROOMS)]
    for person in crowd[1:]:
        for room in rooms:
            await person.join(room)
    return crowd, rooms


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_is_lost_whatever_is_killed() -> None:
    with aparte(workers=2) as server:
        async with people.world(server.url) as world:
            crowd, rooms = await meet(world)
            phones = [await world.link(person) for person in crowd]
            followers = [Follower(phone, *rooms) for phone in phones]
            for follower in followers:
                follower.start()
            talkers = [Talker(person, rooms, n) for n, person in enumerate(crowd)]
            killing = asyncio.create_task(kill_in_turn(server, talkers))
            await asyncio.gather(*(talker.talk(MESSAGES // PEOPLE) for talker in talkers))
            killing.cancel()
            kills = await killing
            server.await_ready()
            heads = {c["id"]: c["head"]["seq"] for c in (await settled(crowd[0]))["conversations"]}
            await all_reach(followers, heads, 60)
            admin = await asyncpg.connect(server.admin_dsn, ssl=False)
            stored = {room: await log_of(admin, room) for room in rooms}
            await admin.close()
    assert kills >= min(9, MESSAGES // BETWEEN_KILLS - 3), "it was over before anything was killed"
    check(stored, talkers, followers)


async def settled(device: Device) -> Any:
    """Ask until the server answers again."""
    while True:
        try:
            return await device.get("/conversations")
        except (Problem, aiohttp.ClientError):
            await asyncio.sleep(0.2)


async def log_of(admin: Any, room: str) -> list[tuple[int, str, str | None]]:
    """A room's log as PostgreSQL has it."""
    rows = await admin.fetch(
        """
        SELECT seq, id::text, content->>'text' AS text FROM messages WHERE conversation_id = $1
        UNION ALL SELECT seq, id::text, NULL FROM entries WHERE conversation_id = $1 ORDER BY id
        """,
        room,
    )
    return [(row["seq"], row["id"], row["text"]) for row in rows]


def check(
    stored: dict[str, list[tuple[int, str, str | None]]], talkers: list[Talker], followers: list[Follower]
) -> None:
    """Positions without hole; every acknowledgement stands; every device has every room's log."""
    for log in stored.values():
        assert [seq for seq, _, _ in log] == list(range(1, len(log) + 1))
    there = {(room, seq, text) for room, log in stored.items() for seq, _, text in log}
    count = 0
    for talker in talkers:
        # readable words are kept in one form of Unicode (NFC), whichever they were typed in
        said = [(room, seq, unicodedata.normalize("NFC", text)) for room, seq, text in talker.acknowledged.values()]
        assert set(said) <= there, "an acknowledged message is lost or changed"
        count += len(said)
    assert count == sum(text is not None for log in stored.values() for _, _, text in log), "something is there twice"
    assert count >= MESSAGES - PEOPLE
    for follower in followers:
        assert follower.logs == stored
