"""What a conversation and a membership are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aparte.wire.content import ConversationKind, Role
from aparte.wire.conversations import Mode
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position

Right = Literal["read", "send", "manage_messages", "edit_profile", "manage_members", "change_roles"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A current member's place in a conversation, as rules need it."""

    conversation: ConversationId
    kind: ConversationKind
    mode: Mode
    is_public: bool
    account: AccountId
    role: Role
    member_count: int
    head: Position
    floor: Position


@dataclass(frozen=True, slots=True)
class RoomRow:
    """What joining needs to know of a room."""

    conversation: ConversationId
    kind: ConversationKind
    is_public: bool
    member_count: int
    max_members: int


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A membership row, current or past."""

    account: AccountId
    role: Role
    joined: Position
    joined_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class Private:
    """An end-to-end encrypted conversation, as one who checks what is sent to it needs it."""

    conversation: ConversationId
    epoch: int
    roster: bytes
    members: tuple[AccountId, ...]
    devices: frozenset[DeviceId]
    """Listed devices of all members: the roster stands for them."""

    def peer_of(self, account: AccountId) -> AccountId | None:
        """The other person of a direct conversation."""
        others = [member for member in self.members if member != account]
        return others[0] if len(others) == 1 else None
