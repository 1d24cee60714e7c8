"""Gateway frames of the account state: translate, nothing else."""

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.door import Reply
from aparte.server.state import actions
from aparte.wire import frames


class Frames:
    """Frames of the account state."""

    def __init__(self, db: Database) -> None:
        """Keep what the actions need."""
        self._db = db

    async def state(self, caller: Caller, frame: frames.State, reply: Reply) -> None:
        """Read what changed after a revision."""
        page = await actions.page(self._db, caller, frame.after)
        reply(frames.States(page.rev, page.items, page.more, frame.ref))
