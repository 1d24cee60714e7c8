"""The trail's one verb."""

from aparte.server.audit import store
from aparte.server.audit.model import Event
from aparte.server.kit.db import Tx


async def record(tx: Tx, event: Event) -> None:
    """Write an event down; it is there exactly if what it tells of was committed."""
    await store.insert_event(tx, event)
