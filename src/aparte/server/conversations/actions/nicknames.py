"""Nicknames: how a member is called in one conversation that the server can read (R-163)."""

from aparte.server.conversations import rules, seats
from aparte.server.conversations.actions import journal
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.actions.membership import seated
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.names import check_name
from aparte.server.log import actions as log
from aparte.wire import kinds, limits
from aparte.wire.content import MemberNickname
from aparte.wire.ids import AccountId, ConversationId


async def rename_member(
    db: Database, caller: Caller, conversation: ConversationId, account: AccountId, nickname: str | None
) -> None:
    """Call oneself, or a member of lower rank, by another name here; None: as everywhere.

    Refuses with `not_member`, `mode_mismatch` where the server would learn what it must not know, `forbidden`,
    `archived`, `not_found`, `invalid`.
    """
    rules.check_platform(caller.role)
    name = None if nickname is None else check_name(nickname, limits.NICKNAME, "the nickname")
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        is_own = account == caller.account
        rules.check_mode(await authorise(tx, caller, conversation, "read"))
        standing = await authorise(tx, caller, conversation, "read" if is_own else "manage_members")
        rules.check_open(standing)
        target = await seated(tx, conversation, account)
        if not is_own:
            rules.check_managed(standing, target)
        if name != target.nickname:
            await seats.update_nickname(tx, conversation, account, name)
            await journal.append(tx, caller, conversation, kinds.NICKNAME, MemberNickname(account, name))
