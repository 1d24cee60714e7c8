"""REST of the account state: translate, nothing else."""

import msgspec

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.state import actions
from aparte.wire.accounts import StatePage
from aparte.wire.conversations import Seq


class StateQuery(msgspec.Struct, frozen=True):
    """`after` is the newest revision one has."""

    after: Seq = 0


class Doors:
    """REST of the account state."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def page(self, call: Call[Nothing, StateQuery]) -> StatePage:
        """Read what changed after a revision."""
        return await actions.page(self._db, call.caller, call.query.after)
