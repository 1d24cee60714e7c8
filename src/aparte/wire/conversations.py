"""REST bodies about conversations: rooms, their directory, members and marks."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.accounts import Person
from aparte.wire.content import ConversationKind, Description, Role, RoomName, Topic
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position

Seq = Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)]
Mode = Literal["e2ee", "server"]


class NewConversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new room. Public rooms are readable by the server and say so (`encryption_mode` is `server`)."""

    kind: Literal["room"]
    name: RoomName
    topic: Topic = ""
    description: Description = ""


class ConversationChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields to change; those left out stay."""

    name: RoomName | msgspec.UnsetType = msgspec.UNSET
    topic: Topic | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET


class Membership(msgspec.Struct, frozen=True):
    """The caller's own place in a conversation."""

    role: Role
    joined: Position
    joined_at: datetime
    read: Position
    unread: int


class Conversation(msgspec.Struct, frozen=True):
    """A conversation as one of its members sees it. The newest entry is at `head`, the oldest kept at `floor`."""

    id: ConversationId
    kind: ConversationKind
    encryption_mode: Mode
    is_public: bool
    name: str
    topic: str
    description: str
    owner: AccountId | None
    member_count: int
    message_count: int
    max_members: int
    epoch: int
    head: Position
    floor: Position
    last_message_at: datetime | None
    created_at: datetime
    updated_at: datetime
    membership: Membership
    peer: AccountId | None = None
    """The other person of a direct conversation."""


class ConversationPage(msgspec.Struct, frozen=True):
    """The caller's conversations, newest activity first; `next` continues."""

    conversations: list[Conversation]
    next: EntryId | None


class DirectoryRow(msgspec.Struct, frozen=True):
    """A public room as anybody with an account finds it."""

    id: ConversationId
    kind: ConversationKind
    name: str
    topic: str
    description: str
    member_count: int
    is_member: bool


class DirectoryPage(msgspec.Struct, frozen=True):
    """Public rooms by name; `next` continues."""

    rooms: list[DirectoryRow]
    next: str | None


class Member(msgspec.Struct, frozen=True):
    """One current member."""

    person: Person
    role: Role
    joined: Position
    joined_at: datetime


class MemberPage(msgspec.Struct, frozen=True):
    """Current members in order of their account ids; `next` continues."""

    members: list[Member]
    next: AccountId | None


class RoleChange(msgspec.Struct, frozen=True):
    """A member's new base role; giving `owner` hands the room over."""

    role: Role


class Mark(msgspec.Struct, frozen=True):
    """Up to which position something holds: stored, or read. The server goes by the id."""

    up_to: Position


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a member's devices first had a message stored, and first showed it."""

    account: AccountId
    delivered_at: datetime | None = None
    read_at: datetime | None = None


class ReceiptList(msgspec.Struct, frozen=True):
    """Who has received and read one message, and when; above 256 members (encrypted: 500) who has read it, no times."""

    receipts: list[Receipt]
    readers: list[AccountId]
