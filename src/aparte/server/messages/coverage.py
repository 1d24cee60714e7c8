"""Who must be able to read: decided before the batch against the lists of an epoch, which the lock then confirms.

What belongs to an epoch and roster never changes, so it is kept in this process for a minute; only who is dormant may
have changed since, and a device that wakes up catches up without envelopes. That a sender-key chain is complete in an
epoch stays true, so that a later entry of it asks nobody.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from aparte.server.conversations import actions as conversations
from aparte.server.keys import actions as keys
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import rules, sender_keys
from aparte.server.messages.model import Cover, Covering, Outgoing
from aparte.wire.ids import ConversationId, DeviceId

SECONDS = 60.0
KEPT = 4_000
CHAINS_KEPT = 100_000

_Key = tuple[ConversationId, int, bytes]


class Turns:
    """One asks, the others wait in their order: entries of one device must not overtake each other here."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Tell whether anybody has a turn at a key or waits for one."""
        return key in self._waiting

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for one's turn."""
        lock, count = self._waiting.get(key, (asyncio.Lock(), 0))
        self._waiting[key] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            lock, count = self._waiting.pop(key)
            if count > 1:
                self._waiting[key] = (lock, count - 1)


class Coverage:
    """What this process knows of the epochs that people send in."""

    def __init__(self, db: Database) -> None:
        """Ask this database."""
        self._db = db
        self._known: OrderedDict[_Key, tuple[float, Covering]] = OrderedDict()
        self._complete: OrderedDict[tuple[_Key, DeviceId, int], None] = OrderedDict()
        self._turns = Turns()

    async def of(self, conversation: ConversationId, epoch: int, roster: bytes) -> Covering | None:
        """Tell who must be covered in an epoch; None if it is not the conversation's present one."""
        key = (conversation, epoch, roster)
        known = self._fresh(key)
        if known is None or key in self._turns:
            async with self._turns.of(key):
                known = self._fresh(key) or await self._learn(key)
        return known

    async def present(self, conversation: ConversationId) -> Covering | None:
        """Tell the same of the present epoch, whichever it is; None of a conversation that is not encrypted."""
        async with self._db.read() as reader:
            now = await log.roster_of(reader, conversation)
        return await self.of(conversation, *now) if now else None

    async def of_chain(self, covering: Covering, sender: DeviceId, chain: int) -> Cover:
        """Tell whether everybody has a sender's chain, with what is pending of it."""
        private = covering.private
        fact = ((private.conversation, private.epoch, private.roster), sender, chain)
        line = (private.conversation, sender)
        if fact in self._complete and line not in self._turns:
            return Cover()
        async with self._turns.of(line):
            return Cover() if fact in self._complete else await self._ask_chain(covering, sender, chain)

    def note(self, entry: Outgoing) -> None:
        """An entry was stored: its chain is complete in its epoch."""
        sealing = entry.sealing
        if sealing is not None and sealing.chain is not None:
            key = (entry.conversation, sealing.epoch, sealing.roster)
            self._complete[key, entry.device, sealing.chain] = None
            while len(self._complete) > CHAINS_KEPT:
                self._complete.popitem(last=False)

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

    async def _ask_chain(self, covering: Covering, sender: DeviceId, chain: int) -> Cover:
        conversation = covering.private.conversation
        async with self._db.read() as reader:
            state = await sender_keys.select_chain(reader, conversation, sender, chain)
            since = None if state.complete is None else await log.since(reader, conversation, state.complete)
        return rules.cover_of_chain(covering, sender, state.pending, since)
