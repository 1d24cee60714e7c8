"""A process that writes, reads into the index, and searches."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from tests.support import database

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint
from aparte.server.messages import actions as messages
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.server.search import actions
from aparte.server.search.indexer import Indexer
from aparte.server.search.memory import Memory
from aparte.server.search.model import Filters, WantedRooms
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId
from aparte.wire.messages import ChangeMessage, SendMessage
from aparte.wire.search import FoundMessages

LONG_AGO = -1_000.0


class Library:
    """A process as far as searching goes. `clock` is what its memory goes by."""

    def __init__(self, dsn: str, db: Database) -> None:
        self.db = db
        self.indexer = Indexer(db)
        db.doorbell = self
        self.lanes = Lanes(dsn)
        self.writer = Writer(self.lanes, self.ring, db)
        self.clock = 0.0
        self.memory = Memory(lambda: self.clock)
        self.is_deaf = False

    def ring(self, hints: list[Hint]) -> None:
        """Hear what was written, unless hints are lost."""
        if not self.is_deaf:
            self.indexer.ring(hints)

    async def say(
        self, who: Caller, room: ConversationId, text: str, thread: EntryId | None = None, **more: Any
    ) -> EntryId:
        """Send a message."""
        new = SendMessage(ClientMessageId(uuid4()), MessageContent(text, **more), thread)
        return (await messages.send(self.writer, who, room, new)).id

    async def edit(self, who: Caller, room: ConversationId, message: EntryId, text: str) -> None:
        """Change a message."""
        change = ChangeMessage(ClientMessageId(uuid4()), MessageContent(text))
        await messages.edit(self.db, who, room, message, change)

    async def delete(self, who: Caller, room: ConversationId, message: EntryId) -> None:
        """Delete a message for everyone."""
        await messages.delete(self.db, who, room, message, ClientMessageId(uuid4()))

    async def found(self, who: Caller, typed: str = "", limit: int = 20, **filters: Any) -> list[str]:
        """The texts that a search finds, once the index has read everything."""
        return texts(await self.search(who, typed, limit, **filters))

    async def search(self, who: Caller, typed: str = "", limit: int = 20, **filters: Any) -> FoundMessages:
        """Search in messages, once the index has read everything."""
        await self.indexer.catch_up()
        return await actions.messages(self.db, self.memory, who, typed, Filters(**filters), limit)

    async def people(self, who: Caller, typed: str, *, mine: bool = False, limit: int = 20) -> list[str]:
        """The user names that a search finds."""
        await self.indexer.catch_up()
        found = await actions.people(self.db, self.memory, who, typed, limit, mine=mine)
        return [person.username for person in found.people]

    async def rooms(self, who: Caller, typed: str = "", *, nsfw: bool = False, **metadata: Any) -> list[str]:
        """The names of rooms that a search finds."""
        await self.indexer.catch_up()
        wanted = WantedRooms(typed, metadata, nsfw, 20)
        return [room.name for room in (await actions.rooms(self.db, self.memory, who, wanted)).rooms]


def texts(found: FoundMessages) -> list[str]:
    """The texts of what was found."""
    return [one.message.content.text for one in found.found if one.message.content]


@pytest.fixture
async def library(cluster: database.Cluster, database_name: str, db: Database) -> AsyncIterator[Library]:
    """One process."""
    here = Library(cluster.dsn(database_name, service=True), db)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()
