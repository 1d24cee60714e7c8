"""What a conversation and a membership are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from aparte.e2ee.members import Membership
from aparte.e2ee.statement import Statement
from aparte.server.keys.model import NewestList
from aparte.server.kit.caller import Caller
from aparte.wire import limits
from aparte.wire.content import ConversationKind, ConversationSettings, Mode, Permission, Permissions, Profile, Role
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId, DeviceId, EntryId, InviteId, Position, RoleId, SessionId

Right = Literal["read", "retract"] | Permission
"""What `authorise` decides on: to read and to take one's own words back, which whoever is in may, or something that
roles and overrides decide."""


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
    rights: frozenset[Permission] = frozenset()
    """What they may do, as far as the conversation says; `rules.check` asks for more."""
    silenced_until: datetime | None = None
    """None as soon as it is past."""
    silence_reason: str = ""
    is_archived: bool = False
    denied: frozenset[Permission] = frozenset()
    """What custom role and overrides take from the base role."""

    @property
    def has_chain(self) -> bool:
        """Who is in follows from signed statements."""
        return self.mode == "e2ee" and self.kind not in {"direct", "self"}


@dataclass(frozen=True, slots=True)
class Place:
    """All that decides what a member may do; `custom` is of their custom role, `overrides` theirs alone."""

    kind: ConversationKind
    mode: Mode
    role: Role
    custom: Mapping[Permission, bool] = field(default_factory=dict)
    overrides: Mapping[Permission, bool] = field(default_factory=dict)
    policy: int = 0
    """Of signed membership."""
    is_unwanted_bot: bool = False
    is_guest: bool = False
    """Of the platform."""


@dataclass(frozen=True, slots=True)
class NewRoom:
    """A room or channel that the server can read, before it is stored."""

    id: ConversationId
    kind: ConversationKind
    is_public: bool
    creator: AccountId
    profile: Profile
    settings: ConversationSettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations somebody asks for; None: whichever."""

    before: EntryId | None = None
    kind: ConversationKind | None = None
    is_public: bool | None = None
    is_archived: bool | None = None
    creator: AccountId | None = None
    owner: AccountId | None = None
    metadata: Mapping[str, Any] | None = None
    """What the metadata holds."""
    is_pinned: bool | None = None
    is_put_away: bool | None = None
    """Archived by the asker, for themselves."""
    label: str | None = None
    limit: int = 1


@dataclass(frozen=True, slots=True)
class WantedRooms:
    """Which public rooms and channels somebody looks for; None: whichever."""

    name: str | None = None
    """Exactly this one; of the store: as names are compared."""
    part: str | None = None
    """What the name contains; of the store: a pattern of LIKE."""
    kind: ConversationKind | None = None
    metadata: Mapping[str, Any] | None = None
    nsfw: bool = False
    after: str = ""
    limit: int = 1


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
class WantedMembers:
    """Which members somebody asks for."""

    role: Role | None = None
    after: AccountId | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Seat:
    """A current member and what is said of them here."""

    account: AccountId
    place: Place
    role_id: RoleId | None
    nickname: str | None
    is_kept_from_posting: bool
    """As it is written beside the member."""

    @property
    def role(self) -> Role:
        """The base role."""
        return self.place.role


class Author(NamedTuple):
    """Who something is written down of that no device asked for."""

    account: AccountId
    device: DeviceId | None = None
    session: SessionId | None = None


class Kept(NamedTuple):
    """What somebody brings along who comes in: the default role, and what was said against them when they left."""

    account: AccountId
    role_id: RoleId | None
    overrides: Permissions
    silenced_until: datetime | None


@dataclass(frozen=True, slots=True)
class Private:
    """An end-to-end encrypted conversation, as one who checks what is sent to it needs it."""

    conversation: ConversationId
    epoch: int
    roster: bytes
    members: tuple[AccountId, ...]
    devices: frozenset[DeviceId]
    """Listed devices of all members: the roster stands for them."""
    kind: ConversationKind = "direct"
    roles: Mapping[AccountId, Role] = field(default_factory=dict)
    policy: int = 0
    """Of a group, as its newest statements say."""
    statement: int = 0
    """The number of a group's newest statement."""

    def peer_of(self, account: AccountId) -> AccountId | None:
        """The other person of a direct conversation."""
        others = [member for member in self.members if member != account]
        return others[0] if self.kind == "direct" and len(others) == 1 else None


# Groups ---------------------------------------------------------------------------------------------------------------


class Inside(NamedTuple):
    """Who is in an encrypted conversation, and of a group what its chain says beside."""

    kind: ConversationKind
    roles: Mapping[AccountId, Role]
    policy: int
    statement: int
    end: bytes | None
    """The hash of the newest statement."""


class Said(NamedTuple):
    """A statement as it was sent, and read."""

    signed: SignedStatement
    statement: Statement


class Bounds(NamedTuple):
    """What bounds a conversation beside its statements: which kind it is, and how many may be in."""

    kind: ConversationKind
    max_members: int


A_GROUP = Bounds("group", limits.GROUP_MEMBERS)


@dataclass(frozen=True, slots=True)
class Submission:
    """Statements that somebody wants to be stored together, in order."""

    conversation: ConversationId
    caller: Caller
    said: tuple[Said, ...]
    token_hash: bytes | None = None
    """Of the token by which a link that they open is found."""
    is_ban: bool = False
    card: bytes | None = None
    """What that link says of the group, sealed."""
    kind: ConversationKind = "group"
    """Of a conversation that they begin."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server knows beside the chain, by account: it narrows what the chain allows, and never widens it."""

    lists: Mapping[bytes, NewestList]
    lines: Mapping[bytes, frozenset[bytes]]
    """Account keys that lead to the present one by rotations, of those whose present one is not all that counts."""
    banned: frozenset[bytes]
    willing: frozenset[bytes]
    """Whom the submitter may add: neither has blocked the other, and they let themselves be added."""
    there: frozenset[bytes]
    gone: frozenset[bytes]
    """Whose account is not in use."""
    now: float
    bounds: Bounds = A_GROUP


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission whose signatures hold, with the states that follow from it, one after each statement."""

    submission: Submission
    before: Membership
    after: Membership


class Entered(NamedTuple):
    """Somebody who is let in: by which statement, with which account key, by whom or by which link."""

    account: AccountId
    number: int
    account_key: bytes
    invited_by: AccountId | None
    link_id: bytes | None


@dataclass(frozen=True, slots=True)
class Standings:
    """Rows of members to write: where everybody stands whose place in the chain is another than before."""

    entered: tuple[Entered, ...]
    out: Mapping[AccountId, int]
    """With the number of the statement that put them out."""
    told: Mapping[AccountId, Role | None]
    """Whose role is another one; None: they are out."""
    touched: tuple[AccountId, ...]
    """All of them, and whoever has signed with a newer list."""


class LinkRow(NamedTuple):
    """An invite link as the server keeps it."""

    conversation: ConversationId
    link_id: bytes
    is_open: bool
    expires: int
    uses: int
    used: int
    kind: ConversationKind
    member_count: int
    number: int
    card: bytes | None


@dataclass(frozen=True, slots=True)
class InviteRow:
    """A link into a room or channel that the server can read, which nobody has closed."""

    conversation: ConversationId
    id: InviteId
    by: AccountId
    role: Role
    expires_at: datetime | None
    uses: int
    used: int
    created_at: datetime
    maker: Place | None
    """The place of who made it; None if they have left since."""
    kind: ConversationKind = "room"
    member_count: int = 0
    profile: Profile | None = None
