"""REST of one's own account."""

from aparte.server.accounts import actions
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.wire.accounts import Account, AccountChange


class Doors:
    """`/accounts/me`."""

    def __init__(self, db: Database) -> None:
        """Serve from this database."""
        self._db = db

    async def me(self, call: Call[Nothing, Nothing]) -> Account:
        """One's own account."""
        return await actions.me(self._db, call.caller)

    async def change(self, call: Call[AccountChange, Nothing]) -> Account:
        """Change one's own profile, status and privacy."""
        return await actions.change(self._db, call.caller, call.body)
