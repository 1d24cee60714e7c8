"""Who may do what in a conversation: pure, table-driven.

Sources: C-13 (base roles), C-14 (guests read public rooms and do not post), R-113, R-123, R-333.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from aparte.e2ee import roster as rosters
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.statement import ADMIN, MEMBER, MODERATOR, OWNER
from aparte.server.conversations.model import MemberRow, Right, RoomRow, Standing
from aparte.server.kit.names import check_name, check_text
from aparte.server.log.model import Difference
from aparte.wire import limits
from aparte.wire.accounts import PlatformRole
from aparte.wire.content import Profile, Role
from aparte.wire.conversations import ConversationChange
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, DeviceId

RANK: dict[Role, int] = {"member": 0, "moderator": 1, "admin": 2, "owner": 3}

ROLES: dict[int, Role] = {MEMBER: "member", MODERATOR: "moderator", ADMIN: "admin", OWNER: "owner"}
"""Roles by the numbers that signed statements give them."""
NUMBERS: dict[Role, int] = {role: number for number, role in ROLES.items()}

NEEDS: dict[Right, Role] = {
    "read": "member",
    "post": "member",
    "react": "member",
    "invite": "moderator",
    "pin": "moderator",
    "manage_messages": "moderator",
    "manage_members": "moderator",
    "edit_profile": "admin",
    "manage_roles": "admin",
}


def may(right: Right, standing: Standing, platform: PlatformRole) -> bool:
    """Decide by base role; guests of the platform read and do nothing else."""
    if platform == "guest" and right != "read":
        return False
    return RANK[standing.role] >= RANK[NEEDS[right]]


def check(right: Right, standing: Standing, platform: PlatformRole) -> None:
    """Refuse with `forbidden` what the caller may not do."""
    if not may(right, standing, platform):
        raise Refusal("forbidden")


def check_platform(platform: PlatformRole) -> None:
    """Refuse guests wherever something is written."""
    if platform == "guest":
        raise Refusal("forbidden", "guests read and do not write")


def check_join(room: RoomRow | None) -> RoomRow:
    """Only public rooms are joined unasked; a full one takes nobody."""
    if room is None or not room.is_public:
        raise Refusal("not_found")
    if room.member_count >= room.max_members:
        raise Refusal("room_full", data={"max_members": room.max_members})
    return room


def check_not_group(standing: Standing) -> None:
    """Who is in a group, and what it is called, is signed and sealed by its members: no request changes that."""
    if standing.kind == "group":
        raise Refusal("mode_mismatch", "a group changes by statements that its members sign")


def check_group(standing: Standing) -> None:
    """Only groups have statements, epochs to ask for, and bans."""
    if standing.kind != "group":
        raise Refusal("mode_mismatch", "this is no group")


def check_leave(standing: Standing) -> None:
    """Nobody leaves a direct conversation: the other one would write to somebody who is not there. Block instead."""
    if standing.kind in {"direct", "self"}:
        raise Refusal("forbidden", "a direct conversation is not left")


def check_direct_id(conversation: ConversationId, one: AccountId, other: AccountId) -> None:
    """The id follows from both accounts, so that both sides name the same conversation without asking."""
    if conversation.bytes != rosters.direct_id(one.bytes, other.bytes):
        raise Refusal("bad_conversation_id")


def roster_of(conversation: ConversationId, hashes: Mapping[AccountId, bytes], statement: bytes | None = None) -> bytes:
    """Give the roster of an encrypted conversation from its members' list hashes and, of a group, its newest statement.

    Every newest list counts: the server takes no reset, so its key follows from that of the member's admission.
    """
    lists = {account.bytes: hash_ for account, hash_ in hashes.items()}
    return rosters.roster(conversation.bytes, statement or rosters.NO_STATEMENT, lists)


def difference(account: AccountId, before: DeviceList | None, after: DeviceList) -> Difference:
    """Tell how an epoch differs from the one before when a member's list is the reason for it."""
    old = {row.device for row in before.devices} if before else set()
    new = {row.device for row in after.devices}
    is_other_key = before is not None and before.account_key != after.account_key
    added = frozenset(DeviceId(UUID(bytes=device)) for device in new - old)
    return Difference({account: after.version}, added, has_removed=is_other_key or not old <= new)


def role_of_newcomer(room: RoomRow) -> Role:
    """Whoever enters a room that everybody has left owns it: a room with members always has an owner (R-120)."""
    return "member" if room.member_count else "owner"


def check_role_change(actor: Standing, target: MemberRow, role: Role) -> None:
    """Nobody touches a role at or above their own, nor gives one above it; only the owner hands the room over."""
    if role == "owner" or target.role == "owner":
        if actor.role != "owner":
            raise Refusal("forbidden", "only the owner hands a room over")
        if target.account == actor.account:
            raise Refusal("last_owner", "make somebody else the owner instead")
        return
    if actor.role != "owner" and (RANK[target.role] >= RANK[actor.role] or RANK[role] >= RANK[actor.role]):
        raise Refusal("forbidden", "that role is not below yours")


def check_removal(actor: Standing, target: MemberRow) -> None:
    """A member is removed by somebody of higher role; leaving is another action."""
    if target.account == actor.account:
        raise Refusal("invalid", "leave instead")
    if RANK[target.role] >= RANK[actor.role]:
        raise Refusal("forbidden", "that role is not below yours")


def successor(members: Sequence[MemberRow], leaving: Standing) -> MemberRow | None:
    """Who owns a room when its owner leaves: the highest role, then the longest membership (C-44)."""
    others = [m for m in members if m.is_current and m.account != leaving.account]
    return min(others, key=lambda m: (-RANK[m.role], m.joined_at, m.account), default=None)


def clean_name(name: str) -> str:
    """Give a room's name as it is stored. `#` and `@` in front belong to addresses. Raises Refusal `invalid`."""
    clean = check_name(name, limits.ROOM_NAME, "the name")
    if clean[0] in "#@":
        raise Refusal("invalid", "a name does not begin with # or @")
    return clean


def clean_profile(name: str, topic: str, description: str) -> Profile:
    """Give what a room says of itself as it is stored. Raises Refusal `invalid`."""
    return Profile(
        clean_name(name),
        check_text(topic, limits.TOPIC, "the topic"),
        check_text(description, limits.DESCRIPTION, "the description"),
    )


def name_key(name: str) -> str:
    """Give the form by which names are the same: compatibility-normalised, without case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def merged(old: Profile, wanted: ConversationChange) -> Profile:
    """Lay a change over a profile; fields left out stay."""
    return clean_profile(
        old.name if wanted.name is msgspec.UNSET else wanted.name,
        old.topic if wanted.topic is msgspec.UNSET else wanted.topic,
        old.description if wanted.description is msgspec.UNSET else wanted.description,
    )


def like(text: str) -> str:
    """Make a LIKE pattern that finds `text` anywhere, taking its own wildcards literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
