"""What becomes of a message that waits: approved, rejected, withdrawn. Once, under the conversation's lock.

An approved one is sent after the commit, by the slice that knows how; until it is settled what came of that, it is
tried again, under the same client id.
"""

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import actions as conversations
from aparte.server.filters import rules, store
from aparte.server.filters.actions.telling import tell, tell_author
from aparte.server.filters.model import HeldRow, Verdict
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, EntryId, HeldId
from aparte.wire.moderation import Decision, Held

STEP = 100


async def decide(
    db: Database, caller: Caller, conversation: ConversationId, held: HeldId, decision: Decision
) -> HeldRow:
    """Approve a message that waits, or reject it; who comes second is refused with `over`."""
    reason = rules.clean_reason(decision.reason)
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        rules.check_readable(await conversations.authorise(tx, caller, conversation, "manage_messages"))
        row = _found(await store.lock_held(tx, conversation, held))
        rules.check_pending(row)
        verdict = Verdict("approved" if decision.approve else "rejected", caller.account, reason)
        row = await store.update_verdict(tx, held, verdict)
        await tell(tx, row)
        await audit.record(
            tx,
            Event(
                f"message_{verdict.status}",
                caller.account,
                caller.session,
                conversation,
                ("held_message", held),
                details={"author": str(row.account)},
            ),
        )
    return row


async def withdraw(db: Database, caller: Caller, conversation: ConversationId, held: HeldId) -> None:
    """Take one's own message back while it waits; also after leaving, for it is one's own."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        row = await store.lock_held(tx, conversation, held)
        if row is None or row.account != caller.account:
            await conversations.authorise(tx, caller, conversation, "read")
            raise Refusal("not_found")
        if row.status == "withdrawn":
            return
        rules.check_pending(row)
        await tell(tx, await store.update_verdict(tx, held, Verdict("withdrawn")))


async def unsent(db: Database, seconds: float) -> list[HeldRow]:
    """Read a batch of what was approved a while ago, and of which nobody has said whether it was sent."""
    async with db.read() as reader:
        return await store.select_unsent(reader, seconds, STEP)


async def settle(db: Database, row: HeldRow, sent: EntryId | None, refused: str | None = None) -> Held:
    """Write down what came of sending an approved message: the message that it has become, or the code with which the
    log refused it. What somebody else has written down meanwhile stands. Neither: it is tried again."""
    if sent is None and refused is None:
        return shown(row, row)
    async with db.transaction() as tx:
        # Also where nobody is any more: what came of it is written all the same, and stops no other.
        await log.lock_all(tx, [row.conversation])
        now_ = _found(await store.lock_held(tx, row.conversation, row.id))
        if now_.status == "approved" and now_.sent is None:
            now_ = await _settled(tx, now_, sent, refused)
            await tell_author(tx, now_)
    return shown(now_, row)


async def _settled(tx: Tx, row: HeldRow, sent: EntryId | None, refused: str | None) -> HeldRow:
    if sent is not None:
        return await store.update_sent(tx, row.id, sent)
    return await store.update_verdict(tx, row.id, Verdict("rejected", row.decided_by, refused or ""))


def shown(row: HeldRow, before: HeldRow) -> Held:
    """Give a decided message to who has decided, with the words that it had before."""
    assert before.message is not None  # noqa: S101 - what was approved or rejected says something
    return rules.shown(row, before.message, to_moderator=True)


def _found(row: HeldRow | None) -> HeldRow:
    if row is None:
        raise Refusal("not_found")
    return row
