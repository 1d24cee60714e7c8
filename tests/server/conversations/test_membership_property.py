"""Whatever people do, one after the other or all at once, the rows are what the signed statements and lists say."""

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import retold
from tests.support.groups import Group, Link, founding, person
from tests.support.keys import with_device
from tests.support.sealing import add_device

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KeyPair
from aparte.server.accounts import actions as accounts
from aparte.server.conversations import actions as conversations
from aparte.server.conversations import chain
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.server.receipts import actions as receipts
from aparte.server.receipts.model import Mark
from aparte.wire import kinds
from aparte.wire.errors import Refusal
from aparte.wire.groups import NewStatements, SignedStatement
from aparte.wire.keys import SignedList

Admin = Any
T = TypeVar("T")
VERBS = ("add", "add", "remove", "leave", "role", "policy", "open", "close", "join", "link", "unlink", "rotate")
STEP = st.tuples(st.sampled_from(VERBS), st.integers(0, 4), st.integers(0, 4), st.integers(1, 4))
PEOPLE = 5


class Circle:
    """Some people, one group of theirs, and a link; each does what is asked as an honest client would."""

    def __init__(self, db: Database, admin: Admin, people: list[Caller], group: Group) -> None:
        """Begin."""
        self.db, self.admin, self.people, self.group = db, admin, people, group
        self.links = [Link(), Link()]
        self.one_at_a_time = asyncio.Lock()

    async def learned(self) -> Group:
        """The chain and the versions of lists as they are now."""
        async with self.db.read() as reader:
            said = await chain.select_statements(reader, self.group.id, len(self.group.chain), 1_000)
            known = await keys.hashes_of(reader, [who.account for who in self.people])
        here = self.group.again()
        here.versions = {account: one.version for account, one in known.items()}
        here.take(*said)
        return here

    def statement(self, here: Group, verb: str, actor: Caller, other: Caller, number: int) -> SignedStatement:
        """Sign what is asked."""
        link = self.links[number % 2]
        made: dict[str, Callable[[], SignedStatement]] = {
            "add": lambda: here.add(actor, other, min(number, 3)),
            "remove": lambda: here.remove(actor, other),
            "leave": lambda: here.leave(actor),
            "role": lambda: here.give_role(actor, other, number),
            "policy": lambda: here.set_policy(actor, number),
            "open": lambda: here.open(actor, link, min(number, 3), uses=number),
            "close": lambda: here.open(actor, link, 0),
            "join": lambda: here.join(actor, link, self.role_of(here, link)),
        }
        return made[verb]()

    @staticmethod
    def role_of(here: Group, link: Link) -> int:
        """What a link makes of who comes."""
        known = here.state.links.get(link.id)
        return known.role if known else 1

    async def do(self, gathering: Gathering, verb: str, actor: Caller, other: Caller, number: int) -> bool:
        """Do one thing; False if it was refused."""
        if verb in {"link", "unlink", "rotate"}:
            await self.relist(verb, actor)
            return True
        here, link = await self.learned(), self.links[number % 2]
        said = self.statement(here, verb, actor, other, number)
        try:
            if verb == "join":
                await conversations.join_by_link(self.db, gathering, actor, link.token, said)
            else:
                token = link.token if verb == "open" else None
                new = NewStatements([said], token, ban=False)
                await conversations.submit(self.db, gathering, actor, self.group.id, new)
        except Refusal as refusal:
            assert refusal.code in {
                "bad_statement", "not_member", "stale_membership", "invite_over", "forbidden",
            }, refusal  # fmt: skip
            return False
        return True

    async def relist(self, verb: str, who: Caller) -> None:
        """Store the next list of somebody: another device, one less, or another account key."""
        new_key = KeyPair.generate(os.urandom) if verb == "rotate" else self.group.key_of(who)
        other = None
        if verb == "link":
            async with self.one_at_a_time:
                other = await add_device(self.admin, who)
        async with self.db.transaction() as tx:
            await accounts.lock(tx, who.account)
            await conversations.lock_encrypted(tx, who.account)
            before = (await keys.lists_of(tx, [who.account]))[who.account].signed
            signed = self.next_list(who, before, new_key, other, shorter=verb == "unlink")
            await keys.store_next(tx, who.account, signed)
            await conversations.renew_epochs(tx, who.account, who.device, signed)
            self.group.account_keys[who.account] = new_key

    def next_list(
        self, who: Caller, before: SignedList, new_key: KeyPair, other: Caller | None, *, shorter: bool
    ) -> SignedList:
        """Sign it."""
        known, old_key = DeviceList.deserialize(before.list), self.group.key_of(who)
        devices = known.devices
        if other is not None and len(devices) < 4:
            devices = DeviceList.deserialize(with_device(before, other.device).list).devices
        elif shorter and len(devices) > 1:
            devices = devices[:-1]
        new = DeviceList(known.account, new_key.public, known.version + 1, known.hash, devices)
        previous = old_key if new_key is not old_key else None
        done = device_list.sign(new, new_key, os.urandom, previous_key=previous)
        return SignedList(done.list, done.signature, done.previous_signature)


