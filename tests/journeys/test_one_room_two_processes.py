"""200 people speak at once in one room, over two processes, while everything that can disturb the log does."""

import asyncio
import random
from collections import defaultdict
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from tests.support import faults, people
from tests.support.devices import Follower, all_reach
from tests.support.people import Device, Problem, World
from tests.support.server import aparte

SPEAKERS = 200
EACH = 12
FOLLOWERS = 6
ABORTED = 0.05


class Speaker:
    """Says numbered things one by one, some twice over another connection, and keeps what was acknowledged."""

    def __init__(self, device: Device, room: str, seed: int) -> None:
        self.device, self.room = device, room
        self.rng = random.Random(seed)
        self.acknowledged: list[tuple[int, str, str]] = []

    async def speak(self, other: aiohttp.ClientSession) -> None:
        """Say everything."""
        for number in range(EACH):
            text, key = f"{self.device.username} {number}", uuid4()
            ways = [self.device]
            if self.rng.random() < 0.2:
                ways.append(Device(other, self.device.url, self.device.username, self.device.tokens))
            answers = await asyncio.gather(*(self.say(way, text, key) for way in ways))
            assert len({(a["seq"], a["id"]) for a in answers}) == 1
            self.acknowledged.append((answers[0]["seq"], answers[0]["id"], text))

    async def say(self, way: Device, text: str, key: Any) -> dict[str, Any]:
        """Send until it is acknowledged."""
        while True:
            try:
                sent: dict[str, Any] = await way.send(self.room, text, key)
            except Problem as problem:
                assert problem.code == "unavailable", problem
                assert "Retry-After" in problem.headers
                await asyncio.sleep(self.rng.random() * 0.2)
            else:
                return sent


async def assemble(world: World, server: Any) -> tuple[str, str, list[Device], list[Follower]]:
    """A room full of people, a second one to be held, and devices that follow."""
    owner = await world.register("owner")
    room, held = await owner.room(), await owner.room()
    devices = [await world.register("speaker") for _ in range(SPEAKERS)]
    for device in devices:
        await device.join(room)
    await devices[0].join(held)
    readers = [await world.register("reader") for _ in range(FOLLOWERS)]
    for reader in readers:
        await reader.join(room)
    assert len(server.children("aparte.server")) == 2
    return room, held, devices, [Follower(reader, room) for reader in readers]


async def hold(admin: Any, held: str, speaker: Device, room_acks: Any) -> None:
    """One transaction is open for 5 s in another room: a message there waits, those here do not."""
    before = room_acks()
    async with faults.held(admin, held):
        waiting = asyncio.create_task(speaker.send(held, "waiting"))
        await asyncio.sleep(5)
        assert not waiting.done()
        assert room_acks() - before > SPEAKERS / 2, "the held conversation delayed others"
    assert (await waiting)["seq"] == 3


@pytest.mark.timeout(240)
async def test_no_hole_no_repeat_order_kept_whatever_happens_meanwhile() -> None:
    with aparte(workers=2) as server:
        admin, second = [await asyncpg.connect(server.admin_dsn, ssl=False) for _ in range(2)]
        await faults.set_up(admin)
        for _ in range(2):
            server.kill("aparte.server", 0)
            await asyncio.sleep(0.5)
        server.await_ready()
        async with people.world(server.url) as world, aiohttp.ClientSession() as other:
            room, held, devices, followers = await assemble(world, server)
            for follower in followers:
                follower.start()
            speakers = [Speaker(device, room, seed) for seed, device in enumerate(devices)]
            await faults.abort(admin, ABORTED)
            speaking = [asyncio.create_task(speaker.speak(other)) for speaker in speakers]
            acks = lambda: sum(len(s.acknowledged) for s in speakers)  # noqa: E731
            holding = asyncio.create_task(hold(second, held, devices[0], acks))
            for behind in ("1 hour", "0", "23 hours", "1 second", "0"):
                await asyncio.sleep(1)
                await faults.step_clock(admin, behind)
            await asyncio.gather(*speaking)
            await holding
            await faults.abort(admin, 0)
            rows = await admin.fetch(
                """
                SELECT seq, id::text, content->>'text' AS text, account_id FROM messages WHERE conversation_id = $1
                UNION ALL SELECT seq, id::text, NULL, account_id FROM entries WHERE conversation_id = $1 ORDER BY id
                """,
                room,
            )
            await all_reach(followers, {room: rows[-1]["seq"]}, 40)
        await admin.close()
        await second.close()
    check(rows, speakers, followers)


def check(rows: list[Any], speakers: list[Speaker], followers: list[Follower]) -> None:
    """What is stored, what was acknowledged and what every device has are the same, in one order."""
    stored = [(row["seq"], row["id"], row["text"]) for row in rows]
    assert [seq for seq, _, _ in stored] == list(range(1, len(stored) + 1)), "a hole or a repeat in the positions"
    said = [text for _, _, text in stored if text is not None]
    assert len(said) == len(set(said)) == SPEAKERS * EACH, "something was lost or stored twice"
    by_sender: dict[str, list[int]] = defaultdict(list)
    for _, _, text in stored:
        if text is not None:
            name, number = text.split()
            by_sender[name].append(int(number))
    assert all(numbers == sorted(numbers) for numbers in by_sender.values()), "the order of a sender is broken"
    there = set(stored)
    for speaker in speakers:
        assert set(speaker.acknowledged) <= there, "an acknowledged message is not stored as acknowledged"
    for follower in followers:
        assert list(follower.logs.values()) == [stored], "a device has something else than the log"
