"""Processes that send what is due, as far as tests need them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from tests.support import database

from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.server.scheduling import actions
from aparte.server.scheduling.model import Delivery
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId, ConversationId, ScheduledId
from aparte.wire.messages import NewScheduled, Scheduled, ScheduledSeal, SendMessage

Admin = Any
SOON = timedelta(minutes=10)


class Process:
    """A server process as far as scheduled messages go."""

    def __init__(self, db: Database, dsn: str) -> None:
        self.db = db
        self.lanes = Lanes(dsn)
        self.writer = Writer(self.lanes, lambda _: None, db)
        self.coverage = coverage = Coverage(db)
        self.delivery = Delivery(
            send=partial(messages.send, self.writer),
            seal=partial(messages.seal, db, self.writer, coverage),
            check=messages.check_ahead,
            check_sealed=partial(messages.check_sealed_ahead, db, coverage),
        )

    async def add(
        self, caller: Caller, conversation: ConversationId, what: str | ScheduledSeal, **given: Any
    ) -> Scheduled:
        """Schedule words, or what is sealed."""
        key = given.pop("key", None) or ClientMessageId(uuid4())
        due: datetime = given.pop("due", None) or now() + SOON
        new = (
            NewScheduled(key, due, sealed=what)
            if isinstance(what, ScheduledSeal)
            else NewScheduled(key, due, said(key, what))
        )
        return await actions.add(self.db, self.delivery, caller, conversation, new)

    async def round(self) -> int:
        """One look at what is due."""
        return await actions.send_due(self.db, self.delivery)


def said(key: ClientMessageId, text: str) -> SendMessage:
    """A message."""
    return SendMessage(key, MessageContent(text))


async def let_pass(admin: Admin, scheduled: ScheduledId, seconds: float = 1) -> None:
    """Let the time of one have come so long ago."""
    await admin.execute(
        """
        UPDATE scheduled_messages SET due_at = clock_timestamp() - make_interval(secs => $2),
               look_at = clock_timestamp() - make_interval(secs => $2)
         WHERE scheduled_id = $1
        """,
        scheduled,
        seconds,
    )


async def status_of(admin: Admin, scheduled: ScheduledId) -> tuple[str, str | None]:
    """What became of one, and why it was refused."""
    row = await admin.fetchrow("SELECT status, refused FROM scheduled_messages WHERE scheduled_id = $1", scheduled)
    return row["status"], row["refused"]


async def words(admin: Admin, conversation: ConversationId) -> list[str]:
    """What is said in a conversation, in order."""
    rows = await admin.fetch(
        "SELECT content->>'text' AS t FROM messages WHERE conversation_id = $1 ORDER BY id", conversation
    )
    return [row["t"] for row in rows]


@pytest.fixture
async def process(cluster: database.Cluster, database_name: str, db: Database) -> AsyncIterator[Process]:
    """One process."""
    here = Process(db, cluster.dsn(database_name, service=True))
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()


@pytest.fixture
async def other(cluster: database.Cluster, database_name: str) -> AsyncIterator[Process]:
    """Another one, on the same database."""
    dsn = cluster.dsn(database_name, service=True)
    db = Database(dsn)
    await db.open()
    here = Process(db, dsn)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()
    await db.close()
