"""What an open profile does for its keys beside everything else: prekeys, and an account key that must be passed on."""

import asyncio

from aparte.client.crypto import own, revoking
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session

LOOK_SECONDS = 600.0
"""How often upkeep looks whether anything is due."""
AGAIN_SECONDS = 60.0
"""How long upkeep waits after it failed."""


async def look_after(session: Session) -> None:
    """Keep the keys up until cancelled; trouble waits for the next time, and a profile without keys has nothing."""
    while True:
        wait = LOOK_SECONDS
        try:
            await own.keep_up(session)
            await revoking.tell_account_key(session)
        except KeyRefused:
            return
        except ClientError:
            wait = AGAIN_SECONDS
        await asyncio.sleep(wait)
