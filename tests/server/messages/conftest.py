"""A process that writes, as far as tests of messages need one."""

from collections.abc import AsyncIterator

import pytest
from tests.support import database

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint, ToConversationSealed
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Sent
from aparte.wire.sealed import SealEntry


class Sealing:
    """A server process as far as sealed entries go: its writer, what it knows of epochs, what it rang."""

    def __init__(self, dsn: str, db: Database) -> None:
        self.rung: list[Hint] = []
        self.db = db
        db.doorbell = self
        self.lanes = Lanes(dsn)
        self.writer = Writer(self.lanes, self.rung.extend)
        self.coverage = Coverage(db)

    def ring(self, hints: list[Hint]) -> None:
        """Keep what transactions ring."""
        self.rung.extend(hints)

    async def seal(self, caller: Caller, conversation: ConversationId, entry: SealEntry) -> Sent:
        """Store a sealed entry."""
        return await actions.seal(self.db, self.writer, self.coverage, caller, conversation, entry)

    def live(self) -> list[ToConversationSealed]:
        """Sealed entries that were rung, in order."""
        return [hint for hint in self.rung if isinstance(hint, ToConversationSealed)]


@pytest.fixture
async def sealing(cluster: database.Cluster, database_name: str, db: Database) -> AsyncIterator[Sealing]:
    """One process that takes sealed entries."""
    here = Sealing(cluster.dsn(database_name, service=True), db)
    here.writer.start()
    yield here
    await here.writer.close()
    await here.lanes.close()
