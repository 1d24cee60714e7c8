"""Law: in a group, whoever was inside when something was said reads it, once and in its place, and nobody else does.

Whatever happens meanwhile: people are added, invited, put out and let in again, leave, rise and fall; their devices
come and go, are stolen, sleep for long; several do things at once. Who is inside, and as what, is the same everywhere.
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

from aparte.wire.ids import ConversationId, DeviceId
from tests.support.circle import is_in, name_of, roles
from tests.support.lives import lives
from tests.support.server import Aparte
from tests.support.talk import PASSWORD, Company, Talker, company

T = TypeVar("T")
DEVICES = 2
PEOPLE = ("alice", "bob", "carol", "dave")
WHO = st.integers(0, len(PEOPLE) - 1)
MEMBER, MODERATOR, ADMIN, OWNER = 1, 2, 3, 4
NAMES = {MEMBER: "member", MODERATOR: "moderator", ADMIN: "admin", OWNER: "owner"}
SILENT = {"before_device", "passed_over"}
"""Codes of what is no news to a device: what was said before it was there, and was not passed on to it."""
WRONG = {"bad_statement", "membership_forked", "roster_mismatch", "key_mismatch", "entry_forked", "gap"}


@dataclass(eq=False)
class Person:
    """Somebody; the first device is always there."""

    first: Talker
    others: list[Talker] = field(default_factory=list)
    role: int = 0
    """0: not inside."""
    admitted: int = 0
    was_put_out: bool = False
    """Comes back only if they are added, and may then leave and come by a link."""
    is_banned: bool = False

    @property
    def devices(self) -> list[Talker]:
        """Those on the list."""
        return [self.first, *self.others]


@dataclass(frozen=True)
class Said:
    """A message, its place, the device that said it, and those that may read it."""

    text: str
    seq: int
    device: DeviceId
    readers: frozenset[DeviceId]


class GroupLife(RuleBasedStateMachine):
    """Four people, of whom some are in a group."""

    url = ""

    @initialize()
    def meet(self) -> None:
        """Alice has made a group with bob and carol."""
        self.loop = asyncio.new_event_loop()
        self.home = Path(tempfile.mkdtemp(prefix="aparte-test-"))
        self.stack = AsyncExitStack()
        self.here: Company = self.does(self.stack.enter_async_context(company(self.home, self.url)))
        self.people = [Person(self.does(self.here.newcomer(name))) for name in PEOPLE]
        self.said: list[Said] = []
        self.due: dict[DeviceId, int] = {}  # from which message on a device must have read everything that it may
        self.away: list[Talker] = []
        self.admissions = 0
        alice, *rest = self.people
        made = self.does(alice.first.client.groups.new_group("life", [one.first.username for one in rest[:2]]))
        self.group: ConversationId = made.id
        for one, role in ((alice, OWNER), (rest[0], MEMBER), (rest[1], MEMBER)):
            self.let_in(one, role)
        self.say(0, 0)

    def does(self, doing: Coroutine[Any, Any, T]) -> T:
        """Let something happen, and everything else go on meanwhile."""
        return self.loop.run_until_complete(asyncio.wait_for(doing, 120))

    # The model: who is inside, and what they may ----------------------------------------------------------------------

    @property
    def inside(self) -> list[Person]:
        """In the order of their admission."""
        return sorted((one for one in self.people if one.role), key=lambda one: one.admitted)

    def let_in(self, person: Person, role: int) -> None:
        """Somebody is inside from here on."""
        self.admissions += 1
        person.role, person.admitted, person.was_put_out = role, self.admissions, False
        for talker in person.devices:
            self.due[talker.device] = len(self.said)

    def let_out(self, person: Person) -> None:
        """Somebody is out; the owner is followed by the highest role, then by who was there first."""
        person.role = 0
        for talker in person.devices:
            self.due.pop(talker.device, None)
        if self.inside and all(one.role != OWNER for one in self.inside):
            max(self.inside, key=lambda one: (one.role, -one.admitted)).role = OWNER

    def admin(self, which: int) -> Person:
        """One of those who may add and put out members."""
        return self.chosen([one for one in self.inside if one.role >= ADMIN], which)

    def chosen(self, among: list[Person], which: int) -> Person:
        """One of these."""
        return among[which % len(among)]

    # What people say --------------------------------------------------------------------------------------------------

    @rule(who=WHO, device=st.integers(0, DEVICES - 1), count=st.integers(1, 3))
    def say(self, who: int, device: int, count: int = 1) -> None:
        """Somebody inside says something."""
        if self.inside:
            person = self.chosen(self.inside, who)
            there = [one for one in person.devices if one not in self.away]
            for _ in range(count):
                self.does(self._say(there[device % len(there)], f"{len(self.said)}"))

    async def _say(self, talker: Talker, text: str) -> None:
        readers = frozenset(one.device for person in self.inside for one in person.devices)
        sent = await talker.client.send(str(self.group), text)
        self.said.append(Said(text, sent.seq, talker.device, readers))

    @rule()
    def speak_at_once(self) -> None:
        """Everybody inside speaks at the same time."""
        at = len(self.said)
        speaking = [self._say(one.first, f"{at}, {one.first.username}") for one in self.inside]
        self.does(self._at_once(*speaking))

    async def _at_once(self, *doing: Coroutine[Any, Any, Any]) -> None:
        await asyncio.gather(*doing)

    # Who is inside ----------------------------------------------------------------------------------------------------

    @rule(by=WHO, whom=WHO)
    def add(self, by: int, whom: int) -> None:
        """An admin adds somebody."""
        outside = [one for one in self.people if not one.role and not one.is_banned]
        if outside and self.inside:
            person = self.chosen(outside, whom)
            self.does(self._add(self.admin(by), person))
            self.let_in(person, MEMBER)
            self.say(by, 0)

    async def _add(self, by: Person, whom: Person) -> None:
        await by.first.client.groups.add_members(str(self.group), [whom.first.username])
        await whom.first.comes(lambda: is_in(whom.first, self.group), "has not been told of being added")

    @rule(by=WHO, whom=WHO)
    def join(self, by: int, whom: int) -> None:
        """An admin makes a link for one use, and somebody who was never put out comes by it."""
        outside = [one for one in self.people if not one.role and not one.was_put_out]
        if outside and self.inside:
            person = self.chosen(outside, whom)
            link = self.does(self.admin(by).first.client.groups.invite(str(self.group), uses=1))
            self.does(person.first.client.join(link))
            self.let_in(person, MEMBER)
            self.say(by, 0)

    @rule(by=WHO, whom=WHO, ban=st.booleans())
    def remove(self, by: int, whom: int, ban: bool) -> None:
        """An admin puts somebody of a lower role out."""
        if self.inside:
            admin = self.admin(by)
            lower = [one for one in self.inside if one.role < admin.role]
            if lower:
                person = self.chosen(lower, whom)
                self.does(self._remove(admin, person, ban=ban))
                self.was_put_out(person, ban=ban)
                self.say(by, 0)

    async def _remove(self, by: Person, whom: Person, *, ban: bool) -> None:
        if ban:
            await by.first.client.groups.ban(str(self.group), whom.first.username)
        else:
            await by.first.client.remove_member(str(self.group), whom.first.username)

    def was_put_out(self, person: Person, *, ban: bool) -> None:
        """Somebody was put out."""
        person.was_put_out, person.is_banned = True, ban
        self.let_out(person)

    @rule(by=WHO, whom=WHO)
    def unban(self, by: int, whom: int) -> None:
        """Somebody may be added again."""
        banned = [one for one in self.people if one.is_banned]
        if banned and self.inside:
            person = self.chosen(banned, whom)
            self.does(self.admin(by).first.client.groups.unban(str(self.group), person.first.username))
            person.is_banned = False

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        """Somebody leaves; the last one stays."""
        if len(self.inside) > 1:
            person = self.chosen(self.inside, who)
            self.does(person.first.client.leave(str(self.group)))
            self.let_out(person)
            self.say(who, 0)

    @rule(whom=WHO, role=st.sampled_from([MEMBER, MODERATOR, ADMIN, OWNER]))
    def change_role(self, whom: int, role: int) -> None:
        """The owner gives somebody another role, or the group."""
        others = [one for one in self.inside if one.role != OWNER]
        if others:
            [owner] = [one for one in self.inside if one.role == OWNER]
            person = self.chosen(others, whom)
            if person.role != role:
                username = person.first.username
                self.does(owner.first.client.change_role(str(self.group), username, NAMES[role]))
                owner.role = ADMIN if role == OWNER else OWNER
                person.role = role

    @rule(one=WHO, other=WHO, whom=WHO)
    def change_at_once(self, one: int, other: int, whom: int) -> None:
        """Two admins act at the same moment: one adds somebody, the other puts somebody out or changes a role."""
        outside = [person for person in self.people if not person.role and not person.is_banned]
        admins = [person for person in self.inside if person.role >= ADMIN]
        members = [person for person in self.inside if person.role == MEMBER]
        if not (outside and len(admins) > 1 and members):
            return
        adding, acting = admins[one % len(admins)], admins[(one + 1) % len(admins)]
        added, member = self.chosen(outside, whom), self.chosen(members, other)
        self.does(self._at_once(self._add(adding, added), self._remove(acting, member, ban=False)))
        self.let_in(added, MEMBER)
        self.was_put_out(member, ban=False)
        self.speak_at_once()

    # Devices ----------------------------------------------------------------------------------------------------------

    @rule(who=WHO, by=WHO)
    def link(self, who: int, by: int) -> None:
        """Somebody takes another device into use."""
        person = self.people[who]
        if len(person.devices) < DEVICES:
            talker = self.does(self.here.link(person.first))
            person.others.append(talker)
            if person.role:
                self.due[talker.device] = len(self.said)
            self.say(by, 1)

    @rule(who=WHO, by=WHO, is_stolen=st.booleans())
    def revoke(self, who: int, by: int, is_stolen: bool) -> None:
        """Somebody takes a device off: one that was wiped, or one that was stolen, under a new account key."""
        person = self.people[who]
        if person.others:
            talker = person.others.pop()
            self.does(person.first.client.keys.revoke(talker.device, PASSWORD if is_stolen else None))
            self.due.pop(talker.device, None)
            self.does(self._checked_for_the_last_time(talker))
            self.say(by, 0)

    async def _checked_for_the_last_time(self, talker: Talker) -> None:
        self._read_nothing_else(talker)
        if talker not in self.away:
            await talker.leave()
        self.away = [one for one in self.away if one is not talker]

    @rule(who=WHO)
    def go_away(self, who: int) -> None:
        """Switch a device off, for as long as it takes."""
        there = [one for one in self.people[who].others if one not in self.away]
        if there:
            self.does(there[0].leave())
            self.away.append(there[0])
            self.say(who, 0)

    @rule(which=st.integers(0, 8))
    def come_back(self, which: int) -> None:
        """Switch one on again."""
        if self.away:
            self.does(self.away.pop(which % len(self.away)).come_back())
            self.say(which, 0)

    # The law ----------------------------------------------------------------------------------------------------------

    def texts_of(self, talker: Talker) -> list[str]:
        """What a device has heard in the group."""
        return [str(one.text) for one in talker.heard if one.conversation_id == self.group and one.kind == "message"]

    def _read_nothing_else(self, talker: Talker) -> None:
        """Once each, in order, and nothing that was not for this device."""
        heard = self.texts_of(talker)
        order = [one.text for one in sorted(self.said, key=lambda one: one.seq) if talker.device in one.readers]
        assert heard == [text for text in order if text in set(heard)], f"{talker.username}: {heard} of {order}"

    async def _everybody_has_read(self) -> None:
        for talker in self.away:
            await talker.come_back()
        await self._at_once(*(self._say(one.first, f"{one.first.username} at the end") for one in self.inside))
        wanted_roles = {one.first.account.bytes: one.role for one in self.inside}
        for person in self.people:
            for talker in person.devices:
                if person.role:
                    await self._has_read(talker, wanted_roles)
                self._read_nothing_else(talker)

    async def _has_read(self, talker: Talker, wanted_roles: dict[bytes, int]) -> None:
        begins = self.due[talker.device]
        wanted = [one for one in self.said[begins:] if talker.device in one.readers and talker.device != one.device]
        await talker.hears(*(one.text for one in wanted))
        await talker.comes(lambda: roles(talker, self.group) == wanted_roles, "other members")
        await talker.comes(lambda: "waiting" not in {state for _, state, _ in talker.states()}, "something waits")
        assert not talker.refused() - SILENT, talker.states()
        assert not WRONG & talker.told(), talker.told()
        await talker.comes(lambda: name_of(talker, self.group) == "life", "another name")

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
def test_who_is_inside_reads_and_nobody_else(server: Aparte) -> None:
    lives(GroupLife, server.url, examples=3, steps=12)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
def test_a_full_life_of_a_group(server: Aparte, seed: int) -> None:
    a_full_life(server.url, seed, rounds=1)


def a_full_life(url: str, seed: int, rounds: int) -> None:
    """One in which everything happens: chance alone seldom thinks of that."""
    rng = random.Random(seed)
    life = type("OneGroupLife", (GroupLife,), {"url": url})()
    life.meet()
    try:
        for happens in everything(life, rng, rounds):
            happens()
    finally:
        life.teardown()
    assert len(life.said) > 10 * rounds


def everything(life: GroupLife, rng: random.Random, rounds: int) -> list[Any]:
    """Every rule in an order of chance, after two admins and some devices are there."""
    n = rng.randrange
    first = [lambda: life.change_role(0, ADMIN), lambda: life.link(0, 1), lambda: life.link(1, 0)]
    rest = [
        lambda: life.change_at_once(n(4), n(4), n(4)),
        lambda: life.go_away(0),
        lambda: life.remove(n(4), n(4), ban=False),
        lambda: life.add(n(4), n(4)),
        lambda: life.revoke(1, n(4), is_stolen=True),
        lambda: life.join(n(4), n(4)),
        lambda: life.remove(n(4), n(4), ban=True),
        lambda: life.unban(n(4), n(4)),
        lambda: life.change_role(n(4), OWNER),
        lambda: life.leave(n(4)),
        lambda: life.link(n(4), n(4)),
        life.speak_at_once,
        lambda: life.say(n(4), n(2), 3),
        lambda: life.add(n(4), n(4)),
        lambda: life.come_back(0),
    ] * rounds
    rng.shuffle(rest)
    return [*first, *rest]


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_who_is_inside_reads_and_nobody_else_in_many_lives(server: Aparte) -> None:
    lives(GroupLife, server.url, examples=60, steps=40)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_long_life_of_a_group(server: Aparte, seed: int) -> None:
    a_full_life(server.url, seed, rounds=4)
