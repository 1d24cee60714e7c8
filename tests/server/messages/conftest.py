"""Processes that write, as far as tests of messages need one."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import pytest
from tests.server.messages.three import Admin, Three, person
from tests.support import database
from tests.support.sealed_groups import found
from tests.support.sealing import Sealer

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint, ToConversation, ToConversationSealed
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.wire.content import MessageContent
from aparte.wire.frames import Live, Moved
from aparte.wire.groups import Distributions
from aparte.wire.ids import ClientMessageId, ConversationId, DeviceId
from aparte.wire.messages import SendMessage, Sent
from aparte.wire.sealed import Envelope, SealEntry


class Sealing:
    """A server process as far as sealed entries go: its writer, what it knows of epochs, what it rang."""

    def __init__(self, dsn: str, db: Database) -> None:
        self.rung: list[Hint] = []
        self.db = db
        db.doorbell = self
        self.lanes = Lanes(dsn)
        self.writer = Writer(self.lanes, self.rung.extend, db)
        self.coverage = Coverage(db)

    def ring(self, hints: list[Hint]) -> None:
        """Keep what transactions ring."""
        self.rung.extend(hints)

    async def seal(self, caller: Caller, conversation: ConversationId, entry: SealEntry) -> Sent:
        """Store a sealed entry."""
        return await actions.seal(self.db, self.writer, self.coverage, caller, conversation, entry)

    async def give(self, sealer: Sealer, *devices: DeviceId, **other: Any) -> list[Envelope]:
        """Upload a part of a sealer's chain, for these devices or all others; gives what was uploaded."""
        fields = {"chain": sealer.chain, "epoch": sealer.epoch, "envelopes": parts(devices or sealer.others), **other}
        given = Distributions(**fields)
        await actions.distribute(self.db, self.coverage, sealer.caller, sealer.conversation, given)
        return given.envelopes

    def live(self) -> list[ToConversationSealed]:
        """Sealed entries that were rung, in order."""
        return [hint for hint in self.rung if isinstance(hint, ToConversationSealed)]

    def rung_to_all(self) -> list[tuple[str, int]]:
        """What groups were rung of entries: a hint, or the entry itself, and its position."""
        frames = [hint.frame for hint in self.rung if isinstance(hint, ToConversation)]
        told = {Moved: lambda frame: ("hint", frame.seq), Live: lambda frame: ("entry", frame.entry.seq)}
        return [told[type(frame)](frame) for frame in frames if type(frame) in told]


def parts(devices: Iterable[DeviceId]) -> list[Envelope]:
    """A pairwise message for each."""
    return [Envelope(device, 2, os.urandom(30)) for device in devices]


@pytest.fixture
async def sealing(cluster: database.Cluster, database_name: str, db: Database) -> AsyncIterator[Sealing]:
    """One process that takes sealed entries."""
    here = Sealing(cluster.dsn(database_name, service=True), db)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()


def saying(
    text: str, client_message_id: Any = None, *, thread: Any = None, forward: Any = None, **content: Any
) -> SendMessage:
    """A message to send."""
    key = ClientMessageId(client_message_id or uuid4())
    return SendMessage(key, MessageContent(text, **content), thread, forward)


async def waits_for_a_lock(admin: Any, count: int = 1) -> None:
    """Until so many connections wait for what somebody holds."""
    async with asyncio.timeout(10):
        while count > await admin.fetchval(  # noqa: ASYNC110 - PostgreSQL tells nobody when somebody waits
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


@pytest.fixture
async def service_dsn(cluster: database.Cluster, database_name: str) -> str:
    """Where the service's own connections go."""
    return cluster.dsn(database_name, service=True)


class Process:
    """A server process as far as writing goes: a writer and what it rang."""

    def __init__(self, dsn: str, db: Database) -> None:
        self.rung: list[Hint] = []
        self.lanes = Lanes(dsn)
        self.writer = Writer(self.lanes, self.rung.extend, db)

    async def send(self, caller: Caller, conversation: ConversationId, message: SendMessage) -> Sent:
        return await actions.send(self.writer, caller, conversation, message)

    def seqs(self, conversation: ConversationId) -> list[int]:
        """Positions in the order in which they were rung."""
        return [
            hint.frame.entry.seq
            for hint in self.rung
            if isinstance(hint, ToConversation) and hint.conversation == conversation and isinstance(hint.frame, Live)
        ]


@pytest.fixture
async def process(service_dsn: str, db: Database) -> AsyncIterator[Process]:
    """One process that writes."""
    here = Process(service_dsn, db)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()


@pytest.fixture
async def other(service_dsn: str, db: Database) -> AsyncIterator[Process]:
    """A second process that writes to the same database."""
    here = Process(service_dsn, db)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()


@pytest.fixture
async def three(db: Database, admin: Admin) -> Three:
    """Alice, Bob and Carol; Alice is about to begin her first chain."""
    people = [await person(admin) for _ in range(3)]
    group = await found(db, admin, *people)
    return Three(group, *people, await group.sealer(people[0]))
