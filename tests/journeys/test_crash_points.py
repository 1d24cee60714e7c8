"""A device dies at any point of sending and receiving, and the next start finishes what it began.

Whatever was cut short: every device reads everything, nothing comes twice or out of order, and no key is used twice.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aparte.client import Client, Credentials, Place
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.wire.ids import DeviceId
from aparte.wire.keys import NewPayloads
from tests.support.crash import Job, Journal, Rig, rig
from tests.support.malice import Malice, malicious
from tests.support.server import Aparte
from tests.support.valkey import until

PASSWORD = "correct horse battery staple"
SAID = ["one", "two", "three"]
BEFORE = ["bob one", "bob two", "bob three"]
LAST = "last"
POINTS = int(os.environ.get("APARTE_CRASH_POINTS", "24"))


@dataclass
class Bob:
    """Somebody whose devices are always there: the first answers every message, all keep what they hear."""

    clients: list[Client] = field(default_factory=list)
    heard: list[dict[str, list[str | None]]] = field(default_factory=list)
    """For each device, what came in each conversation."""
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def listen(self) -> None:
        """Begin."""
        self.heard = [{} for _ in self.clients]
        self.tasks = [asyncio.create_task(self._listen(number)) for number in range(len(self.clients))]

    async def _listen(self, number: int) -> None:
        client = self.clients[number]
        async for message in client.messages():
            if message.sender_id == (await client.who_am_i()).id:
                continue
            self.heard[number].setdefault(message.conversation, []).append(message.text)
            if number == 0:
                await client.send(message.conversation, f"re: {message.text}")

    def check_alive(self) -> None:
        """Fail with what a device failed with."""
        for task in self.tasks:
            if task.done():
                task.result()

    def have_heard(self, conversation: str, text: str) -> bool:
        """Whether a text has come to every device."""
        self.check_alive()
        return all(text in heard.get(conversation, []) for heard in self.heard)


@dataclass
class Stage:
    """What a run of the test needs."""

    evil: Malice
    rig: Rig
    bob: Bob
    bob_name: str
    home: Path

    async def alice(self, point: int, *, answering: bool) -> "Alice":
        """A new person, whose process is about to die; bob has written to her already, if she is to answer."""
        name = f"alice{point}-{uuid4().hex[:6]}"
        place = Place(name, home=self.home, server=self.evil.url, patience=15)
        async with Client.register(place, Credentials(name, PASSWORD), email=f"{name}@example.org") as client:
            device = client.device_id
        if answering:
            for text in BEFORE:
                await self.bob.clients[0].send(f"@{name}", text)
        return Alice(self, name, device, BEFORE if answering else [])


@dataclass
class Alice:
    """A profile that is used by one process after the other."""

    stage: Stage
    name: str
    device: DeviceId
    waiting: list[str]

    @property
    def journal(self) -> Journal:
        """What her processes have done."""
        return Journal(self._journal)

    @property
    def _journal(self) -> Path:
        return self.stage.home / f"{self.name}.journal"

    async def live(self, say: list[str], *, kill_at: int = 0) -> bool:
        """One process: say these and read to the answer of the last; gives whether it was killed."""
        job = Job(
            home=str(self.stage.home),
            profile=self.name,
            server=self.stage.evil.url,
            peer=f"@{self.stage.bob_name}",
            say=say,
            until=f"re: {say[-1]}",
            journal=str(self._journal),
            kill_at=kill_at,
        )
        end = await self.stage.rig.run(job)
        assert end.was_killed or end.code == 0, self.journal.errors
        return end.was_killed


@asynccontextmanager
async def bob_with_his_phone(url: str, home: Path) -> AsyncIterator[tuple[str, Bob]]:
    """Bob, open on all his devices."""
    name = f"bob-{uuid4().hex[:8]}"
    place = Place(name, home=home, server=url, patience=15)
    async with Client.register(place, Credentials(name, PASSWORD), email=f"{name}@example.org") as client:
        bob = Bob([client])
        bob.listen()
        try:
            yield name, bob
        finally:
            for task in bob.tasks:
                task.cancel()
            await asyncio.gather(*bob.tasks, return_exceptions=True)


@pytest.fixture
async def stage(server: Aparte, tmp_path: Path) -> AsyncIterator[Stage]:
    """Bob, a proxy that writes everything down, and the process that forks."""
    async with (
        malicious(server.url) as evil,
        bob_with_his_phone(evil.url, tmp_path) as (name, bob),
        rig() as forks,
    ):
        yield Stage(evil, forks, bob, name, tmp_path)


async def events_of_a_whole_life(stage: Stage, *, answering: bool) -> int:
    """Count the events of the scenario when nothing goes wrong."""
    alice = await stage.alice(0, answering=answering)
    assert not await alice.live(SAID)
    [counted] = alice.journal.read("events")
    return int(counted["count"])


async def one_death(stage: Stage, kill_at: int, *, answering: bool) -> None:
    """Die at an event, start again, and see that everybody has everything, once and in order."""
    alice = await stage.alice(kill_at, answering=answering)
    await alice.live(SAID, kill_at=kill_at)
    await alice.live([LAST])
    conversation = f"@{alice.name}"
    await until(lambda: stage.bob.have_heard(conversation, LAST), 20)
    acknowledged = [line["text"] for line in alice.journal.read("sent")]
    for heard in stage.bob.heard:
        said = heard[conversation]
        assert said == [*SAID[: len(said) - 1], LAST], f"killed at {kill_at}: {said}"
        assert set(acknowledged) <= set(said)
    check_heard(alice, stage.bob.heard[0][conversation], kill_at)
    for client in stage.bob.clients:
        assert client.unreadable() == 0
    check_keys(stage.evil, alice)


def check_heard(alice: Alice, said: list[str | None], kill_at: int) -> None:
    """What alice heard over both lives: everything in order; what was in hand at the kill may come again."""
    heard = [(line["seq"], line["text"]) for line in alice.journal.read("heard")]
    once = [text for n, (seq, text) in enumerate(heard) if n == 0 or heard[n - 1][0] != seq]
    assert len(heard) - len(once) <= 1, f"killed at {kill_at}: {heard}"
    assert once == [*alice.waiting, *(f"re: {text}" for text in said)], f"killed at {kill_at}: {heard}"


def check_keys(evil: Malice, alice: Alice) -> None:
    """No content key for two plaintexts; no place of a ratchet for two messages, in all that the server saw."""
    plains: dict[str, str] = {}
    for line in alice.journal.read("sealed"):
        assert plains.setdefault(line["key"], line["plain"]) == line["plain"], "a content key is used twice"
    bodies: dict[tuple[Any, ...], bytes] = {}
    for target, kind, body in pairwise(evil, alice.device):
        message = FirstMessage.deserialize(body).message if kind == FIRST_MESSAGE_TYPE else body
        header = SignalMessage.deserialize(message).header
        place = (target, header.ratchet_key.serialize(), header.counter)
        assert bodies.setdefault(place, body) == body, "a message key is used twice"
    assert bodies


def pairwise(evil: Malice, device: DeviceId) -> list[tuple[DeviceId, int, bytes]]:
    """Every pairwise message that the server was shown from a device."""
    found = [
        (envelope.device, envelope.type, envelope.body)
        for entry in evil.sealed_by(device)
        for envelope in entry.envelopes
        if envelope.type
    ]
    posted: list[NewPayloads] = [wanted for sender, wanted in evil.posted if sender == device]
    found += [(payload.device, payload.type, payload.body) for wanted in posted for payload in wanted.payloads]
    return found


async def die_everywhere(stage: Stage, points: int) -> None:
    """Spread so many deaths evenly over both scenarios."""
    for answering in (True, False):
        count = await events_of_a_whole_life(stage, answering=answering)
        share = max(1, points // 2)
        for number in range(share):
            await one_death(stage, 1 + number * count // share, answering=answering)


@pytest.mark.timeout(600)
async def test_a_device_that_dies_at_any_point_loses_doubles_and_reuses_nothing(stage: Stage) -> None:
    await die_everywhere(stage, POINTS)


@pytest.mark.long
@pytest.mark.timeout(3_600)
async def test_two_hundred_deaths(stage: Stage) -> None:
    await die_everywhere(stage, 200)
