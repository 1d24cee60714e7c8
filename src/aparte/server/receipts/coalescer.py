"""Marks of sockets, gathered: the newest of each device, conversation and kind, written once a second."""

import asyncio

from aparte.server.kit.db import Database
from aparte.server.kit.tasks import TaskGroup, every
from aparte.server.receipts import actions
from aparte.server.receipts.model import Mark, MarkKind
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, DeviceId

SECONDS = 1.0
AT_ONCE = 4
TOGETHER = 500
WAITING = 100_000
"""Marks kept while PostgreSQL is away; more are dropped, which a later mark of the device makes good."""

_Key = tuple[ConversationId, DeviceId, MarkKind]


class Coalescer:
    """Takes marks at any rate and writes the newest ones."""

    def __init__(self, db: Database) -> None:
        """Write to this database."""
        self._db = db
        self._marks: dict[_Key, Mark] = {}
        self._tasks = TaskGroup()
        self._places = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Begin to write once a second."""
        self._tasks.start(every(SECONDS, self.flush, "receipts"), "receipts")

    async def close(self) -> None:
        """Write what is left, then stop."""
        await self._tasks.close()
        await self.flush()

    def put(self, mark: Mark) -> None:
        """Remember a mark unless a newer one waits already."""
        key = (mark.conversation, mark.caller.device, mark.kind)
        waiting = self._marks.get(key)
        if waiting is None and len(self._marks) >= WAITING:
            return
        if waiting is None or waiting.up_to.seq < mark.up_to.seq:
            self._marks[key] = mark

    async def flush(self) -> None:
        """Write what waits; what cannot be written now waits for the next round."""
        marks, self._marks = list(self._marks.values()), {}
        stored = [mark for mark in marks if mark.kind == "delivered"]
        steps = [self._delivered(stored[at : at + TOGETHER]) for at in range(0, len(stored), TOGETHER)]
        steps += [self._read(mark) for mark in marks if mark.kind == "read"]
        await asyncio.gather(*steps)

    async def _delivered(self, marks: list[Mark]) -> None:
        async with self._places:
            try:
                await actions.delivered(self._db, marks)
            except Refusal as refusal:
                self._again(marks, refusal)

    async def _read(self, mark: Mark) -> None:
        async with self._places:
            try:
                await actions.read(self._db, mark)
            except Refusal as refusal:
                self._again([mark], refusal)

    def _again(self, marks: list[Mark], refusal: Refusal) -> None:
        """Keep marks for a better moment; those that are refused for what they say are forgotten."""
        if refusal.code in {"unavailable", "storage_full"}:
            for mark in marks:
                self.put(mark)
