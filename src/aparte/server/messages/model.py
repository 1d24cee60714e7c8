"""A message on its way in, and a message as it is stored."""

import asyncio
from dataclasses import dataclass, field

from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position

Key = tuple[ConversationId, DeviceId, ClientMessageId]
"""What makes two sends the same one."""

STORED, REPEAT, AGAIN, NOT_MEMBER, REUSED, CLOCK = range(6)
"""Outcomes of the function `send_v1`."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a message is: its position, and its ordinal if it was stored just now (a repeat has none)."""

    position: Position
    ordinal: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A message that waits for its batch. `content` is JSON, exactly as it is stored; `digest` stands for it."""

    conversation: ConversationId
    account: AccountId
    device: DeviceId
    client_message_id: ClientMessageId
    message: MessageContent
    content: bytes
    digest: int
    done: "asyncio.Future[Placed]" = field(repr=False)

    @property
    def key(self) -> Key:
        """What makes it the same message again."""
        return (self.conversation, self.device, self.client_message_id)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one message of a batch."""

    outcome: int
    id: EntryId | None
    seq: int | None
    ordinal: int | None


@dataclass(frozen=True, slots=True)
class Target:
    """A message that somebody wants to change."""

    position: Position
    account: AccountId
    ordinal: int
    deletion: EntryId | None
    """The entry that deleted it for everyone, while it is deleted."""
    deleted_by: AccountId | None
    is_erased: bool


@dataclass(frozen=True, slots=True)
class Repeat:
    """What the same client_message_id did before."""

    position: Position
    digest: int


@dataclass(frozen=True, slots=True)
class Change:
    """Edit, deletion or restore of a message, as it was asked."""

    conversation: ConversationId
    message: EntryId
    client_message_id: ClientMessageId
    kind: int
    body: object


RECOVERY_DAYS = 30
"""How long deleted content can be restored (G-11)."""
DEDUP_DAYS = 30
"""How long a client_message_id is remembered."""
