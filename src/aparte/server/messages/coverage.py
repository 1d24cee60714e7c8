"""Who must have an envelope: decided before the batch against the lists of an epoch, which the lock then confirms.

What belongs to an epoch and roster never changes, so it is kept in this process for a minute; only who is dormant may
have changed since, and a device that wakes up catches up without envelopes.
"""

import asyncio
from collections import OrderedDict

from aparte.server.conversations import actions as conversations
from aparte.server.keys import actions as keys
from aparte.server.kit.db import Database
from aparte.server.messages.model import Covering
from aparte.wire.ids import ConversationId

SECONDS = 60.0
KEPT = 4_000

_Key = tuple[ConversationId, int, bytes]


class Coverage:
    """What this process knows of the epochs that people send in."""

    def __init__(self, db: Database) -> None:
        """Ask this database."""
        self._db = db
        self._known: OrderedDict[_Key, tuple[float, Covering]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Lock] = {}

    async def of(self, conversation: ConversationId, epoch: int, roster: bytes) -> Covering | None:
        """Tell who must be covered in an epoch; None if it is not the conversation's present one."""
        key = (conversation, epoch, roster)
        known = self._fresh(key)
        if known is None or key in self._asking:
            # One asks, the others wait in their order: entries of one device must not overtake each other here.
            lock = self._asking.setdefault(key, asyncio.Lock())
            async with lock:
                known = self._fresh(key) or await self._learn(key)
            if not lock.locked():
                self._asking.pop(key, None)
        return known

    def _fresh(self, key: _Key) -> Covering | None:
        until, known = self._known.get(key, (0.0, None))
        return known if asyncio.get_running_loop().time() < until else None

    async def _learn(self, key: _Key) -> Covering | None:
        found = await self._ask(*key)
        if found is not None:
            self._known.pop(key, None)
            self._known[key] = (asyncio.get_running_loop().time() + SECONDS, found)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    async def _ask(self, conversation: ConversationId, epoch: int, roster: bytes) -> Covering | None:
        async with self._db.read() as reader:
            private = await conversations.private(reader, conversation)
            if private is None or (private.epoch, private.roster) != (epoch, roster):
                return None
            dormant = await keys.dormant(reader, sorted(private.devices))
        return Covering(private, private.devices, frozenset(dormant))
