"""What the SDK hands out of conversations and the people in them: plain, immutable values, names instead of ids."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from aparte.client.core.checks import has_chain
from aparte.client.core.names import OWN_NOTES, group_title
from aparte.client.model import Message
from aparte.wire import conversations, groups, moderation
from aparte.wire.content import ConversationSettings, CustomRole, Permission, Permissions
from aparte.wire.conversations import Conversation, Preferences
from aparte.wire.ids import AccountId, ConversationId, EntryId, HeldId, RoleId
from aparte.wire.moderation import FlagReason

Names = Mapping[AccountId, str]
NO_NAMES: Names = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Room:
    """A conversation that one is in."""

    id: ConversationId
    kind: str
    name: str
    topic: str
    description: str
    role: str
    member_count: int
    message_count: int
    unread: int
    last_message_at: datetime | None
    encryption_mode: str = "server"
    is_public: bool = False
    welcome: str = ""
    """What somebody new is shown first. Of encrypted ones `groups.profile` has this and the rules."""
    rules: str = ""
    picture: str | None = None
    settings: ConversationSettings = field(default_factory=ConversationSettings)
    """How it is run: slow mode, archive, language …"""
    roles: tuple[CustomRole, ...] = ()
    """The roles that it defines."""
    permissions: tuple[Permission, ...] = ()
    """What one may do there, as the server says."""
    silenced_until: datetime | None = None
    preferences: Preferences = field(default_factory=Preferences)
    """What one has set there for oneself."""
    peer: str | None = None
    """In a direct conversation, the user name of the other; the account's id if that is not known."""

    @property
    def title(self) -> str:
        """How it is written: `@name` of a person, `@me` for one's own notes, `#name` of what the server can read,
        `+name` of what only its members know the name of."""
        if self.kind in {"direct", "self"}:
            return f"@{self.peer}" if self.kind == "direct" else OWN_NOTES
        return group_title(self.name, self.id) if has_chain(self) else f"#{self.name}"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a room or group. In a group who is in it, and as what, follows from what members have signed."""

    id: AccountId
    username: str
    display_name: str
    role: str
    joined_at: datetime | None
    """None in a group whose log does not reach back so far."""
    is_verified: bool | None = None
    """Whether one has compared numbers with them; None in a room, where no keys are at stake."""
    is_me: bool = False
    nickname: str | None = None
    """How they are called here."""
    role_id: RoleId | None = None
    """The custom role they have beside the base role."""
    permissions: Permissions = field(default_factory=dict)
    """What is granted or denied to them alone."""
    silenced_until: datetime | None = None
    message_count: int = 0


@dataclass(frozen=True, slots=True)
class GroupProfile:
    """What a group says of itself; none of it is known to the server."""

    name: str
    topic: str = ""
    description: str = ""
    welcome: str = ""
    """What somebody new is shown first."""
    rules: str = ""


@dataclass(frozen=True, slots=True)
class InviteLink:
    """A link by which people join; `link` is None if it cannot be told any more: only where it was made."""

    id: str
    link: str | None = field(repr=False)
    role: str
    expires_at: datetime | None
    uses: int | None
    """How often it may be used; None: any number of times."""
    used: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where an invite link leads: in the words of whoever made the link, and as many inside as the server says."""

    conversation_id: ConversationId
    name: str
    """Empty if the link says nothing."""
    topic: str
    description: str
    member_count: int
    expires_at: datetime | None
    uses_left: int | None
    """How many may still join by it; None: any number."""
    kind: str = "group"
    encryption_mode: str = "e2ee"

    @property
    def title(self) -> str:
        """How it is written."""
        return group_title(self.name, self.conversation_id) if has_chain(self) else f"#{self.name}"


