"""Who may do what in a conversation: pure, table-driven.

Sources: C-13 (base roles), C-14 (guests read public rooms and do not post), R-113, R-123, R-333.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from aparte.e2ee import roster as rosters
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.statement import ADMIN, MEMBER, MODERATOR, OWNER
from aparte.server.conversations.model import MemberRow, Right, RoomRow, Seat, Standing
from aparte.server.conversations.rights import IN_ARCHIVE, RANK, WHILE_SILENCED
from aparte.server.kit.names import check_name, check_text
from aparte.server.log.model import Difference
from aparte.wire import limits
from aparte.wire.accounts import PlatformRole
from aparte.wire.content import CustomRole, Role
from aparte.wire.conversations import RoleUpdate
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId, DeviceId

ROLES: dict[int, Role] = {MEMBER: "member", MODERATOR: "moderator", ADMIN: "admin", OWNER: "owner"}
"""Roles by the numbers that signed statements give them."""
NUMBERS: dict[Role, int] = {role: number for number, role in ROLES.items()}

LONGEST_SILENCE = timedelta(days=3_653)


def check(right: Right, standing: Standing, platform: PlatformRole) -> None:
    """Refuse what the caller may not do: with `forbidden`, `silenced` (until when and why) or `archived`."""
    if right == "read":
        return
    if platform == "guest" or (right != "retract" and right not in standing.rights):
        raise Refusal("forbidden")
    if standing.silenced_until is not None and right not in WHILE_SILENCED | {"retract"}:
        told = {"until": standing.silenced_until.isoformat(), "reason": standing.silence_reason}
        raise Refusal("silenced", data=told)
    if right not in IN_ARCHIVE:
        check_open(standing)


def check_open(standing: Standing) -> None:
    """Refuse with `archived` what changes a conversation that is only read."""
    if standing.is_archived:
        raise Refusal("archived")


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


def check_no_chain(standing: Standing) -> None:
    """Who is in where members sign it, and what that is called, they alone say: no request changes it."""
    if standing.has_chain:
        raise Refusal("mode_mismatch", "this changes by statements that its members sign")


def check_chain(standing: Standing) -> None:
    """Statements, and epochs to ask for, are there where who is in is signed."""
    if not standing.has_chain:
        raise Refusal("mode_mismatch", "nobody signs who is in here")


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


def check_role_change(actor: Standing, target: MemberRow | Seat, role: Role) -> None:
    """Nobody touches a role at or above their own, nor gives one above it; only the owner hands the room over."""
    if role == "owner" or target.role == "owner":
        if actor.role != "owner":
            raise Refusal("forbidden", "only the owner hands a room over")
        if target.account == actor.account:
            raise Refusal("last_owner", "make somebody else the owner instead")
        return
    if actor.role != "owner" and (RANK[target.role] >= RANK[actor.role] or RANK[role] >= RANK[actor.role]):
        raise Refusal("forbidden", "that role is not below yours")


def check_removal(actor: Standing, target: MemberRow | Seat) -> None:
    """A member is removed by somebody of higher rank; leaving is another action."""
    if target.account == actor.account:
        raise Refusal("invalid", "leave instead")
    check_managed(actor, target)


def check_managed(actor: Standing, target: MemberRow | Seat) -> None:
    """Whoever manages members does so with those below them, and without a higher role as a moderator would (R-155)."""
    if RANK[target.role] >= max(RANK[actor.role], RANK["moderator"]):
        raise Refusal("forbidden", "that role is not below yours")


def check_silence(until: datetime, now: datetime) -> None:
    """A silence ends by itself, while there is somebody who remembers why."""
    if until.tzinfo is None or not now < until <= now + LONGEST_SILENCE:
        raise Refusal("invalid", "a silence ends at a moment of the next ten years, with its time zone")


def check_mode(standing: Standing) -> None:
    """What the server would have to read is for conversations that it can read."""
    if standing.mode != "server":
        raise Refusal("mode_mismatch", "the server is not told this of encrypted conversations")


def clean_reason(reason: str) -> str:
    """Give a reason as it is stored. Raises Refusal `invalid`."""
    return check_text(reason, limits.REASON, "the reason").strip()


def clean_role_name(name: str) -> str:
    """Give the name of a custom role as it is stored. Raises Refusal `invalid`."""
    return check_name(name, limits.ROLE_NAME, "the name")


def merged_role(old: CustomRole, wanted: RoleUpdate) -> CustomRole:
    """Lay a change over a custom role; fields left out stay."""
    return CustomRole(
        old.id,
        old.name if wanted.name is msgspec.UNSET else clean_role_name(wanted.name),
        old.permissions if wanted.permissions is msgspec.UNSET else wanted.permissions,
        old.colour if wanted.colour is msgspec.UNSET else wanted.colour,
        old.is_default if wanted.is_default is msgspec.UNSET else wanted.is_default,
    )


def successor(others: Sequence[MemberRow]) -> MemberRow | None:
    """Who of the others owns a room when its owner leaves: the highest role, then the longest membership (C-44)."""
    here = [member for member in others if member.is_current]
    return min(here, key=lambda m: (-RANK[m.role], m.joined_at, m.account), default=None)


def clean_name(name: str) -> str:
    """Give a room's name as it is stored. `#` and `@` in front belong to addresses. Raises Refusal `invalid`."""
    clean = check_name(name, limits.ROOM_NAME, "the name")
    if clean[0] in "#@":
        raise Refusal("invalid", "a name does not begin with # or @")
    return clean


def name_key(name: str) -> str:
    """Give the form by which names are the same: compatibility-normalised, without case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def like(text: str) -> str:
    """Make a LIKE pattern that finds `text` anywhere, taking its own wildcards literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
