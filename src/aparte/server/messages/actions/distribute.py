"""Distribute: keep what devices need to read a sender-key chain, until an entry names it."""

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.log import actions as log
from aparte.server.messages import rules, sender_keys
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.model import PENDING_CHAINS
from aparte.wire.errors import Refusal
from aparte.wire.groups import Distributions
from aparte.wire.ids import ConversationId


async def distribute(
    db: Database, coverage: Coverage, caller: Caller, conversation: ConversationId, given: Distributions
) -> None:
    """Keep a part of a chain's distributions; again is once, and nobody is given any before an entry names the chain.

    A device that begins chain after chain without using them fills nothing: the oldest are forgotten. Refuses with
    `not_member`, `mode_mismatch`, `stale_epoch`, `missing_devices` (for who is not listed).
    """
    conversations.check_platform(caller.role)
    async with db.read() as reader:
        await conversations.authorise(reader, caller, conversation, "retract")
    covering = await coverage.present(conversation)
    awake = rules.check_distributions(covering, caller.device, given)
    async with db.transaction() as tx:
        # Under the head's lock: an entry sees all of a part or nothing, and the epoch of both is the same.
        head = await log.lock(tx, conversation)
        await conversations.authorise(tx, caller, conversation, "retract")
        if head.epoch != given.epoch:
            raise Refusal("stale_epoch", data={"epoch": head.epoch, "roster": (head.roster or b"").hex()})
        await sender_keys.delete_other_chains(tx, conversation, caller.device, given.chain, PENDING_CHAINS - 1)
        await sender_keys.upsert_distributions(tx, conversation, caller.device, given.chain, given.epoch, awake)
        await sender_keys.update_has_pending(tx, conversation, caller.device, given.chain)
