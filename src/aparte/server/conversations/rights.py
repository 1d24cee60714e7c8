"""What somebody may do in a conversation: base role, custom role and what is said of this member alone. Pure.

An override decides, else the custom role, else the base role (C-13). Where membership follows from signed statements
the base is what their readers apply, and the other two only narrow it: a server that could widen would be believed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import msgspec

from aparte.e2ee.statement import POLICY_MEMBERS_ADD, POLICY_MODERATORS_WRITE, Action
from aparte.server.conversations.model import Place, Seat, Standing
from aparte.server.kit.db import Row
from aparte.wire.content import ConversationKind, Mode, Permission, Role
from aparte.wire.errors import Refusal

RANK: dict[Role, int] = {"member": 0, "moderator": 1, "admin": 2, "owner": 3}

Rights = frozenset[Permission]
NOTHING: Rights = frozenset()
ALL: Rights = frozenset(get_args(Permission))
OF_BOTH: Rights = frozenset({"post", "react", "pin"})
"""What either of the two may in a direct conversation, which nobody manages."""

LEAST: dict[Permission, Role] = {
    "post": "member",
    "react": "member",
    "invite": "moderator",
    "pin": "moderator",
    "manage_messages": "moderator",
    "manage_members": "moderator",
    "edit_profile": "admin",
    "manage_roles": "admin",
}
"""From which base role on a right is there without anybody granting it."""
LEAST_IN_CHAIN = LEAST | {"invite": "admin"}
"""As `LEAST`, where people are added by signed statements."""

DOES: dict[Action, Permission] = {
    Action.ADD: "invite",
    Action.LINK: "invite",
    Action.REMOVE: "manage_members",
    Action.ROLE: "manage_roles",
    Action.POLICY: "edit_profile",
}
"""Which right a signed statement is the use of; leaving and joining need none."""

IN_ARCHIVE: Rights = frozenset({"edit_profile"})
"""What may be done in an archived conversation beside reading: taking it out of the archive."""
WHILE_SILENCED: Rights = ALL - {"post", "react"}


def base(kind: ConversationKind, mode: Mode, role: Role, policy: int = 0) -> Rights:
    """What a base role gives by itself; `policy` is that of the statements, where there are any."""
    if kind in {"direct", "self"}:
        return OF_BOTH
    rank = RANK[role]
    if mode == "server":
        rights = _up_to(LEAST, rank)
        return rights - {"post"} if kind == "channel" and not rank else rights
    rights = _up_to(LEAST_IN_CHAIN, rank)
    if policy & POLICY_MODERATORS_WRITE and not rank:
        rights -= {"post", "react"}
    return rights | {"invite"} if policy & POLICY_MEMBERS_ADD else rights


def _up_to(least: Mapping[Permission, Role], rank: int) -> Rights:
    return frozenset(right for right, role in least.items() if RANK[role] <= rank)


def effective(place: Place) -> Rights:
    """What a member may do.

    Nothing narrows an owner, or nobody could take it back. A bot where bots are not allowed does not post, whatever
    somebody has granted it; guests of the platform read (C-14).
    """
    if place.is_guest:
        return NOTHING
    rights = base(place.kind, place.mode, place.role, place.policy)
    if place.role != "owner" and place.kind not in {"direct", "self"}:
        said = {**place.custom, **place.overrides}
        rights -= {right for right, is_granted in said.items() if not is_granted}
        if place.mode == "server":
            rights |= {right for right, is_granted in said.items() if is_granted}
    return rights - {"post"} if place.is_unwanted_bot else rights


def denied(place: Place) -> Rights:
    """What the server takes from the base role."""
    return base(place.kind, place.mode, place.role, place.policy) - _anyway(place)


def beside_policy(place: Place) -> Place:
    """The place without the policy on who writes: each kind of sealed entry is held to it where it is judged, and
    members keep what they need beside writing (to delete what they wrote, to pass on keys)."""
    return replace(place, policy=place.policy & POLICY_MEMBERS_ADD)


def is_kept_from_posting(place: Place) -> bool:
    """Tell what is kept beside each member for sending.

    Where statements decide who writes they are asked at sending; what is kept is only what narrows them. Whether
    somebody is a guest is known of who asks, and not kept.
    """
    if place.mode == "server" or place.kind in {"direct", "self"}:
        return "post" not in _anyway(place)
    is_denied = place.role != "owner" and not {**place.custom, **place.overrides}.get("post", True)
    return is_denied or place.is_unwanted_bot


def place_of(row: Row) -> Place:
    """Read a place off a row with these columns: kind, encryption_mode, role, overrides, custom, policy, allow_bots
    (what the conversation's metadata says), account_kind, platform_role."""
    return Place(
        row["kind"],
        row["encryption_mode"],
        row["role"],
        _read(row["custom"]) or {},
        _read(row["overrides"]),
        row["policy"] or 0,
        is_unwanted_bot=row["account_kind"] == "bot" and _read(row["allow_bots"]) is False,
        is_guest=row["platform_role"] == "guest",
    )


def _read(value: Any) -> Any:
    """Whoever reads the log has jsonb as bytes, everybody else as what it says."""
    return msgspec.json.decode(value) if isinstance(value, bytes) else value


def check_statements(actor: Standing, actions: Iterable[Action]) -> None:
    """Statements do what a right is for: whom the server has denied it is refused with `forbidden`, whatever the chain
    would allow."""
    if any(DOES.get(action) in actor.denied for action in actions):
        raise Refusal("forbidden", "this was denied to you")


# Granting -------------------------------------------------------------------------------------------------------------


def check_grant(actor: Standing, wanted: Mapping[Permission, bool], before: Mapping[Permission, bool]) -> None:
    """Nobody grants what they may not do themselves; what was granted already may stay. Refuses with `forbidden`."""
    granted = {right for right, is_granted in wanted.items() if is_granted and not before.get(right)}
    if not granted <= actor.rights:
        raise Refusal("forbidden", "you lack what you would grant")


def check_seat(actor: Standing, seat: Seat, after: Place) -> None:
    """Decide whether a member's place may be another one: they are below the actor, and gain nothing the actor lacks.

    The owner, whom nobody is above, may wear a role and is denied nothing. Refuses with `forbidden`.
    """
    if seat.account != actor.account or actor.role != "owner":
        check_below(actor, seat)
    if not _anyway(after) - _anyway(seat.place) <= actor.rights:
        raise Refusal("forbidden", "you lack what they would gain")
    if seat.role == "owner" and not all({**after.custom, **after.overrides}.values()):
        raise Refusal("forbidden", "nothing is denied to the owner")


def check_holders(actor: Standing, holders: Sequence[Seat], custom: Mapping[Permission, bool]) -> None:
    """Decide whether a role may be another one for those who have it; for whom nothing changes, nobody is asked."""
    for seat in holders:
        after = replace(seat.place, custom=custom)
        is_denied = seat.role == "owner" and not all(custom.values())
        if is_denied or _anyway(after) != _anyway(seat.place):
            check_seat(actor, seat, after)


def _anyway(place: Place) -> Rights:
    """What they may do as soon as they are no guest."""
    return effective(replace(place, is_guest=False))


def check_below(actor: Standing, target: Seat) -> None:
    """Nobody changes the rights of who is at or above their own base role. Refuses with `forbidden`."""
    if RANK[target.role] >= RANK[actor.role]:
        raise Refusal("forbidden", "that role is not below yours")
