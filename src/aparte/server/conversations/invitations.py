"""Links into rooms and channels that the server can read: who may make one, and whether it still leads anywhere. Pure.

Source: G-17. A link is its maker's invitation: it holds while they are in, may invite, and stand above what it gives.
"""

from collections.abc import Sequence
from datetime import datetime

from aparte.server.conversations.model import InviteRow, RoomRow, Standing
from aparte.server.conversations.rights import RANK, effective
from aparte.wire import limits
from aparte.wire.content import Role
from aparte.wire.conversations import NewInvite
from aparte.wire.errors import Refusal
from aparte.wire.groups import Invite


def may_give(maker: Role, role: Role) -> bool:
    """Whoever may invite makes members, and beside them whom they stand above."""
    return role == "member" or RANK[role] < RANK[maker]


def leads(invite: InviteRow, now: datetime) -> bool:
    """Tell whether somebody may come by a link at present."""
    if invite.maker is None or not has_room(invite, now):
        return False
    return "invite" in effective(invite.maker) and may_give(invite.maker.role, invite.role)


def has_room(invite: InviteRow, now: datetime) -> bool:
    """Tell whether a link is neither past nor used up."""
    is_past = invite.expires_at is not None and invite.expires_at <= now
    return not is_past and (invite.uses == 0 or invite.used < invite.uses)


def shown_to_invited(invite: InviteRow) -> Invite:
    """What a link tells whoever has it."""
    return Invite(
        invite.conversation,
        invite.kind,
        invite.member_count,
        expires_at=invite.expires_at,
        uses_left=invite.uses - invite.used if invite.uses else None,
        encryption_mode="server",
        profile=invite.profile,
    )


def check_new(maker: Standing, wanted: NewInvite, there: Sequence[InviteRow], now: datetime) -> None:
    """Refuse a link that its maker may not give (`forbidden`), that is past already or names a time without a zone
    (`invalid`), or is one too many (`too_many`)."""
    if not may_give(maker.role, wanted.role):
        raise Refusal("forbidden", "that role is not below yours")
    if wanted.expires_at is not None and (wanted.expires_at.tzinfo is None or wanted.expires_at <= now):
        raise Refusal("invalid", "a link ends in the future")
    if sum(leads(one, now) for one in there) >= limits.INVITES:
        raise Refusal("too_many", "as many links are open as there may be")


def check_room(room: RoomRow | None) -> None:
    """Refuse with `room_full` who comes by a link where nobody fits in any more."""
    if room is None:
        raise Refusal("invite_over")
    if room.member_count >= room.max_members:
        raise Refusal("room_full", data={"max_members": room.max_members})


def check_right(standing: Standing) -> None:
    """Refuse with `forbidden` who may not invite."""
    if "invite" not in standing.rights:
        raise Refusal("forbidden")


def check_close(standing: Standing, invite: InviteRow) -> None:
    """Whoever manages members closes anybody's link, others their own. Refuses with `forbidden`."""
    if invite.by != standing.account and "manage_members" not in standing.rights:
        raise Refusal("forbidden", "this link is somebody else's")
