"""What happened in a conversation beside what was said: read off entries, who did it and to whom. Pure.

Accounts stay ids here; names and sentences come later (`happenings`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aparte.client.core.bodies import body_of
from aparte.client.core.opened import Agreed
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.statement import (
    MEMBER,
    POLICY_HISTORY,
    POLICY_MEMBERS_ADD,
    POLICY_MODERATORS_WRITE,
    Action,
    Statement,
)
from aparte.wire import kinds
from aparte.wire.content import (
    ConversationSettings,
    CustomRole,
    MemberNickname,
    MemberRights,
    MemberSilence,
    Permissions,
    Profile,
    Role,
)
from aparte.wire.ids import AccountId, EntryId, RoleId
from aparte.wire.messages import Entry

Deed = Literal[
    "created",
    "added",
    "removed",
    "left",
    "role",
    "link_opened",
    "link_closed",
    "joined",
    "policy",
    "named",
    "topic",
    "profile",
    "pinned",
    "unpinned",
    "settings",
    "came",
    "banned",
    "reacted",
    "unreacted",
    "rights",
    "role_defined",
    "role_gone",
    "silenced",
    "unsilenced",
    "nicknamed",
    "run",
    "archived",
    "unarchived",
]
Policy = Literal["members_add", "history", "moderators_write"]

TOLD = frozenset(
    {
        kinds.REACTION,
        kinds.PIN,
        kinds.PROFILE,
        kinds.SETTINGS,
        kinds.CREATED,
        kinds.JOINED,
        kinds.LEFT,
        kinds.REMOVED,
        kinds.ROLE,
        kinds.STATEMENT,
        kinds.RIGHTS,
        kinds.ROLES,
        kinds.SILENCED,
        kinds.NICKNAME,
    }
)
"""Kinds that people are told of in words."""
ROLES: tuple[Role, ...] = ("member", "moderator", "admin", "owner")
"""Names of the roles 1 to 4 of statements."""
POLICIES: dict[Policy, int] = {
    "members_add": POLICY_MEMBERS_ADD,
    "history": POLICY_HISTORY,
    "moderators_write": POLICY_MODERATORS_WRITE,
}
"""Names of the bits of a group's policy."""


