"""Ahead: what can be judged of a message before it is due, by the rules that judge it then."""

from datetime import datetime, timedelta

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import content, rules, sender_keys
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.model import MISSING, STORED
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId
from aparte.wire.messages import SendMessage
from aparte.wire.sealed import SealEntry

SLACK = timedelta(days=1)
"""How much longer than planned a chain waits: servers may be away when something is due."""


def check_ahead(message: SendMessage) -> None:
    """Refuse words that nobody may say."""
    content.check(message.content)
    content.cleaned(message.content)


async def check_sealed_ahead(
    db: Database,
    coverage: Coverage,
    caller: Caller,
    conversation: ConversationId,
    entry: SealEntry,
    due: datetime,
) -> None:
    """Refuse what is not sealed for the present epoch, or in a group under a chain that somebody has not and is not
    about to be given; what is pending of that waits until it is due.

    Refuses with `stale_epoch`, `missing_devices`, `chain_too_old`, `invalid`, `forbidden`.
    """
    rules.check_sealed(entry)
    async with db.read() as reader:
        epoch, roster = await log.roster_of(reader, conversation) or (0, b"")
    is_present = (epoch, roster) == (entry.epoch, entry.roster)
    covering = await coverage.of(conversation, epoch, roster) if is_present else None
    if covering is None:
        raise Refusal("stale_epoch", data={"epoch": epoch, "roster": roster.hex()})
    if caller.account not in covering.private.members:
        raise Refusal("not_member")
    rules.check_fits(covering, caller.account, entry)
    if entry.chain is None:
        return
    cover = await coverage.of_chain(covering, caller.device, entry.chain)
    if cover.uncovered != STORED:
        raise Refusal("missing_devices" if cover.uncovered == MISSING else "chain_too_old")
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        await conversations.authorise(tx, caller, conversation, "post")
        await sender_keys.update_kept(tx, conversation, caller.device, entry.chain, due + SLACK)
