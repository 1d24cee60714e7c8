"""Bans: who was put out of a group and is let in no more, until a moderator lifts it."""

from aparte.server.conversations import links, rules
from aparte.server.conversations.actions.access import authorise
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Reader
from aparte.server.log import actions as log
from aparte.wire.groups import BanList
from aparte.wire.ids import AccountId, ConversationId


async def bans(db: Database, caller: Caller, conversation: ConversationId) -> BanList:
    """List who is banned, the oldest ban first; for moderators."""
    async with db.read() as reader:
        await _check(reader, caller, conversation)
        return BanList(await links.select_bans(reader, conversation))


async def lift_ban(db: Database, caller: Caller, conversation: ConversationId, account: AccountId) -> None:
    """Lift a ban; where there is none, nothing happens. Whoever it was still comes back only by being added."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        await _check(tx, caller, conversation)
        await links.update_ban_lifted(tx, conversation, account)


async def _check(reader: Reader, caller: Caller, conversation: ConversationId) -> None:
    standing = await authorise(reader, caller, conversation, "read")
    rules.check_group(standing)
    rules.check("manage_members", standing, caller.role)
