"""When something can be scheduled, who may change it, and what follows from how sending it went: pure. Source: G-12."""

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from aparte.server.kit.caller import Caller
from aparte.server.scheduling.model import Due, Outcome, ScheduledRow
from aparte.wire import limits
from aparte.wire.codec import to_json
from aparte.wire.content import Mode
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, SessionId
from aparte.wire.messages import NewScheduled, Scheduled, ScheduledChange, ScheduledSeal
from aparte.wire.sealed import SealEntry

NO_SESSION = SessionId(UUID(int=0))
SOONEST = timedelta(seconds=1)
TRANSIENT = frozenset({"unavailable", "clock", "storage_full", "rate_limited", "internal"})
"""Refusals that say nothing of the message: it is tried again."""
STALE = frozenset({"stale_epoch", "missing_devices", "chain_too_old"})
"""Refusals of what is sealed for readers of before: its author's device seals it again."""
HELD = "held"
"""It waits for a moderator, who has it now."""
LONGEST_PAUSE = 300.0
GIVEN_UP_SECONDS = 86_400.0
"""After so long something that the server itself stumbles over is tried no more."""


def check_due(due: datetime | None, now: datetime, *, is_sealed: bool) -> datetime:
    """Give a time as it is kept. Raises Refusal `invalid` for one without zone, past, too near or too far."""
    if due is None or due.tzinfo is None:
        raise Refusal("invalid", "due has no time zone")
    days = limits.SCHEDULE_SEALED_DAYS if is_sealed else limits.SCHEDULE_DAYS
    if not now + SOONEST <= due <= now + timedelta(days=days):
        raise Refusal("invalid", f"due is from 1 second to {days} days ahead")
    return due.astimezone(UTC)


def check_form(given: NewScheduled) -> None:
    """Refuse what is both readable and sealed, or neither, or bears two client ids."""
    if (given.message is None) == (given.sealed is None):
        raise Refusal("invalid", "either message or sealed")
    if given.message is not None and given.message.client_message_id != given.client_message_id:
        raise Refusal("invalid", "client_message_id is not that of the message")


def check_mode(mode: Mode, *, is_sealed: bool) -> None:
    """What the server could read is not kept for an encrypted conversation, nor the other way round."""
    if is_sealed != (mode == "e2ee"):
        raise Refusal("mode_mismatch")


def check_repeat(row: ScheduledRow, digest: int) -> None:
    """The same client id for the same thing is a repeat; for another thing it is a mistake of the client."""
    if row.digest != digest:
        raise Refusal("client_id_reused")


def digest(conversation: ConversationId, given: NewScheduled) -> int:
    """Stand for what was asked: first 8 bytes of SHA-256, as PostgreSQL's bigint."""
    data = hashlib.sha256(conversation.bytes + to_json(given)).digest()
    return int.from_bytes(data[:8], "big", signed=True)


def check_open(row: ScheduledRow, now: datetime) -> None:
    """Nobody changes or takes back what is over, or is due: it may have been sent already."""
    is_going_out = row.status == "waiting" and row.due <= now
    if row.status in {"sent", "cancelled", "refused"} or is_going_out:
        raise Refusal("over")


def check_removable(row: ScheduledRow, now: datetime) -> None:
    """What was refused can be put away; otherwise as `check_open`."""
    if row.status != "refused":
        check_open(row, now)


def changed(row: ScheduledRow, wanted: ScheduledChange, now: datetime) -> ScheduledRow:
    """Give a message as it is after a change. Refuses with `over` what is, `invalid` what cannot be.

    The time of a sealed one stands inside of what is sealed, so another time needs another sealing; one that is stale
    keeps its time even when that is past.
    """
    check_open(row, now)
    is_sealed = row.sealed is not None
    if (wanted.message is not None and is_sealed) or (wanted.sealed is not None and not is_sealed):
        raise Refusal("mode_mismatch")
    if wanted.message is not None and wanted.message.client_message_id != row.client_message_id:
        raise Refusal("invalid", "client_message_id is not that of the message")
    if wanted.due is None and wanted.message is None and wanted.sealed is None:
        raise Refusal("invalid", "nothing is changed")
    if is_sealed and wanted.sealed is None:
        raise Refusal("invalid", "another time of a sealed message needs sealing it again")
    due = row.due if wanted.due in {None, row.due} else check_due(wanted.due, now, is_sealed=is_sealed)
    message, sealed = wanted.message or row.message, wanted.sealed or row.sealed
    return dataclasses.replace(row, due=due, status="waiting", message=message, sealed=sealed)


def shown(row: ScheduledRow) -> Scheduled:
    """Give a scheduled message as its author sees it."""
    return Scheduled(
        id=row.id,
        conversation=row.conversation,
        due=row.due,
        status=row.status,
        created_at=row.created_at,
        client_message_id=row.client_message_id,
        device=row.device,
        message=row.message,
        sealed=row.sealed,
        sent=row.sent,
        refused=row.refused,
    )


def state_of(row: ScheduledRow) -> Scheduled | None:
    """Give the account state's value: without what was sealed, which is asked for; none once it is sent or put away."""
    return replace(shown(row), sealed=None) if row.status in {"waiting", "stale", "refused"} else None


def sent(entry: EntryId) -> Outcome:
    """What was sent is over."""
    return Outcome("sent", sent=entry)


def refused(due: Due, code: str) -> Outcome:
    """Decide what follows from a refusal: told to the author, sealed again, left to a moderator, or tried again."""
    if code == HELD:
        return Outcome("sent")
    if code in STALE and due.row.sealed is not None:
        return Outcome("stale")
    if code in TRANSIENT and not (code == "internal" and due.late_seconds > GIVEN_UP_SECONDS):
        return Outcome("waiting", again_seconds=min(LONGEST_PAUSE, 1 + due.late_seconds / 4))
    return Outcome("refused", refused=code)


def entry_of(seal: ScheduledSeal, client_message_id: ClientMessageId) -> SealEntry:
    """Give a sealed message as the entry that it will be: outside of its device's chain, its key on other ways."""
    return SealEntry(
        client_message_id=client_message_id,
        epoch=seal.epoch,
        roster=seal.roster,
        counter=0,
        prev=bytes(32),
        sealed=seal.sealed,
        envelopes=[],
        target=seal.thread,
        mentions=seal.mentions,
        ttl=seal.ttl,
        chain=seal.chain,
        key=seal.key,
    )


def author(due: Due) -> Caller:
    """Give whoever said it as they would be asking now; they may be anywhere."""
    return Caller(due.row.account, due.row.device, NO_SESSION, due.role, is_listed=True)


def who_may(due: Due) -> str | None:
    """Name what keeps an author from saying anything anywhere; None if nothing does."""
    if not due.is_open:
        return "account_closed"
    return "forbidden" if due.role == "guest" else None


def lines(found: Sequence[Due]) -> list[list[Due]]:
    """Lay what is due out by conversation, each in order of time: only there order is seen."""
    by_conversation: dict[ConversationId, list[Due]] = {}
    for due in found:
        by_conversation.setdefault(due.row.conversation, []).append(due)
    return list(by_conversation.values())
