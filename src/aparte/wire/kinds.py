"""The registry of entry kinds: whatever takes a position in a conversation's log has a row here.

Numbers 1–7 mean the same in every conversation, encrypted or not; the server's own begin at 16. A client that meets a
number it does not know keeps the entry and says that it needs a newer Aparté; it never drops it.
"""

from typing import Any, Literal, NamedTuple

import msgspec

from aparte.wire.content import (
    ConversationSettings,
    CustomRole,
    Emoji,
    MemberNickname,
    MemberRights,
    MemberSilence,
    MessageContent,
    Profile,
    Role,
)
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, RoleId
from aparte.wire.keys import SignedList

MESSAGE = 1
EDIT = 2
DELETION = 3
REACTION = 4
PIN = 5
PROFILE = 6
SETTINGS = 7
CREATED = 16
JOINED = 17
LEFT = 18
REMOVED = 19
ROLE = 20
DEVICES = 21
STATEMENT = 22
RIGHTS = 23
ROLES = 24
SILENCED = 25
NICKNAME = 26


class Switch(msgspec.Struct, frozen=True):
    """Body of kinds that set or unset: a deletion that is `on` deletes, one that is off restores."""

    on: bool
    content: MessageContent | None = None
    """With a restore: what the message says now, for readers who had to forget it."""


class Reacted(msgspec.Struct, frozen=True):
    """Body of a reaction that is set, or taken back."""

    emoji: Emoji
    on: bool


class MemberChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of the kinds about members: whom it concerns and the role they have from here on (none: they are out)."""

    account: AccountId
    role: Role | None = None
    role_id: RoleId | None = None
    """The custom role that somebody new begins with."""
    is_banned: bool = False
    """With a removal: does not come back until the ban is lifted."""


class RolesChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of a custom role that is made or changed (`role`), or no longer there (`gone`)."""

    role: CustomRole | None = None
    gone: RoleId | None = None


class DevicesChange(msgspec.Struct, frozen=True):
    """Body of a member's new device list: the signed list, and the epoch and roster that begin with it."""

    devices: SignedList
    epoch: int
    roster: bytes


class StatementChange(msgspec.Struct, frozen=True):
    """Body of a membership statement of a group. Of several that were stored together the last one begins the epoch;
    the others have epoch 0 and no roster."""

    signed: SignedStatement
    epoch: int
    roster: bytes


class Kind(NamedTuple):
    """One row of the registry."""

    number: int
    name: str
    body: type[Any]
    by: Literal["members", "author", "author or moderators", "moderators", "admins", "server"]
    has_target: bool
    counts_as_unread: bool
    erased_with_target: bool


KINDS: dict[int, Kind] = {
    row.number: row
    for row in (
        Kind(MESSAGE, "message", MessageContent, "members", False, True, True),
        Kind(EDIT, "edit", MessageContent, "author", True, False, True),
        Kind(DELETION, "deletion", Switch, "author or moderators", True, False, False),
        Kind(REACTION, "reaction", Reacted, "members", True, False, True),
        Kind(PIN, "pin", Switch, "moderators", True, False, False),
        Kind(PROFILE, "profile", Profile, "admins", False, False, False),
        Kind(SETTINGS, "settings", ConversationSettings, "admins", False, False, False),
        Kind(CREATED, "created", Profile, "server", False, False, False),
        Kind(JOINED, "joined", MemberChange, "server", False, False, False),
        Kind(LEFT, "left", MemberChange, "server", False, False, False),
        Kind(REMOVED, "removed", MemberChange, "server", False, False, False),
        Kind(ROLE, "role", MemberChange, "server", False, False, False),
        Kind(DEVICES, "devices", DevicesChange, "server", False, False, False),
        Kind(STATEMENT, "statement", StatementChange, "server", False, False, False),
        Kind(RIGHTS, "rights", MemberRights, "server", False, False, False),
        Kind(ROLES, "roles", RolesChange, "server", False, False, False),
        Kind(SILENCED, "silenced", MemberSilence, "server", False, False, False),
        Kind(NICKNAME, "nickname", MemberNickname, "server", False, False, False),
    )
}


def name_of(kind: int) -> str:
    """Name a kind for people and logs; unknown numbers keep their number."""
    return KINDS[kind].name if kind in KINDS else f"kind-{kind}"
