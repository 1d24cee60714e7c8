"""Bans: who is let into a conversation no more, by whichever door, until a moderator lifts it."""

from aparte.server.accounts import actions as accounts
from aparte.server.conversations import links, rules, seats
from aparte.server.conversations.actions import journal
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.actions.membership import exit_
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.wire import kinds, limits
from aparte.wire.errors import Refusal
from aparte.wire.groups import BanList, NewBan
from aparte.wire.ids import AccountId, ConversationId


async def ban(db: Database, caller: Caller, conversation: ConversationId, account: AccountId, wanted: NewBan) -> None:
    """Ban somebody: a member of lower rank is put out, somebody outside comes in no more. Banned twice is banned once.

    Refuses with `not_member`, `forbidden`, `archived`, `too_many`, `not_found` where there is no such person, and
    `mode_mismatch` for who is in a group: a statement puts them out first.
    """
    reason = rules.clean_reason(wanted.reason)
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_members")
        inside = await seats.select_seats(tx, conversation, [account])
        if inside:
            rules.check_removal(standing, inside[0])
            rules.check_no_chain(standing)
            await exit_(tx, caller, conversation, account, kinds.REMOVED, is_banned=True)
        elif not await accounts.people(tx, [account]):
            raise Refusal("not_found", "there is no such person")
        if await links.select_ban_count(tx, conversation) >= limits.BANS:
            raise Refusal("too_many", f"a conversation bans at most {limits.BANS} people")
        if await links.upsert_banned(tx, conversation, account, caller.account, reason):
            await journal.record(tx, caller, conversation, "member_banned", account)


async def bans(db: Database, caller: Caller, conversation: ConversationId) -> BanList:
    """List who is banned, the oldest ban first; for those who may ban."""
    async with db.read() as reader:
        await authorise(reader, caller, conversation, "manage_members")
        return BanList(await links.select_bans(reader, conversation))


async def lift_ban(db: Database, caller: Caller, conversation: ConversationId, account: AccountId) -> None:
    """Lift a ban; where there is none, nothing happens. Nobody comes back by it: they may come again."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        await authorise(tx, caller, conversation, "manage_members")
        if await links.update_ban_lifted(tx, conversation, account):
            await journal.record(tx, caller, conversation, "ban_lifted", account)
