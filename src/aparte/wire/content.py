"""What entries of readable conversations carry: message content, profiles, settings, roles.

Sources: R-183, R-184 (format, 1–4000 characters), R-113 (names), R-118 (topic), R-123–R-129 (settings), C-13 (roles).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.ids import AccountId, ConversationId, EntryId, RoleId

Format = Literal["text", "markdown", "html", "code"]
Role = Literal["owner", "admin", "moderator", "member"]
ConversationKind = Literal["direct", "self", "group", "room", "channel"]
Mode = Literal["e2ee", "server"]

Text = Annotated[str, Meta(min_length=1, max_length=limits.TEXT)]
RoomName = Annotated[str, Meta(min_length=1, max_length=limits.ROOM_NAME)]
Topic = Annotated[str, Meta(max_length=limits.TOPIC)]
Description = Annotated[str, Meta(max_length=limits.DESCRIPTION)]


Welcome = Annotated[str, Meta(max_length=limits.WELCOME)]
Rules = Annotated[str, Meta(max_length=limits.RULES)]
PictureUrl = Annotated[str, Meta(min_length=1, max_length=limits.AVATAR_URL)]
Ttl = Annotated[int, Meta(ge=limits.TTL_SECONDS[0], le=limits.TTL_SECONDS[1])]
Emoji = Annotated[str, Meta(min_length=1, max_length=limits.REACTION)]
SearchLanguage = Literal["fr", "en", "simple"]
"""By which rules the words of a conversation are searched: French, English, or as they are."""

Permission = Literal[
    "post", "react", "invite", "pin", "manage_messages", "manage_members", "edit_profile", "manage_roles"
]
"""What a custom role or an override can grant or deny. Reading is no permission: whoever is in reads."""
Permissions = dict[Permission, bool]


class Forwarded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mark that the words were somebody else's first. Where they come from is said only of what the server can read,
    and only to those who may know."""

    conversation: ConversationId | None = None
    message: EntryId | None = None
    account: AccountId | None = None


class MessageContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person said. `metadata` is free JSON of the client: bounded in size and depth, never interpreted.

    `reply` and `references` are messages of the same conversation. `mentions` and `forwarded` are the server's: it
    reads `@name` in the text, and knows what was forwarded; whatever a client writes there is not taken.
    """

    text: Text
    format: Format = "text"
    metadata: dict[str, Any] = {}
    reply: EntryId | None = None
    references: Annotated[list[EntryId], Meta(max_length=limits.REFERENCES)] = []
    mentions: Annotated[list[AccountId], Meta(max_length=limits.MENTIONS)] = []
    forwarded: Forwarded | None = None
    ttl: Ttl | None = None
    """Seconds after sending at which the message disappears."""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a conversation says of itself; it stands for all that an earlier one said."""

    name: RoomName
    topic: Topic = ""
    description: Description = ""
    welcome: Welcome = ""
    """What somebody new is shown first."""
    rules: Rules = ""
    picture: PictureUrl | None = None


class ConversationSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a conversation is run; it stands for all that an earlier one said.

    `metadata` is free JSON; `auto_moderate` and `allow_bots` in it change what the server does (R-129).
    """

    is_nsfw: bool = False
    language: SearchLanguage = "fr"
    slow_mode_seconds: Annotated[int, Meta(ge=0, le=limits.SLOW_MODE_SECONDS)] = 0
    max_members: Annotated[int, Meta(ge=1, le=limits.MEMBERS)] = 1_000
    ttl: Ttl | None = None
    """What new messages get that name no time of their own."""
    is_archived: bool = False
    """Read and not written to."""
    metadata: Annotated[dict[str, Any], Meta(max_length=limits.METADATA_KEYS)] = {}


class CustomRole(msgspec.Struct, frozen=True, omit_defaults=True):
    """A role that a conversation defines. What it does not name is decided by the member's base role.

    The default one is given to whoever comes in. In encrypted conversations it narrows and never widens.
    """

    id: RoleId
    name: Annotated[str, Meta(min_length=1, max_length=limits.ROLE_NAME)]
    permissions: Permissions = {}
    colour: Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")] | None = None
    is_default: bool = False


class MemberRights(msgspec.Struct, frozen=True, omit_defaults=True):
    """Beside the base role: a member's custom role, and what is granted or denied to this member alone."""

    account: AccountId
    role_id: RoleId | None = None
    permissions: Permissions = {}


class MemberSilence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A moderator silences a member until a moment, or lets them speak again. The reason is for who is silenced and
    for moderators."""

    account: AccountId
    until: datetime | None = None


class MemberNickname(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a member is called in this conversation; none: as everywhere."""

    account: AccountId
    nickname: Annotated[str, Meta(min_length=1, max_length=limits.NICKNAME)] | None = None
