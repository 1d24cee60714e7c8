"""What a conversation and a membership are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from aparte.e2ee.members import Membership
from aparte.e2ee.statement import Statement
from aparte.server.keys.model import NewestList
from aparte.server.kit.caller import Caller
from aparte.wire.content import ConversationKind, ConversationSettings, Mode, Permission, Profile, Role
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position

Right = Literal["read"] | Permission
"""What `authorise` decides on: to read, which whoever is in may, or something that roles and overrides decide."""


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


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server knows beside the chain, by account: it narrows what the chain allows, and never widens it."""

    lists: Mapping[bytes, NewestList]
    lines: Mapping[bytes, frozenset[bytes]]
    """Account keys that lead to the present one by rotations, of those whose present one is not all that counts."""
    banned: frozenset[bytes]
    willing: frozenset[bytes]
    """Whom the submitter may add: neither has blocked the other, and they let themselves be written to."""
    there: frozenset[bytes]
    gone: frozenset[bytes]
    """Whose account is not in use."""
    now: float


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
