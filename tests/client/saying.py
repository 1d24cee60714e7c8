"""Saying more than words in private, a clock that a test moves, and all that a store holds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aparte.client import Client, Message, outbox, private
from aparte.client.changing import entry_id
from aparte.client.crypto import disappearing, sealing
from aparte.client.crypto.own import now_ms
from aparte.client.history import Asked
from aparte.client.private import Beside
from aparte.client.sending import content_of
from aparte.client.store.db import Store
from aparte.wire.ids import ConversationId
from aparte.wire.messages import Sent

SECONDS = 30.0


async def place_of(who: Client, target: str) -> ConversationId:
    """The conversation that somebody means."""
    return await who._places.resolve(target)


async def say(who: Client, target: str, text: str, **beside: Any) -> Sent:
    """Send a message with more than words."""
    return await who._private.say(await place_of(who, target), content_of(text), Beside(**beside), SECONDS)


async def shown(who: Client, target: str) -> list[Message]:
    """What history shows, even of what cannot be read."""
    return await who._history.newest(await place_of(who, target), Asked(50))


async def texts(who: Client, target: str) -> list[str | None]:
    """The words that history shows."""
    return [message.text for message in await shown(who, target)]


async def one(who: Client, target: str, sent: Sent) -> Message:
    """One message as somebody has it."""
    return await who._history.one(await place_of(who, target), entry_id(sent.id))


class Clock:
    """The time of all devices of a test, in milliseconds; it moves when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Stop the clocks that say how long a message is there."""
        self.now = now_ms()
        for module in (disappearing, sealing, outbox, private):
            patch.setattr(module, "now_ms", lambda: self.now)

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * 1000)

    def at(self, seconds: float) -> datetime:
        """The moment so many seconds from now on."""
        return datetime.fromtimestamp((self.now + round(seconds * 1000)) / 1000, UTC)


def everything(store: Store) -> bytes:
    """All that a store holds, decrypted, one value after the other."""
    found: list[bytes] = []
    with store.reading() as tx:
        for (table,) in tx.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            for row in tx.rows(f'SELECT * FROM "{table}"'):  # noqa: S608 - names of the schema
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(found)
