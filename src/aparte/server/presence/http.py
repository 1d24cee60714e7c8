"""REST of presence: translate, nothing else."""

import msgspec

from aparte.server.accounts import actions as accounts
from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing, ids_of
from aparte.server.presence.actions import Presence
from aparte.wire.accounts import AccountChange, PresenceChange, PresenceList, PresenceOf
from aparte.wire.ids import AccountId


class PresenceQuery(msgspec.Struct, frozen=True):
    """Ids of accounts, at most 100, separated by commas."""

    accounts: str


class Doors:
    """`/presence`."""

    def __init__(self, db: Database, presence: Presence) -> None:
        """Keep what the actions need."""
        self._db = db
        self._presence = presence

    async def look(self, call: Call[Nothing, PresenceQuery]) -> PresenceList:
        """Tell who is here, as far as they let one see."""
        found = await self._presence.look(call.caller.account, [AccountId(i) for i in ids_of(call.query.accounts)])
        return PresenceList([PresenceOf(f.account, f.status, f.last_seen_at) for f in found])

    async def declare(self, call: Call[PresenceChange, Nothing]) -> None:
        """Show myself as online, away, or offline (invisible); those who watch see it at once."""
        await accounts.change(self._db, call.caller, AccountChange(status=call.body.status))
        self._presence.declared(call.caller.account)