async def circle(db: Database, admin: Admin) -> Circle:
    """Five people, three of them in a group whose members may add."""
    people = [await person(admin) for _ in range(PEOPLE)]
    group, new = founding(*people[:3], policy=1)
    await conversations.create_group(db, people[0], new)
    return Circle(db, admin, people, group)


async def check(here: Circle) -> None:
    """The rows, the epochs and the heads are what the log says."""
    state = await retold.check(here.admin, here.group.id)
    async with here.db.read() as reader:
        assert await chain.select_membership(reader, here.group.id) == state
        private = await conversations.private(reader, here.group.id)
    assert private is not None
    assert {account.bytes for account in private.roles} == set(state.members)
    count = await here.admin.fetchval(
        "SELECT member_count FROM conversations WHERE conversation_id = $1", here.group.id
    )
    assert count == len(state.members)


@pytest.mark.timeout(240)
@given(steps=st.lists(STEP, min_size=1, max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_after_any_history_the_rows_are_what_the_statements_say(
    db: Database, admin: Admin, steps: list[tuple[str, int, int, int]]
) -> None:
    here = await circle(db, admin)
    gathering = Gathering(db, seconds=0)
    for verb, actor, other, number in steps:
        if actor != other:
            await here.do(gathering, verb, here.people[actor], here.people[other], number)
    await gathering.close()
    await check(here)


async def test_lists_people_marks_and_messages_at_once_give_no_deadlock_and_the_right_rosters(
    db: Database, admin: Admin
) -> None:
    """Two processes, five people of whom everybody does everything, and readers who move their marks meanwhile."""
    here = await circle(db, admin)
    processes = [Gathering(db, seconds=0.02), Gathering(db, seconds=0.02)]
    dice = random.Random(7)

    async def live(who: Caller) -> int:
        done = 0
        for _ in range(25):
            other = dice.choice([one for one in here.people if one is not who])
            verb = dice.choice([*VERBS, "join", "read", "write"])
            if verb == "read":
                await mark(here, who)
            elif verb == "write":
                await write(here, who)
            else:
                done += await here.do(dice.choice(processes), verb, who, other, dice.randint(1, 4))
        return done

    done = await asyncio.gather(*(live(who) for who in here.people))
    for gathering in processes:
        await gathering.close()
    assert sum(done) > PEOPLE
    await check(here)


async def mark(here: Circle, who: Caller) -> None:
    """Read everything, if one is inside."""
    with contextlib.suppress(NotInside):
        head = (await refused_as(NotInside, conversations.get(here.db, who, here.group.id))).head
        await refused_as(NotInside, receipts.read(here.db, Mark(who, here.group.id, "read", head)))


async def write(here: Circle, who: Caller) -> None:
    """Take a position in the log, as any entry does."""
    async with here.db.transaction() as tx:
        body = kinds.Switch(on=True)
        await log.append(tx, NewEntry(here.group.id, kinds.DELETION, who.account, body, who.device))


class NotInside(Exception):
    """Whoever asked is not a member."""


async def refused_as(error: type[Exception], attempt: Awaitable[T]) -> T:
    """Do something that a former member may try."""
    try:
        return await attempt
    except Refusal as refusal:
        assert refusal.code == "not_member", refusal
        raise error from None
