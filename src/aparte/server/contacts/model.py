"""Rows of contacts, blocks and contact requests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aparte.wire import limits
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


RequestStatus = Literal["pending", "accepted", "declined"]

REQUESTS_SHOWN = 2 * limits.REQUESTS + 500
"""All that wait, in both directions, and what was decided last."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """The last contact request between two people."""

    requester: AccountId
    addressee: AccountId
    status: RequestStatus
    note: str
    created_at: datetime
    decided_at: datetime | None

    @property
    def is_pending(self) -> bool:
        """Whether it waits for an answer."""
        return self.status == "pending"

    def other(self, account: AccountId) -> AccountId:
        """The other one of the two."""
        return self.addressee if account == self.requester else self.requester
