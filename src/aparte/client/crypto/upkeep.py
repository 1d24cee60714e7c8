"""What an open profile does for its keys beside everything else: prekeys, keys to pass on, keys to forget, in time."""

import asyncio

from aparte.client.crypto import disappearing, own, revoking
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import content_keys, early_keys, payloads

LOOK_SECONDS = 600.0
"""How often upkeep looks whether anything is due."""
AGAIN_SECONDS = 60.0
"""How long upkeep waits after it failed."""
DAY_MS = 86_400_000
RESTORABLE_DAYS = 30
"""How long whoever deleted a message keeps its key."""
ANSWERED_DAYS = 60
"""How long envelopes wait at the server, so how late a key may be asked for."""


async def look_after(session: Session) -> None:
    """Keep the keys up, and erase what disappears when it is time, until cancelled."""
    async with asyncio.TaskGroup() as both:
        both.create_task(_keep_keys(session))
        both.create_task(disappearing.keep_time(session))


async def _keep_keys(session: Session) -> None:
    """Keep the keys up; trouble waits for the next time, and a profile without keys has nothing."""
    while True:
        wait = LOOK_SECONDS
        try:
            forget(session, own.now_ms())
            await own.keep_up(session)
            await revoking.tell_account_key(session)
        except KeyRefused:
            return
        except ClientError:
            wait = AGAIN_SECONDS
        await asyncio.sleep(wait)


def forget(session: Session, now: int) -> None:
    """Forget keys of what was deleted long ago or has never come, and what was noted about key requests."""
    with session.store.transaction() as tx:
        content_keys.delete_expired(tx, now - RESTORABLE_DAYS * DAY_MS)
        payloads.delete_answered(tx, now - ANSWERED_DAYS * DAY_MS)
        early_keys.delete_old(tx, now - ANSWERED_DAYS * DAY_MS)
