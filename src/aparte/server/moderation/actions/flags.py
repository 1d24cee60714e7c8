"""Flag a message for the moderators of a conversation that the server can read; and what is flagged."""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.server.moderation import rules, store
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.moderation import Flag, FlaggedPage


async def flag(db: Database, caller: Caller, conversation: ConversationId, message: EntryId, wanted: Flag) -> None:
    """Tell moderators of somebody else's message that one sees; again is to say it in other words."""
    conversations.check_platform(caller.role)
    flag = rules.clean_flag(wanted)
    shown = await messages.get(db, caller, conversation, message)
    async with db.transaction() as tx:
        rules.check_flag(await conversations.authorise(tx, caller, conversation, "read"), shown)
        await store.upsert_flag(tx, conversation, message, caller.account, flag)


async def unflag(db: Database, caller: Caller, conversation: ConversationId, message: EntryId) -> None:
    """Take one's own flag back, while nobody has decided about it; where there is none, nothing happens."""
    conversations.check_platform(caller.role)
    await messages.get(db, caller, conversation, message)
    async with db.transaction() as tx:
        await store.delete_flag(tx, conversation, message, caller.account)


async def flagged(
    db: Database, caller: Caller, conversation: ConversationId, before: EntryId, limit: int
) -> FlaggedPage:
    """Page through flagged messages that are there, the newest first."""
    async with db.read() as reader:
        rules.check_readable(await conversations.authorise(reader, caller, conversation, "manage_messages"))
        found = {flags.message: flags for flags in await store.select_flagged(reader, conversation, before, limit)}
    shown = await messages.some(db, caller, [(conversation, message) for message in found], with_flags=True)
    following = list(found)[-1] if len(found) == limit else None
    return FlaggedPage([rules.flagged(message, found[message.id]) for message in shown], following)
