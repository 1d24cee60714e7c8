"""Mentions: what names somebody, from all of their conversations."""

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import lists
from aparte.wire.ids import LAST_ID, EntryId
from aparte.wire.messages import Mentioned


async def mentions(db: Database, caller: Caller, before: EntryId | None, limit: int) -> Mentioned:
    """Page through what mentions the caller, newest first, in the conversations that they are in.

    Of sealed messages the server knows that they mention somebody, and not what they say.
    """
    async with db.read_log() as reader:
        found = await lists.select_mentioning(reader, caller.account, before or LAST_ID, limit)
    return Mentioned(found, found[-1].id if len(found) == limit else None)
