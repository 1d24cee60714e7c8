"""Law: every message that the rules allow is read by every device that may read it, and by no other.

Whatever happens to people meanwhile: devices are linked and taken off, lost with all they know, away and back again.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from aparte.wire.ids import DeviceId
from tests.support.lives import lives
from tests.support.server import Aparte
from tests.support.talk import PASSWORD, Company, Talker, company

T = TypeVar("T")
DEVICES = 3
PEOPLE = ("alice", "bob", "carol")
PERSON = st.integers(0, len(PEOPLE) - 1)
DEVICE = st.integers(0, DEVICES - 1)


@dataclass
class Person:
    """Somebody, with devices: the first one is never lost, because it alone may link and remove others at once."""

    first: Talker
    others: list[Talker] = field(default_factory=list)
    """Those in use."""
    lost: list[DeviceId] = field(default_factory=list)
    """On the list still, and gone."""

    @property
    def devices(self) -> list[Talker]:
        """Those in use."""
        return [self.first, *self.others]

    @property
    def listed(self) -> set[DeviceId]:
        """Those that others encrypt to."""
        return {one.device for one in self.devices} | set(self.lost)


@dataclass(frozen=True)
class Said:
    """A message, where it was said, by which device, and the devices that may read it."""

    text: str
    place: frozenset[str]
    device: DeviceId
    readers: frozenset[DeviceId]


class EverybodyReads(RuleBasedStateMachine):
    """Three people who live."""

    url = ""

    @initialize()
    def meet(self) -> None:
        """Three people on one device each."""
        self.loop = asyncio.new_event_loop()
        self.home = Path(tempfile.mkdtemp(prefix="aparte-test-"))
        self.stack = AsyncExitStack()
        self.here: Company = self.does(self.stack.enter_async_context(company(self.home, self.url)))
        self.people = [Person(self.does(self.here.newcomer(name))) for name in PEOPLE]
        self.said: list[Said] = []
        self.away: list[Talker] = []

    def does(self, doing: Coroutine[Any, Any, T]) -> T:
        """Let something happen, and everything else go on meanwhile."""
        return self.loop.run_until_complete(asyncio.wait_for(doing, 120))

    @rule(who=PERSON, whom=PERSON, device=DEVICE, count=st.integers(1, 3))
    def say(self, who: int, whom: int, device: int, count: int = 1) -> None:
        """Say something to somebody, or to oneself, from a device that is there."""
        person, other = self.people[who], self.people[whom]
        there = [one for one in person.devices if one not in self.away]
        talker = there[device % len(there)]
        for _ in range(count):
            text = f"{len(self.said)} from {talker.username}"
            self.does(talker.client.send("@me" if who == whom else other.first.name, text))
            place = frozenset({person.first.username, other.first.username})
            self.said.append(Said(text, place, talker.device, frozenset(person.listed | other.listed)))

    @rule(who=PERSON, by=PERSON, device=DEVICE)
    def link(self, who: int, by: int, device: int) -> None:
        """Take another device into use; somebody speaks to its owner, as after everything that happens."""
        person = self.people[who]
        if len(person.listed) < DEVICES:
            person.others.append(self.does(self.here.link(person.first)))
            self.say(by, who, device)

    @rule(who=PERSON, by=PERSON, device=DEVICE, wiped=st.booleans())
    def revoke(self, who: int, by: int, device: int, wiped: bool) -> None:
        """Take a device off the list: one that was wiped, or one that was stolen."""
        person = self.people[who]
        gone = [*[one.device for one in person.others], *person.lost]
        if not gone:
            return
        chosen = gone[device % len(gone)]
        self.does(person.first.client.keys.revoke(chosen, None if wiped else PASSWORD))
        for one in [one for one in person.others if one.device == chosen]:
            self.does(self._checked_for_the_last_time(one))
            person.others.remove(one)
        person.lost = [one for one in person.lost if one != chosen]
        self.say(by, who, device)

    async def _checked_for_the_last_time(self, talker: Talker) -> None:
        """A device that was taken off has read nothing that it may not."""
        assert set(talker.texts()) <= set(self.texts_for(talker))
        if talker in self.away:
            self.away.remove(talker)
        else:
            await talker.leave()

    @rule(who=PERSON, by=PERSON, device=DEVICE)
    def lose(self, who: int, by: int, device: int) -> None:
        """Lose a device's store; nobody else knows."""
        person = self.people[who]
        if person.others:
            talker = person.others.pop(device % len(person.others))
            self.does(self._checked_for_the_last_time(talker))
            shutil.rmtree(self.home / talker.place.name)
            person.lost.append(talker.device)
            self.say(by, who, device)

    @rule(who=PERSON, by=PERSON, device=DEVICE)
    def go_away(self, who: int, by: int, device: int) -> None:
        """Switch a device off."""
        there = [one for one in self.people[who].others if one not in self.away]
        if there:
            talker = there[device % len(there)]
            self.does(talker.leave())
            self.away.append(talker)
            self.say(by, who, device)

    @rule(which=st.integers(0, 8), who=PERSON, whom=PERSON)
    def come_back(self, which: int, who: int, whom: int) -> None:
        """Switch one on again."""
        if self.away:
            self.does(self.away.pop(which % len(self.away)).come_back())
            self.say(who, whom, which)

    def texts_for(self, talker: Talker) -> list[str]:
        """What a device is to hear: what it may read, but for what it said itself."""
        return [one.text for one in self.said if talker.device in one.readers and talker.device != one.device]

    async def _everybody_has_read(self) -> None:
        for talker in self.away:
            await talker.come_back()
        for talker in [one for person in self.people for one in person.devices]:
            wanted = self.texts_for(talker)
            await talker.hears(*wanted)
            assert sorted(str(text) for text in talker.texts()) == sorted(wanted)
            self._check_order(talker)
            assert not talker.refused()

    def _check_order(self, talker: Talker) -> None:
        """What was said in one conversation is heard in the order in which it was said."""
        for place in {one.place for one in self.said}:
            wanted = [one.text for one in self.said if one.place == place]
            heard = [text for text in talker.texts() if text in wanted]
            assert heard == [text for text in wanted if text in heard]

    def teardown(self) -> None:
        """See whether the law was kept."""
        if not hasattr(self, "stack"):
            return
        try:
            self.does(self._everybody_has_read())
        finally:
            self.does(self.stack.aclose())
            self.loop.close()
            shutil.rmtree(self.home, ignore_errors=True)


