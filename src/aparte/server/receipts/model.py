"""A mark on its way in."""

from dataclasses import dataclass
from typing import Literal

from aparte.server.kit.caller import Caller
from aparte.wire import limits
from aparte.wire.content import Mode
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position

MarkKind = Literal["delivered", "read"]

ROWS_UP_TO = 256
"""Above so many members a readable conversation keeps no receipt rows, only read marks."""
ROWS_UP_TO_SEALED = limits.GROUP_MEMBERS
"""In an encrypted one the rows also tell whose keys can be erased."""
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
    device: DeviceId
    is_group: bool
    after: int | None
    """In an end-to-end encrypted conversation: up to where the device had acknowledged before."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A device says: everything up to here is stored, or has been read."""

    caller: Caller
    conversation: ConversationId
    kind: MarkKind
    up_to: Position


def keeps_rows(mode: Mode, member_count: int) -> bool:
    """Tell whether a conversation keeps receipt rows."""
    return member_count <= (ROWS_UP_TO_SEALED if mode == "e2ee" else ROWS_UP_TO)
