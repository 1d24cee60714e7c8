"""Gathering: people who are let in at nearly the same time begin one epoch together.

Every epoch costs each member's device a look at who is there, so there is one a second for additions; the first after
a quiet second is stored at once, and whatever else changes a group (a removal, a role, a link) is too, behind those
that wait. Each statement names the one before it, so what waits is told to whoever comes next: they sign on top of it.
This process alone gathers; of two processes the slower one is told `stale_membership`, as ever.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from aparte.e2ee.members import Membership
from aparte.server.conversations import fold
from aparte.server.conversations.actions import admitting
from aparte.server.conversations.model import Prepared, Submission
from aparte.server.kit.db import Database
from aparte.server.kit.tasks import TaskGroup
from aparte.wire.errors import Refusal
from aparte.wire.groups import Admitted, SignedStatement
from aparte.wire.ids import ConversationId

SECONDS = 1.0
KEPT = 1_000
"""Groups that are remembered before those that were quiet are forgotten."""

Outcome = Admitted | BaseException
Done = asyncio.Future[Outcome]


@dataclass
class _Group:
    """What happens to one group: one submission after the other, and what waits."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[tuple[Prepared, Done]] = field(default_factory=list)
    again: float = 0.0
    """From when on an addition is stored at once."""

    @property
    def tail(self) -> Membership | None:
        """The state after all that waits."""
        return self.waiting[-1][0].after if self.waiting else None

    def find(self, new: Submission) -> Done | None:
        """The same statements, if they wait already: their sender heard no answer."""
        for prepared, done in self.waiting:
            if [one.signed.statement for one in prepared.submission.said] == [one.signed.statement for one in new.said]:
                return done
        return None


class Gathering:
    """Takes statements of all groups in this process."""

    def __init__(self, db: Database, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        """Store in this database."""
        self._db = db
        self._seconds = seconds
        self._clock = clock
        self._groups: dict[ConversationId, _Group] = {}
        self._tasks = TaskGroup()

    async def submit(self, new: Submission) -> Admitted:
        """Store statements now or within a second. Whoever goes away meanwhile changes nothing for the others."""
        done: Done = asyncio.get_running_loop().create_future()
        self._tasks.start(self._take(new, done), "statements")
        outcome = await asyncio.shield(done)
        if isinstance(outcome, Admitted):
            return outcome
        raise outcome

    def pending(self, conversation: ConversationId) -> list[SignedStatement]:
        """The statements of a group that wait, in order."""
        group = self._groups.get(conversation)
        waiting = group.waiting if group else []
        return [one.signed for prepared, _ in waiting for one in prepared.submission.said]

    async def flush(self, conversation: ConversationId) -> None:
        """Store what waits of a group."""
        group = self._groups.get(conversation)
        if group is not None:
            async with group.lock:
                await self._flush(conversation, group)

    async def close(self) -> None:
        """Store what waits, and take nothing more."""
        for conversation in list(self._groups):
            await self.flush(conversation)
        await self._tasks.close()

    async def _take(self, new: Submission, done: Done) -> None:
        group = self._groups.setdefault(new.conversation, _Group())
        async with group.lock:
            try:
                await self._admit(group, new, done)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer of who waits
                done.set_result(await self._explained(new.conversation, error))
        self._forget()

    async def _admit(self, group: _Group, new: Submission, done: Done) -> None:
        waiting = group.find(new)
        if waiting is not None:
            waiting.add_done_callback(lambda other: done.set_result(other.result()))
            return
        async with self._db.read() as reader:
            repeat = await admitting.repeat_of(reader, new)
        if repeat is not None:
            done.set_result(repeat)
            return
        lets_in = fold.only_lets_in(new.said)
        before = await admitting.stored(self._db, new.conversation)
        if group.waiting and (not lets_in or group.waiting[0][0].before.hash != before.hash):
            await self._flush(new.conversation, group)
            before = await admitting.stored(self._db, new.conversation)
        prepared = await admitting.prepare(self._db, new, group.tail or before)
        group.waiting.append((prepared, done))
        if not lets_in or (len(group.waiting) == 1 and self._clock() >= group.again):
            await self._flush(new.conversation, group)
        elif len(group.waiting) == 1:
            self._tasks.start(self._flush_later(new.conversation, group.again - self._clock()), "gathering")

    async def _flush_later(self, conversation: ConversationId, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.flush(conversation)

    async def _flush(self, conversation: ConversationId, group: _Group) -> None:
        waiting, group.waiting = group.waiting, []
        if not waiting:
            return
        outcomes: Sequence[Admitted | Exception]
        try:
            outcomes = await admitting.store(self._db, [prepared for prepared, _ in waiting])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer of all who wait
            outcomes = [error] * len(waiting)
        group.again = self._clock() + self._seconds
        for (_, done), outcome in zip(waiting, outcomes, strict=True):
            told = outcome if isinstance(outcome, Admitted) else await self._explained(conversation, outcome)
            done.set_result(told)

    async def _explained(self, conversation: ConversationId, error: Exception) -> Exception:
        """With `stale_membership` comes where the chain ends, and what waits to continue it."""
        if not isinstance(error, Refusal) or error.code != "stale_membership":
            return error
        try:
            end = await admitting.stored(self._db, conversation)
        except Refusal as refusal:
            return refusal
        pending = [base64.b64encode(msgspec.msgpack.encode(one)).decode() for one in self.pending(conversation)]
        data = {"number": end.number, "hash": end.hash.hex(), "pending": pending}
        return Refusal(error.code, error.detail, data=data)

    def _forget(self) -> None:
        if len(self._groups) > KEPT:
            now = self._clock()
            for conversation, group in list(self._groups.items()):
                if not group.waiting and not group.lock.locked() and now >= group.again:
                    del self._groups[conversation]
