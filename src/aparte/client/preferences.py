"""What one sets for oneself in a conversation: how loud it is, where it stands in one's list, labels."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aparte.client.api import preferences as api
from aparte.client.errors import ClientError
from aparte.client.places import Places
from aparte.client.session import Session
from aparte.wire.conversations import Level, Preferences, PreferencesChange

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when a conversation is silent that stays so."""


class Preferring:
    """The preferences of an open profile; nobody else sees them, one's other devices do."""

    def __init__(self, session: Session, places: Places) -> None:
        """Work in the name of a session."""
        self._session = session
        self._places = places

    async def get(self, target: str) -> Preferences:
        """Read them."""
        return await api.get(self._session, await self._places.resolve(target))

    async def mute(self, target: str, until: datetime | timedelta | None) -> Preferences:
        """Be told nothing until a moment, for a time, or for good (None)."""
        end = FOREVER if until is None else until
        if isinstance(end, timedelta):
            end = datetime.now(UTC) + end
        if end <= datetime.now(UTC):
            raise ClientError("invalid", "a moment that is over")
        return await self.change(target, PreferencesChange(muted_until=end.astimezone(UTC)))

    async def change(self, target: str, wanted: PreferencesChange) -> Preferences:
        """Change some of them; those left out stay."""
        return await api.change(self._session, await self._places.resolve(target), wanted)

    async def set_level(self, target: str, level: Level) -> Preferences:
        """Be told of all, of mentions, or of nothing."""
        if level not in ("all", "mentions", "none"):
            raise ClientError("invalid", "all, mentions or none")
        return await self.change(target, PreferencesChange(level=level))

    async def settings(self, target: str, settings: Mapping[str, Any]) -> Preferences:
        """Keep free settings of a program's own in place of those before."""
        return await self.change(target, PreferencesChange(settings=dict(settings)))
