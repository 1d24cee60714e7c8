"""Decide about a message that waits, and send what is approved: by the path of everything that is said.

Three steps, each of which may be the last one of a process: the decision is written · the message is sent · what came
of it is written. Whoever finds the first without the last does the others again; by its client id it is one message.
"""

import structlog

from aparte.server.filters import actions as filters
from aparte.server.filters.model import HeldRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.moderation import rules, store
from aparte.server.moderation.model import Outcome, Send
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, HeldId
from aparte.wire.moderation import Decision, Held

SETTLING_SECONDS = 5.0
"""How long who has approved a message may take to send it, before somebody else does."""

log = structlog.get_logger(__name__)


async def decide(
    db: Database, send: Send, caller: Caller, conversation: ConversationId, held: HeldId, decision: Decision
) -> Held:
    """Let a message through, or reject it. Where its author may no longer say it, it is rejected with the code."""
    row = await filters.decide(db, caller, conversation, held, decision)
    return await _send(db, send, row)


async def send_approved(db: Database, send: Send, seconds: float = SETTLING_SECONDS) -> int:
    """Send what was approved by somebody who did not come to sending it, or could not then. Counts what was tried."""
    rows = await filters.unsent(db, seconds)
    for row in rows:
        await _send(db, send, row)
    return len(rows)


async def _send(db: Database, send: Send, row: HeldRow) -> Held:
    outcome = await _outcome(db, send, row) if row.status == "approved" else Outcome()
    return await filters.settle(db, row, outcome.sent, outcome.refused)


async def _outcome(db: Database, send: Send, row: HeldRow) -> Outcome:
    assert row.message is not None  # noqa: S101 - what is not sent says something
    try:
        async with db.read() as reader:
            found = await store.select_author(reader, row.account)
        author = rules.author_of(row, found)
        return Outcome(sent=(await send(author, row.conversation, row.message)).id)
    except Refusal as refusal:
        return rules.outcome(row, refusal.code, now())
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are sent all the same
        log.error("approved_unsent", error=type(error).__name__)
        return rules.outcome(row, "internal", now())
