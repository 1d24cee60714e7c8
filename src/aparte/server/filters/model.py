"""A message that waits, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, HeldId
from aparte.wire.messages import SendMessage

Status = Literal["pending", "approved", "rejected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A held message as it is kept; its words are gone once they stand in the log or are withdrawn."""

    id: HeldId
    conversation: ConversationId
    account: AccountId
    device: DeviceId
    client_message_id: ClientMessageId
    digest: int
    status: Status
    created_at: datetime
    words: tuple[str, ...] = field(repr=False)
    """What was found in it."""
    message: SendMessage | None = field(repr=False)
    decided_by: AccountId | None = None
    decided_at: datetime | None = None
    reason: str = ""
    sent: EntryId | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided of one that waits: by a moderator, by its author, or by the log."""

    status: Status
    by: AccountId | None = None
    reason: str = ""


KEPT_DAYS = 30
"""How long it is remembered what became of one: as long as a client id is."""
FOUND = 50
"""Words named to moderators of one message."""
TOLD = 50
"""Moderators of one conversation who are told that something waits."""
COUNTED = 1_000
"""More of them are not counted."""
