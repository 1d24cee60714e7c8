"""Rows of contacts and blocks."""

from dataclasses import dataclass
from datetime import datetime

from aparte.wire.ids import AccountId


@dataclass(frozen=True, slots=True)
class ContactRow:
    """An entry of an address book."""

    contact: AccountId
    nickname: str | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block."""

    blocked: AccountId
    reason: str | None
    blocked_at: datetime
