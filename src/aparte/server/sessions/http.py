"""REST of sessions that are open."""

from aparte.server.kit.db import Database
from aparte.server.kit.door import Call, Nothing
from aparte.server.kit.limits import Limiter
from aparte.server.sessions import actions
from aparte.server.sessions.tokens import Tokens
from aparte.wire import accounts as wire
from aparte.wire.accounts import Refresh, SessionList
from aparte.wire.ids import SessionId


class Doors:
    """`/sessions`."""

    def __init__(self, db: Database, keys: Tokens, limiter: Limiter) -> None:
        """Serve from this database, with the server's key."""
        self._db = db
        self._keys = keys
        self._limiter = limiter

    async def refresh(self, call: Call[Refresh, Nothing]) -> wire.Tokens:
        """Exchange a refresh token for new tokens."""
        said = self._keys.read_refresh(call.body.refresh_token)
        await self._limiter.draw("refresh_session", str(said.session))
        return await actions.refresh(self._db, self._keys, call.body.refresh_token, call.origin)

    async def mine(self, call: Call[Nothing, Nothing]) -> SessionList:
        """One's open sessions on all devices."""
        return await actions.mine(self._db, call.caller)

    async def revoke(self, call: Call[Nothing, Nothing]) -> None:
        """End one of one's sessions."""
        await actions.revoke(self._db, call.caller, SessionId(call.id("session")))

    async def log_out(self, call: Call[Nothing, Nothing]) -> None:
        """End the session that asks."""
        await actions.revoke(self._db, call.caller, call.caller.session)
