"""A mark on its way in."""

from dataclasses import dataclass
from typing import Literal

from aparte.server.kit.caller import Caller
from aparte.wire.ids import AccountId, ConversationId, Position

MarkKind = Literal["delivered", "read"]

ROWS_UP_TO = 256
"""Above so many members a conversation keeps no receipt rows, only read marks."""
TELL_UP_TO = 32
"""Above so many members receipts are not pushed (members × members frames a second), only asked for."""
KEEP_DAYS = 90
"""Older receipts collapse to the last of each device and kind."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mark that was news: who may now be told."""

    conversation: ConversationId
    account: AccountId
    up_to: int
    member_count: int
    after: int | None
    """In an end-to-end encrypted conversation: up to where the device had acknowledged before."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A device says: everything up to here is stored, or has been read."""

    caller: Caller
    conversation: ConversationId
    kind: MarkKind
    up_to: Position
