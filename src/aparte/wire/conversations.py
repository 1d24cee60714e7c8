"""REST bodies about conversations: rooms, their directory, members and marks."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.accounts import Person
from aparte.wire.content import (
    ConversationKind,
    ConversationSettings,
    CustomRole,
    Description,
    MessageContent,
    Mode,
    Permission,
    Permissions,
    PictureUrl,
    Role,
    RoomName,
    Rules,
    SearchLanguage,
    Topic,
    Ttl,
    Welcome,
)
from aparte.wire.ids import AccountId, ConversationId, EntryId, InviteId, InviteToken, Position, RoleId

Seq = Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)]
Level = Literal["all", "mentions", "none"]
"""What a member is told of."""
Label = Annotated[str, Meta(min_length=1, max_length=limits.LABEL)]
Reason = Annotated[str, Meta(max_length=limits.REASON)]
Colour = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")]
RoleName = Annotated[str, Meta(min_length=1, max_length=limits.ROLE_NAME)]
Nickname = Annotated[str, Meta(min_length=1, max_length=limits.NICKNAME)]


class NewConversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new room or channel that the server can read, which it says of itself (`encryption_mode`).

    Rooms are public unless said otherwise, channels are not. A private one needs the choice of its creator: `server`
    here, or encrypted, which begins with a signed statement (`NewGroup`). Refused with `mode_needed` without it.
    """

    kind: Literal["room", "channel"]
    name: RoomName
    topic: Topic = ""
    description: Description = ""
    is_public: bool | None = None
    encryption_mode: Mode | None = None
    welcome: Welcome = ""
    rules: Rules = ""
    picture: PictureUrl | None = None
    settings: ConversationSettings = ConversationSettings()


class ConversationChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields to change; those left out stay. Of an encrypted conversation only the fields of its settings."""

    name: RoomName | msgspec.UnsetType = msgspec.UNSET
    topic: Topic | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    welcome: Welcome | msgspec.UnsetType = msgspec.UNSET
    rules: Rules | msgspec.UnsetType = msgspec.UNSET
    picture: PictureUrl | msgspec.UnsetType | None = msgspec.UNSET
    is_nsfw: bool | msgspec.UnsetType = msgspec.UNSET
    language: SearchLanguage | msgspec.UnsetType = msgspec.UNSET
    slow_mode_seconds: Annotated[int, Meta(ge=0, le=limits.SLOW_MODE_SECONDS)] | msgspec.UnsetType = msgspec.UNSET
    max_members: Annotated[int, Meta(ge=1, le=limits.MEMBERS)] | msgspec.UnsetType = msgspec.UNSET
    ttl: Ttl | msgspec.UnsetType | None = msgspec.UNSET
    is_archived: bool | msgspec.UnsetType = msgspec.UNSET
    metadata: Annotated[dict[str, Any], Meta(max_length=limits.METADATA_KEYS)] | msgspec.UnsetType = msgspec.UNSET


class Preferences(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one member has set for oneself in one conversation; nobody else sees it."""

    level: Level = "all"
    muted_until: datetime | None = None
    """Silent until then; the year 9999 is for ever."""
    is_pinned: bool = False
    is_archived: bool = False
    is_marked_unread: bool = False
    labels: Annotated[list[Label], Meta(max_length=limits.LABELS)] = []
    settings: Annotated[dict[str, Any], Meta(max_length=limits.METADATA_KEYS)] = {}


class PreferencesChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields to change; those left out stay."""

    level: Level | msgspec.UnsetType = msgspec.UNSET
    muted_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    is_pinned: bool | msgspec.UnsetType = msgspec.UNSET
    is_archived: bool | msgspec.UnsetType = msgspec.UNSET
    is_marked_unread: bool | msgspec.UnsetType = msgspec.UNSET
    labels: Annotated[list[Label], Meta(max_length=limits.LABELS)] | msgspec.UnsetType = msgspec.UNSET
    settings: Annotated[dict[str, Any], Meta(max_length=limits.METADATA_KEYS)] | msgspec.UnsetType = msgspec.UNSET


class Draft(msgspec.Struct, frozen=True):
    """What is being written, sealed among one's own devices."""

    sealed: Annotated[bytes, Meta(min_length=1, max_length=limits.DRAFT_BYTES)]


class Membership(msgspec.Struct, frozen=True, omit_defaults=True):
    """The caller's own place in a conversation."""

    role: Role
    joined: Position
    joined_at: datetime
    read: Position
    unread: int
    permissions: list[Permission] = []
    """What the caller may do, after custom role and overrides, in the order of the alphabet."""
    silenced_until: datetime | None = None
    preferences: Preferences = Preferences()


class LastMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The newest message of a conversation that is there for the caller; what is sealed has no content here."""

    id: EntryId
    account: AccountId
    at: datetime
    content: MessageContent | None = None


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True):
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
    blocked_by: list[AccountId] = []
    """Of a direct conversation: who of the two blocks the other, as far as the caller knows: oneself."""
    creator: AccountId | None = None
    welcome: str = ""
    rules: str = ""
    picture: str | None = None
    settings: ConversationSettings = ConversationSettings()
    roles: list[CustomRole] = []
    last_message: LastMessage | None = None


class ConversationPage(msgspec.Struct, frozen=True):
    """The caller's conversations, newest activity first; `next` continues."""

    conversations: list[Conversation]
    next: EntryId | None


class DirectoryRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public room or channel as anybody with an account finds it."""

    id: ConversationId
    kind: ConversationKind
    name: str
    topic: str
    description: str
    member_count: int
    is_member: bool
    is_nsfw: bool = False
    picture: str | None = None
    language: SearchLanguage = "fr"


class DirectoryPage(msgspec.Struct, frozen=True):
    """Public rooms by name; `next` continues."""

    rooms: list[DirectoryRow]
    next: str | None


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """One current member. `can_…` are the permissions of those names, after custom role and overrides (R-155)."""

    person: Person
    role: Role
    joined: Position
    joined_at: datetime
    role_id: RoleId | None = None
    permissions: Permissions = {}
    """What is granted or denied to this member alone."""
    can_invite: bool = False
    can_manage_messages: bool = False
    can_manage_members: bool = False
    nickname: str | None = None
    silenced_until: datetime | None = None
    invited_by: AccountId | None = None
    message_count: int = 0


class MemberPage(msgspec.Struct, frozen=True):
    """Current members in order of their account ids; `next` continues."""

    members: list[Member]
    next: AccountId | None


class MemberUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A member's new base role (giving `owner` hands the room over), custom role, or overrides; what is left out stays.

    In encrypted conversations the base role is a signed statement's; the rest narrows.
    """

    role: Role | msgspec.UnsetType = msgspec.UNSET
    role_id: RoleId | msgspec.UnsetType | None = msgspec.UNSET
    permissions: Permissions | msgspec.UnsetType = msgspec.UNSET


class Silence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Silence a member until a moment; why is said to them and to moderators."""

    until: datetime
    reason: Reason = ""


class SilenceShown(msgspec.Struct, frozen=True):
    """Who is silenced, by whom, until when and why."""

    account: AccountId
    by: AccountId
    until: datetime
    reason: str


class SilenceList(msgspec.Struct, frozen=True):
    """Everybody who is silenced in a conversation at present."""

    silences: list[SilenceShown]


class NicknameChange(msgspec.Struct, frozen=True):
    """How a member is called here; none: as everywhere. One's own, or with the right to manage members anybody's."""

    nickname: Nickname | None


# Custom roles and invite links ----------------------------------------------------------------------------------------


class NewRole(msgspec.Struct, frozen=True, omit_defaults=True):
    """A custom role to define."""

    name: RoleName
    permissions: Permissions = {}
    colour: Colour | None = None
    is_default: bool = False


class RoleList(msgspec.Struct, frozen=True):
    """The roles that a conversation defines, the oldest first."""

    roles: list[CustomRole]


class RoleUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields to change; those left out stay."""

    name: RoleName | msgspec.UnsetType = msgspec.UNSET
    permissions: Permissions | msgspec.UnsetType = msgspec.UNSET
    colour: Colour | msgspec.UnsetType | None = msgspec.UNSET
    is_default: bool | msgspec.UnsetType = msgspec.UNSET


class NewInvite(msgspec.Struct, frozen=True, omit_defaults=True):
    """An invite link into a room or channel that the server can read. `uses` 0: any number."""

    role: Role = "member"
    expires_at: datetime | None = None
    uses: Annotated[int, Meta(ge=0, le=limits.MEMBERS)] = 0


class InviteLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """An invite link. Its token (128 random bits) is told once, when it is made: the server keeps only its hash."""

    id: InviteId
    role: Role
    uses: int
    used: int
    by: AccountId
    created_at: datetime
    expires_at: datetime | None = None
    token: InviteToken | None = None


class InviteList(msgspec.Struct, frozen=True):
    """The open invite links of a conversation."""

    invites: list[InviteLink]


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