@pytest.mark.timeout(600)
def test_everybody_reads_what_they_may(server: Aparte) -> None:
    lives(EverybodyReads, server.url, examples=5, steps=15)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
def test_a_full_life(server: Aparte, seed: int) -> None:
    """One in which everything happens to everybody: chance alone seldom thinks of that."""
    rng = random.Random(seed)
    life = type("Life", (EverybodyReads,), {"url": server.url})()
    life.meet()
    try:
        for who in range(len(PEOPLE)):
            life.link(who=who, by=(who + 1) % len(PEOPLE), device=0)
        for happens in rng.sample([life.revoke, life.lose, life.go_away, life.link] * 4, 12):
            chance = {"who": rng.randrange(3), "by": rng.randrange(3), "device": rng.randrange(3)}
            happens(**chance, **({"wiped": rng.random() < 0.5} if happens == life.revoke else {}))
            life.say(rng.randrange(3), rng.randrange(3), rng.randrange(3))
            life.come_back(which=rng.randrange(9), who=rng.randrange(3), whom=rng.randrange(3))
    finally:
        life.teardown()
    assert len(life.said) > 20


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_everybody_reads_what_they_may_in_many_lives(server: Aparte) -> None:
    lives(EverybodyReads, server.url, examples=80, steps=40)