@dataclass(frozen=True, slots=True)
class Banned:
    """Somebody who is not admitted any more."""

    username: str
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Silenced:
    """Somebody who may not speak until a moment."""

    username: str
    by: str
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that waits for a moderator, or was rejected."""

    id: HeldId
    conversation_id: ConversationId
    sender: str
    text: str
    status: str
    """`pending`, `approved` or `rejected`."""
    at: datetime
    root: EntryId | None = None
    """The thread that it belongs to."""
    words: tuple[str, ...] = ()
    """To moderators alone: what was found."""
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    message: EntryId | None = None
    """The message that it has become, once approved."""


@dataclass(frozen=True, slots=True)
class FlaggedMessage:
    """A message that people have flagged: how many for which reason, and what was said of it."""

    message: Message
    reasons: Mapping[FlagReason, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Somebody whose devices have a message, or who has read it."""

    username: str
    delivered_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Receipts:
    """Who has a message: with times in small conversations, and in large ones only who has read it."""

    receipts: tuple[Receipt, ...]
    readers: tuple[str, ...]
    """Everybody who has read it and lets it be known."""


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message that a search has found; `highlights` are pairs of character offsets in its text (begin, end)."""

    message: Message
    highlights: tuple[tuple[int, int], ...] = ()


def named(account: AccountId, names: Names) -> str:
    """Name an account, by its id if it has no name here."""
    return names.get(account, str(account))


def room_of(found: Conversation, names: Names = NO_NAMES) -> Room:
    """Show a conversation. `names`: what people are called."""
    return Room(
        id=found.id,
        kind=found.kind,
        name=found.name,
        topic=found.topic,
        description=found.description,
        role=found.membership.role,
        member_count=found.member_count,
        message_count=found.message_count,
        unread=found.membership.unread,
        last_message_at=found.last_message_at,
        encryption_mode=found.encryption_mode,
        is_public=found.is_public,
        welcome=found.welcome,
        rules=found.rules,
        picture=found.picture,
        settings=found.settings,
        roles=tuple(found.roles),
        permissions=tuple(found.membership.permissions),
        silenced_until=found.membership.silenced_until,
        preferences=found.membership.preferences,
        peer=names.get(found.peer, str(found.peer)) if found.peer is not None else None,
    )


def member_of(found: conversations.Member, me: AccountId) -> Member:
    """Show a member."""
    person = found.person
    return Member(
        id=person.id,
        username=person.username,
        display_name=person.display_name,
        role=found.role,
        joined_at=found.joined_at,
        is_me=person.id == me,
        nickname=found.nickname,
        role_id=found.role_id,
        permissions=found.permissions,
        silenced_until=found.silenced_until,
        message_count=found.message_count,
    )


def link_of(found: conversations.InviteLink, link: str | None) -> InviteLink:
    """Show an invite link into a conversation that the server can read."""
    return InviteLink(str(found.id), link, found.role, found.expires_at, found.uses or None, found.used)


def invitation_of(found: groups.Invite) -> Invitation:
    """Show where a link into a conversation that the server can read leads."""
    said = found.profile
    return Invitation(
        conversation_id=found.conversation,
        name=said.name if said else "",
        topic=said.topic if said else "",
        description=said.description if said else "",
        member_count=found.member_count,
        expires_at=found.expires_at,
        uses_left=found.uses_left,
        kind=found.kind,
        encryption_mode=found.encryption_mode,
    )


def banned_of(found: groups.Ban, names: Names) -> Banned:
    """Show a ban."""
    return Banned(named(found.account, names), named(found.by, names), found.at, found.reason)


def silenced_of(found: conversations.SilenceShown, names: Names) -> Silenced:
    """Show a silence."""
    return Silenced(named(found.account, names), named(found.by, names), found.until, found.reason)


def held_of(found: moderation.Held, names: Names) -> HeldMessage:
    """Show a held message."""
    return HeldMessage(
        id=found.id,
        conversation_id=found.conversation,
        sender=named(found.account, names),
        text=found.content.text,
        status=found.status,
        at=found.at,
        root=found.thread,
        words=tuple(found.words),
        decided_by=named(found.decided_by, names) if found.decided_by else None,
        decided_at=found.decided_at,
        reason=found.reason,
        message=found.message,
    )


def receipts_of(found: conversations.ReceiptList, names: Names) -> Receipts:
    """Show who has a message."""
    each = (Receipt(named(one.account, names), one.delivered_at, one.read_at) for one in found.receipts)
    return Receipts(tuple(each), tuple(named(account, names) for account in found.readers))
