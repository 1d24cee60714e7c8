"""Which refusals of an approved message are final, and what may be flagged: pure. Sources: C-56, C-57, G-24."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from aparte.server.conversations.model import Standing
from aparte.server.filters.model import HeldRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.names import check_text
from aparte.server.moderation.model import Author, FlagsOf, Outcome
from aparte.wire import limits
from aparte.wire.errors import Refusal
from aparte.wire.ids import SessionId
from aparte.wire.messages import Message
from aparte.wire.moderation import Flag, Flagged

NO_SESSION = SessionId(UUID(int=0))
TRANSIENT = frozenset({"unavailable", "clock", "storage_full", "rate_limited", "internal", "slow_mode"})
"""Refusals that say nothing of the message: it is tried again."""
GIVEN_UP = timedelta(days=1)
"""After so long something that the server itself stumbles over is tried no more."""


def author_of(row: HeldRow, author: Author | None) -> Caller:
    """Give whoever said it as they would be asking now. Refuses with `account_closed`."""
    if author is None or not author.is_open:
        raise Refusal("account_closed")
    return Caller(row.account, row.device, NO_SESSION, author.role, is_listed=True)


def outcome(row: HeldRow, code: str, now: datetime) -> Outcome:
    """Decide what follows from a refusal of an approved message."""
    is_stuck = code == "internal" and row.decided_at is not None and now - row.decided_at > GIVEN_UP
    return Outcome() if code in TRANSIENT and not is_stuck else Outcome(refused=code)


def check_readable(standing: Standing) -> None:
    """Refuse what the server cannot read: nothing is flagged there."""
    if standing.mode != "server":
        raise Refusal("mode_mismatch")


def check_flag(standing: Standing, message: Message) -> None:
    """One flags what others say, and what is there."""
    if message.account == standing.account:
        raise Refusal("forbidden", "a message of one's own is deleted, not flagged")
    if message.deleted_at is not None or message.erased_at is not None:
        raise Refusal("gone")


def clean_flag(flag: Flag) -> Flag:
    """Give a flag as it is stored. Raises Refusal `invalid`."""
    return replace(flag, note=check_text(flag.note, limits.REASON, "the note").strip())


def flagged(message: Message, flags: FlagsOf) -> Flagged:
    """Give a flagged message as moderators see it."""
    return Flagged(message, dict(flags.reasons), list(flags.notes))
