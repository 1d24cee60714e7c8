"""What the log knows of a conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, Position

OPEN, ARCHIVED, DELETED = 0, 1, 2
"""Whether a conversation is written to, is only read, or is no more (`Terms.closed`)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A conversation's head row."""

    conversation: ConversationId
    epoch: int
    last: Position
    ordinal: int
    """Messages ever counted; unread counts are differences of ordinals."""
    message_count: int
    floor: Position
    last_message_at: datetime | None
    roster: bytes | None
    """Who can read it, of an end-to-end encrypted conversation."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides over a send to a conversation, as its settings say: copies, kept where a send looks anyway."""

    slow_seconds: int = 0
    ttl_seconds: int | None = None
    closed: int = OPEN
    is_screened: bool = False


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """Who is why a new epoch begins in many conversations: the entry that each of them gets."""

    kind: int
    account: AccountId
    device: DeviceId
    body: msgspec.Struct
    """Of the entry, but for its `epoch` and `roster`, which are each conversation's own."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A new epoch of one conversation, and the position of the entry that says so."""

    conversation: ConversationId
    position: Position
    epoch: int
    roster: bytes


@dataclass(frozen=True, slots=True)
class Difference:
    """How an epoch differs from the one before it."""

    changed: Mapping[AccountId, int]
    """The list version of every member that is another one; 0: they are out."""
    added: frozenset[DeviceId]
    """Who can read from here on and could not before."""
    has_removed: bool
    """Somebody who could read before cannot any more, or has another account key."""


@dataclass(frozen=True, slots=True)
class Since:
    """What changed in the epochs after a certain one, up to the present."""

    added: frozenset[DeviceId]
    has_removed: bool


@dataclass(frozen=True, slots=True)
class NewStatements:
    """Membership statements to append, who says each from which device, and the epoch that begins with the last."""

    conversation: ConversationId
    said: Sequence[tuple[AccountId, DeviceId, SignedStatement]]
    number: int
    """Of the last statement."""
    roster: bytes
    difference: Difference


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch as it stands in the log: what it rests on, and the entry it begins with."""

    epoch: int
    roster: bytes
    statement: int
    begins: Position


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What to append: who did what, to which earlier entry."""

    conversation: ConversationId
    kind: int
    account: AccountId
    body: Any
    device: DeviceId | None = None
    client_message_id: ClientMessageId | None = None
    target: Position | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment of the whole log: everything committed before it was visible then.

    `xmin` is the oldest transaction that was still running; whoever changed since has an xid at or above it, however
    long its COMMIT took. `generation` names the history: after a restore it is another one and old markers mean all.
    """

    generation: UUID
    xmin: int

    def __str__(self) -> str:
        """Render for the wire, opaque to clients."""
        return f"{self.generation.hex[:12]}.{self.xmin:x}"

    def since(self, text: str) -> int:
        """Read a marker of the wire as an xid to compare with; 0, all, unless it is of this generation."""
        generation, _, xmin = text.partition(".")
        if generation != self.generation.hex[:12]:
            return 0
        try:
            return max(0, int(xmin, 16))
        except ValueError:
            return 0
