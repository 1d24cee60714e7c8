"""Lists from all of somebody's conversations: what mentions them, what was found."""

from collections.abc import Sequence

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import lists
from aparte.wire.ids import LAST_ID, ConversationId, EntryId
from aparte.wire.messages import Mentioned, Message


async def mentions(db: Database, caller: Caller, before: EntryId | None, limit: int) -> Mentioned:
    """Page through what mentions the caller, newest first, in the conversations that they are in.

    Of sealed messages the server knows that they mention somebody, and not what they say.
    """
    async with db.read_log() as reader:
        found = await lists.select_mentioning(reader, caller.account, before or LAST_ID, limit)
    return Mentioned(found, found[-1].id if len(found) == limit else None)


async def some(
    db: Database, caller: Caller, wanted: Sequence[tuple[ConversationId, EntryId]], *, with_flags: bool = False
) -> list[Message]:
    """Read those of some messages that the caller can read at this moment and the server too, in the order wanted.

    `with_flags`: the caller moderates where they are.
    """
    if not wanted:
        return []
    async with db.read_log() as reader:
        return await lists.select_some(reader, caller.account, wanted, with_flags=with_flags)