_DEEDS: dict[Action, Deed] = {
    Action.CREATE: "created",
    Action.ADD: "added",
    Action.REMOVE: "removed",
    Action.LEAVE: "left",
    Action.ROLE: "role",
    Action.LINK: "link_opened",
    Action.JOIN: "joined",
    Action.POLICY: "policy",
}
_ABOUT_OTHERS = frozenset({Action.ADD, Action.REMOVE, Action.ROLE})


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that somebody did."""

    entry: Entry
    deed: Deed
    actor: AccountId
    subjects: tuple[AccountId, ...] = ()
    role: Role | None = None
    policy: tuple[Policy, ...] = ()
    text: str | None = None
    """The new name or topic; the reaction; what a role or a member is called."""
    ttl: tuple[str, int] | None = None
    """How long new messages stay from here on, and from when; None: for good."""
    heir: AccountId | None = None
    """Who owns the group from here on, because the owner went."""
    message: EntryId | None = None
    """The message that it was done to."""
    until: datetime | None = None
    """Until when somebody is silenced."""
    permissions: Permissions = field(default_factory=dict)
    """What a role, or a member alone, is granted or denied."""
    role_id: RoleId | None = None
    settings: ConversationSettings | None = None
    """How a conversation is run from here on, `changed` of it otherwise than before."""
    changed: tuple[str, ...] = ()

    @property
    def people(self) -> set[AccountId]:
        """Everybody who is named where this is told."""
        return {self.actor, *self.subjects} | ({self.heir} if self.heir else set())


def role_name(role: int) -> Role:
    """Name a role of statements."""
    return ROLES[role - MEMBER]


def role_number(role: Role) -> int:
    """Give the number of a role in statements."""
    return ROLES.index(role) + MEMBER


def policy_names(policy: int) -> tuple[Policy, ...]:
    """Name the bits that are set."""
    return tuple(name for name, bit in POLICIES.items() if policy & bit)


def policy_bits(names: Iterable[Policy]) -> int:
    """Give the policy in which these bits are set."""
    return sum(POLICIES[name] for name in set(names))


def happened(entry: Entry, before: Profile | ConversationSettings | None) -> Happened | None:
    """Tell what an entry did; None if that is nothing to be told. `before`: the profile, or the settings, before."""
    told: Happened | None = None
    match body := body_of(entry):
        case kinds.StatementChange():
            told = _stated(entry, body.signed.statement)
        case Profile() if entry.kind == kinds.PROFILE:
            told = _described(entry, body, before if isinstance(before, Profile) else None)
        case Profile() if entry.kind == kinds.CREATED:
            told = Happened(entry, "created", entry.account, text=body.name)
        case kinds.Switch() if entry.kind == kinds.PIN:
            told = _done_to(entry, "pinned" if body.on else "unpinned")
        case kinds.Reacted(emoji, on):
            told = replace(_done_to(entry, "reacted" if on else "unreacted"), text=emoji)
        case Agreed():
            told = Happened(entry, "settings", entry.account, ttl=body.ttl)
        case ConversationSettings():
            told = _run(entry, body, before if isinstance(before, ConversationSettings) else ConversationSettings())
        case _:
            told = _about_members(entry, body)
    return told


def _about_members(entry: Entry, body: Any) -> Happened | None:
    """Tell what the server says of members and their rights."""
    told: Happened | None = None
    actor = entry.account
    match body:
        case kinds.MemberChange():
            told = _placed(entry, body)
        case MemberRights(account, role_id, rights):
            told = Happened(entry, "rights", actor, (account,), permissions=rights, role_id=role_id)
        case kinds.RolesChange(CustomRole() as role, _):
            rights = role.permissions
            told = Happened(entry, "role_defined", actor, text=role.name, permissions=rights, role_id=role.id)
        case kinds.RolesChange(None, gone):
            told = Happened(entry, "role_gone", actor, role_id=gone)
        case MemberSilence(account, until):
            told = Happened(entry, "silenced" if until else "unsilenced", actor, (account,), until=until)
        case MemberNickname(account, nickname):
            told = Happened(entry, "nicknamed", actor, (account,), text=nickname)
    return told


def _placed(entry: Entry, body: kinds.MemberChange) -> Happened | None:
    """Tell who has come, gone, or is something else, where the server says so."""
    others = (body.account,) if body.account != entry.account else ()
    deeds: dict[int, Deed] = {
        kinds.JOINED: "added" if others else "came",
        kinds.LEFT: "left",
        kinds.REMOVED: "banned" if body.is_banned else "removed",
        kinds.ROLE: "role",
    }
    deed = deeds.get(entry.kind)
    if deed is None:
        return None
    return Happened(
        entry, deed, entry.account, others or (() if deed in {"came", "left"} else (body.account,)), body.role
    )


def _run(entry: Entry, now: ConversationSettings, before: ConversationSettings) -> Happened:
    """Tell what is run otherwise; how long messages stay, and an archive, by words of their own if it is that alone."""
    changed = tuple(name for name in now.__struct_fields__ if getattr(now, name) != getattr(before, name))
    told = Happened(entry, "run", entry.account, settings=now, changed=changed)
    if changed == ("ttl",):
        return replace(told, deed="settings", ttl=("sending", now.ttl) if now.ttl is not None else None)
    if changed == ("is_archived",):
        return replace(told, deed="archived" if now.is_archived else "unarchived")
    return told


def _done_to(entry: Entry, deed: Deed) -> Happened:
    return Happened(entry, deed, entry.account, message=entry.target.id if entry.target is not None else None)


def gathered(found: Iterable[Happened]) -> list[Happened]:
    """Make one of admissions by the same person that stand one after the other; it is where the last one is."""
    told: list[Happened] = []
    for item in found:
        last = told[-1] if told else None
        if last is not None and item.deed == last.deed == "added" and item.actor == last.actor:
            told[-1] = replace(last, entry=item.entry, subjects=(*last.subjects, *item.subjects))
        else:
            told.append(item)
    return told


def _stated(entry: Entry, data: bytes) -> Happened | None:
    try:
        statement = Statement.deserialize(data)
    except BadStatement:
        return None
    is_closing = statement.action is Action.LINK and not statement.role
    return Happened(
        entry,
        "link_closed" if is_closing else _DEEDS[statement.action],
        _account(statement.actor),
        (_account(statement.subject),) if statement.action in _ABOUT_OTHERS else (),
        role_name(statement.role) if statement.role else None,
        policy_names(statement.policy),
    )


def _described(entry: Entry, now: Profile, before: Profile | None) -> Happened:
    """Tell the first thing that differs: the name before the topic before the rest."""
    if before is None or now.name != before.name:
        return Happened(entry, "named", entry.account, text=now.name)
    if now.topic != before.topic:
        return Happened(entry, "topic", entry.account, text=now.topic)
    return Happened(entry, "profile", entry.account)


def _account(data: bytes) -> AccountId:
    return AccountId(UUID(bytes=data))
