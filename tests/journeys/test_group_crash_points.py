"""A device dies at any point of speaking to a group of eight devices, its first word included, and listening to it.

Whatever was cut short: every device reads everything, once and in order, no key is used twice, and no place of a chain.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from aparte.client.model import Message
from aparte.e2ee.group import SenderKeyMessage
from tests.journeys.test_crash_points import BEFORE, LAST, SAID, Alice, Stage, check_heard, check_keys, said_by
from tests.support.circle import Circle, roles
from tests.support.crash import rig
from tests.support.malice import Malice
from tests.support.talk import Company, Talker

POINTS = int(os.environ.get("APARTE_GROUP_CRASH_POINTS", "6"))


@dataclass
class GroupStage(Stage):
    """Bob, carol and dave with their devices, seven in all; each alice makes a group with them."""

    others: list[Talker] = field(default_factory=list)
    """All devices but bob's laptop, which answers."""

    async def alice(self, *, answering: bool) -> Alice:
        """A new person with a group, whose process is about to die; bob has spoken in it already, if she is to hear."""
        alice = await self.people.newcomer("alice")
        names = sorted({one.username for one in (self.bob, *self.others)})
        made = await alice.client.groups.new_group("eight", names)
        await asyncio.gather(*(one.comes(lambda one=one: bool(roles(one, made.id))) for one in self.everybody))
        await alice.leave()
        circle = Circle(self.evil, self.people, made.id, "eight")
        if answering:
            for text in BEFORE:
                await circle.say(self.bob, text)
        return Alice(self, alice, BEFORE if answering else [], circle.target)

    @property
    def everybody(self) -> list[Talker]:
        """All seven devices."""
        return [self.bob, *self.others]


@pytest.fixture
async def stage(evil: Malice, people: Company) -> AsyncIterator[GroupStage]:
    """Everything is there but alice."""
    bob, carol, dave = [await people.newcomer(name) for name in ("bob", "carol", "dave")]
    others = [await people.link(one) for one in (bob, bob, carol, dave)]

    async def answer(message: Message) -> None:
        if message.sender_id != bob.account and message.kind == "message":
            await bob.client.send(str(message.conversation_id), f"re: {message.text}")

    bob.answer = answer
    async with rig() as forks:
        yield GroupStage(evil, forks, people, bob, others[0], [*others, carol, dave])


async def events_of_a_whole_life(stage: GroupStage, *, answering: bool) -> int:
    """Count the events of the scenario when nothing goes wrong."""
    alice = await stage.alice(answering=answering)
    assert not await alice.live(SAID)
    [counted] = alice.journal.read("events")
    return int(counted["count"])


async def one_death(stage: GroupStage, kill_at: int, *, answering: bool) -> None:
    """Die at an event, start again, and see that everybody has everything, once and in order."""
    alice = await stage.alice(answering=answering)
    await alice.live(SAID, kill_at=kill_at)
    await alice.live([LAST])
    acknowledged = {line["text"] for line in alice.journal.read("sent")}
    for device in stage.everybody:
        await device.comes(lambda device=device: LAST in said_by(alice, device), f"{LAST}, killed at {kill_at}")
        said = [text for text in said_by(alice, device) if text is not None]
        assert said == [*SAID[: len(said) - 1], LAST], f"killed at {kill_at}: {said}"
        assert acknowledged <= set(said)
        assert device.client.unreadable() == {}
    check_heard(alice, said_by(alice, stage.bob), kill_at)
    check_keys(stage.evil, alice)
    check_chains(stage.evil, alice)


def check_chains(evil: Malice, alice: Alice) -> None:
    """No place of a sender-key chain for two messages."""
    messages: dict[tuple[int, int], bytes] = {}
    for entry in evil.sealed_by(alice.talker.device):
        assert entry.key is not None
        message = SenderKeyMessage.deserialize(entry.key)
        assert message.chain_id == entry.chain
        place = (message.chain_id, message.iteration)
        assert messages.setdefault(place, entry.key) == entry.key, "a place of a chain is used twice"
    assert len(messages) > 1


async def die_everywhere(stage: GroupStage, points: int) -> None:
    """Spread so many deaths evenly over both scenarios."""
    for answering in (True, False):
        count = await events_of_a_whole_life(stage, answering=answering)
        share = max(1, points // 2)
        for number in range(share):
            await one_death(stage, 1 + (2 * number + 1) * count // (2 * share), answering=answering)


@pytest.mark.timeout(600)
async def test_a_device_that_dies_while_speaking_to_a_group_loses_doubles_and_reuses_nothing(stage: GroupStage) -> None:
    await die_everywhere(stage, POINTS)


@pytest.mark.long
@pytest.mark.timeout(3_600)
async def test_a_hundred_deaths_in_groups(stage: GroupStage) -> None:
    await die_everywhere(stage, 100)
