"""A device dies at any point of sending and receiving, and the next start finishes what it began.

Whatever was cut short: every device reads everything, nothing comes twice or out of order, and no key is used twice.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aparte.client.model import Message
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.wire.ids import DeviceId
from aparte.wire.keys import NewPayloads
from tests.support.crash import Job, Journal, Rig, rig
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

SAID = ["one", "two", "three"]
BEFORE = ["bob one", "bob two", "bob three"]
LAST = "last"
POINTS = int(os.environ.get("APARTE_CRASH_POINTS", "24"))


@dataclass
class Stage:
    """A proxy that writes everything down, the process that forks, and bob, whose laptop answers every message."""

    evil: Malice
    rig: Rig
    people: Company
    bob: Talker
    phone: Talker

    async def alice(self, *, answering: bool) -> "Alice":
        """A new person, whose process is about to die; bob has written to her already, if she is to answer."""
        alice = await self.people.newcomer("alice")
        await alice.leave()
        if answering:
            for text in BEFORE:
                await self.bob.client.send(alice.name, text)
        return Alice(self, alice, BEFORE if answering else [])


@dataclass
class Alice:
    """A profile that is used by one process after the other."""

    stage: Stage
    talker: Talker
    waiting: list[str]
    peer: str = ""
    """Where she speaks, if that is not to bob."""

    @property
    def journal(self) -> Journal:
        """What her processes have done."""
        return Journal(self._journal)

    @property
    def _journal(self) -> Path:
        assert self.talker.place.home is not None
        return self.talker.place.home / f"{self.talker.username}.journal"

    async def live(self, say: list[str], *, kill_at: int = 0) -> bool:
        """One process: say these and read to the answer of the last; gives whether it was killed."""
        job = Job(
            home=str(self.talker.place.home),
            profile=self.talker.place.name,
            server=self.stage.evil.url,
            peer=self.peer or self.stage.bob.name,
            say=say,
            until=f"re: {say[-1]}",
            journal=str(self._journal),
            kill_at=kill_at,
        )
        end = await self.stage.rig.run(job)
        assert end.was_killed or end.code == 0, self.journal.errors
        return end.was_killed


@pytest.fixture
async def stage(evil: Malice, people: Company) -> AsyncIterator[Stage]:
    """Everything is there but alice."""
    bob = await people.newcomer("bob")
    phone = await people.link(bob)

    async def answer(message: Message) -> None:
        if message.sender_id != bob.account:
            await bob.client.send(message.conversation, f"re: {message.text}")

    bob.answer = answer
    async with rig() as forks:
        yield Stage(evil, forks, people, bob, phone)


async def events_of_a_whole_life(stage: Stage, *, answering: bool) -> int:
    """Count the events of the scenario when nothing goes wrong."""
    alice = await stage.alice(answering=answering)
    assert not await alice.live(SAID)
    [counted] = alice.journal.read("events")
    return int(counted["count"])


async def one_death(stage: Stage, kill_at: int, *, answering: bool) -> None:
    """Die at an event, start again, and see that everybody has everything, once and in order."""
    alice = await stage.alice(answering=answering)
    await alice.live(SAID, kill_at=kill_at)
    await alice.live([LAST])
    acknowledged = {line["text"] for line in alice.journal.read("sent")}
    for device in (stage.bob, stage.phone):
        await device.comes(lambda device=device: LAST in said_by(alice, device), f"{LAST}, killed at {kill_at}")
        said = said_by(alice, device)
        assert said == [*SAID[: len(said) - 1], LAST], f"killed at {kill_at}: {said}"
        assert acknowledged <= set(said)
        assert device.client.unreadable() == {}
    check_heard(alice, said_by(alice, stage.bob), kill_at)
    check_keys(stage.evil, alice)


def said_by(alice: Alice, device: Talker) -> list[str | None]:
    """What a device of bob's has heard of alice."""
    return [message.text for message in device.heard if message.sender_id == alice.talker.account]


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
    for target, kind, body in pairwise(evil, alice.talker.device):
        message = FirstMessage.deserialize(body).message if kind == FIRST_MESSAGE_TYPE else body
        header = SignalMessage.deserialize(message).header
        place = (target, header.ratchet_key.serialize(), header.counter)
        assert bodies.setdefault(place, body) == body, "a message key is used twice"
    assert plains
    assert bodies


def pairwise(evil: Malice, device: DeviceId) -> list[tuple[DeviceId, int, bytes]]:
    """Every pairwise message that the server was shown from a device."""
    found = [
        (envelope.device, envelope.type, envelope.body)
        for entry in evil.sealed_by(device)
        for envelope in entry.envelopes
        if envelope.type
    ]
    found += [
        (envelope.device, envelope.type, envelope.body)
        for sender, given in evil.given
        if sender == device
        for envelope in given.envelopes
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
