"""A message that is due later."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aparte.server.kit.caller import Caller
from aparte.wire.accounts import PlatformRole
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, ScheduledId
from aparte.wire.messages import ScheduledSeal, SendMessage, Sent
from aparte.wire.sealed import SealEntry

Status = Literal["waiting", "stale", "sent", "cancelled", "refused"]


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    """A scheduled message as it is kept; its words, or what was sealed, are gone once it is sent or cancelled."""

    id: ScheduledId
    conversation: ConversationId
    account: AccountId
    device: DeviceId
    client_message_id: ClientMessageId
    digest: int
    due: datetime
    status: Status
    created_at: datetime
    message: SendMessage | None = None
    sealed: ScheduledSeal | None = None
    sent: EntryId | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """One whose time has come, and who its author is by then."""

    row: ScheduledRow
    role: PlatformRole
    is_open: bool
    """Whether the author's account is: active, neither suspended nor deleted."""
    late_seconds: float
    """Since when it is due."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: a status to write down, or to be tried again after so many seconds."""

    status: Status
    sent: EntryId | None = None
    refused: str | None = None
    again_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The path of everything that is said, as the slice of messages has it; handed in by `app`."""

    send: Callable[[Caller, ConversationId, SendMessage], Awaitable[Sent]]
    seal: Callable[[Caller, ConversationId, SealEntry], Awaitable[Sent]]
    check: Callable[[SendMessage], None]
    check_sealed: Callable[[Caller, ConversationId, SealEntry, datetime], Awaitable[None]]


KEPT_DAYS = 30
"""How long it is remembered what became of one: as long as a client id is."""
