"""Silences: a moderator keeps a member from writing and reacting for a while (C-23).

In encrypted conversations too: the server knows who writes, if not what.
"""

from aparte.server.conversations import rules, seats
from aparte.server.conversations.actions import journal
from aparte.server.conversations.actions.access import authorise
from aparte.server.conversations.actions.membership import seated
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.wire import kinds
from aparte.wire.content import MemberSilence
from aparte.wire.conversations import Silence, SilenceList
from aparte.wire.ids import AccountId, ConversationId


async def silence(
    db: Database, caller: Caller, conversation: ConversationId, account: AccountId, wanted: Silence
) -> None:
    """Silence a member of lower rank until a moment; again is with the new moment and reason.

    Refuses with `not_member`, `forbidden`, `archived`, `not_found`, `invalid`.
    """
    reason = rules.clean_reason(wanted.reason)
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_members")
        rules.check_managed(standing, await seated(tx, conversation, account))
        rules.check_silence(wanted.until, now())
        await seats.update_silence(tx, conversation, account, wanted.until, caller.account, reason)
        await journal.append(tx, caller, conversation, kinds.SILENCED, MemberSilence(account, wanted.until))
        await journal.record(tx, caller, conversation, "member_silenced", account, until=wanted.until)


async def lift_silence(db: Database, caller: Caller, conversation: ConversationId, account: AccountId) -> None:
    """Let a member speak again; where nobody is silenced, nothing happens. Refuses as `silence` does."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        standing = await authorise(tx, caller, conversation, "manage_members")
        rules.check_managed(standing, await seated(tx, conversation, account))
        if await seats.update_silence_lifted(tx, conversation, account):
            await journal.append(tx, caller, conversation, kinds.SILENCED, MemberSilence(account))
            await journal.record(tx, caller, conversation, "silence_lifted", account)


async def silences(db: Database, caller: Caller, conversation: ConversationId) -> SilenceList:
    """List who is silenced at this moment; for those who may silence."""
    async with db.read() as reader:
        await authorise(reader, caller, conversation, "manage_members")
        return SilenceList(await seats.select_silences(reader, conversation))
