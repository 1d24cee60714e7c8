"""What the clock does: send what is due, and notice early what was sealed for readers of before."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from aparte.server.kit.db import Database, Tx
from aparte.server.kit.metrics import JOBS
from aparte.server.kit.tasks import TaskGroup
from aparte.server.scheduling import rules, store
from aparte.server.scheduling.actions.own import key_of
from aparte.server.scheduling.model import Delivery, Due, Outcome
from aparte.server.state import actions as state
from aparte.wire.errors import Refusal
from aparte.wire.ids import ScheduledId

log = structlog.get_logger(__name__)

AT_ONCE = 200
SECONDS = 20.0
"""How long a round waits for what it sends: less than a transaction may be idle."""
STEP = 500


async def send_due(db: Database, delivery: Delivery) -> int:
    """Send everything that is due, in order of its time within each conversation. Counts what was tried.

    One process does it at a time, and holds the rows meanwhile; if it dies, another one takes them and sends them
    again, which is no second message: it is the same client id.
    """
    tried = 0
    while True:
        async with db.transaction() as tx:
            due = await store.lock_due(tx, AT_ONCE) if await store.lock_round(tx) else []
            await _settle(tx, due, await _outcomes(delivery, due))
        tried += len(due)
        if len(due) < AT_ONCE:
            return tried


async def mark_stale(db: Database) -> int:
    """Let authors know of what their devices must seal again, before it is due. Counts it."""
    marked = 0
    while True:
        async with db.transaction() as tx:
            rows = await store.update_stale(tx, STEP)
            for row in sorted(rows, key=lambda row: row.account):
                await state.put(tx, row.account, key_of(row), rules.state_of(row))
        marked += len(rows)
        if len(rows) < STEP:
            return marked


async def _outcomes(delivery: Delivery, due: Sequence[Due]) -> dict[ScheduledId, Outcome]:
    """Send by conversation, at once; what is not answered in time has no outcome and is tried again."""
    outcomes: dict[ScheduledId, Outcome] = {}
    tasks = TaskGroup()
    try:
        lines = [tasks.start(_send_line(delivery, line, outcomes), "scheduling.line") for line in rules.lines(due)]
        if lines:
            await asyncio.wait(lines, timeout=SECONDS)
    finally:
        await tasks.close()
    return outcomes


async def _send_line(delivery: Delivery, line: Sequence[Due], outcomes: dict[ScheduledId, Outcome]) -> None:
    """Send what is due in one conversation, one after the other. What must be tried again lets nothing overtake it."""
    for due in line:
        try:
            outcomes[due.row.id] = await _send(delivery, due)
        except Refusal as refusal:
            outcomes[due.row.id] = rules.refused(due, refusal.code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are sent all the same
            log.error("scheduled_unsent", error=type(error).__name__)
            outcomes[due.row.id] = rules.refused(due, "internal")
        if outcomes[due.row.id].status == "waiting":
            return


async def _send(delivery: Delivery, due: Due) -> Outcome:
    row, code = due.row, rules.who_may(due)
    if code is not None:
        raise Refusal(code)
    author = rules.author(due)
    if row.sealed is not None:
        entry = rules.entry_of(row.sealed, row.client_message_id)
        return rules.sent((await delivery.seal(author, row.conversation, entry)).id)
    assert row.message is not None  # noqa: S101 - what waits says something
    return rules.sent((await delivery.send(author, row.conversation, row.message)).id)


async def _settle(tx: Tx, due: Sequence[Due], outcomes: dict[ScheduledId, Outcome]) -> None:
    """Write down what became of each, accounts in the order that everybody keeps."""
    for one in sorted(due, key=lambda one: one.row.account):
        outcome = outcomes.get(one.row.id)
        if outcome is None:
            continue
        JOBS.labels("scheduled", outcome.status).inc()
        if outcome.status == "waiting":
            await store.update_look(tx, one.row.id, outcome.again_seconds)
            continue
        await store.update_outcome(tx, one.row.id, outcome)
        row = replace(one.row, status=outcome.status, sent=outcome.sent, refused=outcome.refused)
        await state.put(tx, row.account, key_of(row), rules.state_of(row))
