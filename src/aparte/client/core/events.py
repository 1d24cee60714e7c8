"""What happened in an encrypted conversation beside what was said: read off entries, who did it and to whom. Pure.

Accounts stay ids here; names and sentences come later (`happenings`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal
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
from aparte.wire.content import Profile, Role
from aparte.wire.ids import AccountId
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
]
Policy = Literal["members_add", "history", "moderators_write"]

TOLD = frozenset({kinds.STATEMENT, kinds.PROFILE, kinds.PIN, kinds.SETTINGS})
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
    """The new name or topic."""
    ttl: tuple[str, int] | None = None
    """How long new messages stay from here on, and from when; None: for good."""
    heir: AccountId | None = None
    """Who owns the group from here on, because the owner went."""

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


def happened(entry: Entry, before: Profile | None) -> Happened | None:
    """Tell what an entry did; None if that is nothing to be told. `before`: the profile before a new one."""
    body = body_of(entry)
    match body:
        case kinds.StatementChange():
            return _stated(entry, body.signed.statement)
        case Profile() if entry.kind == kinds.PROFILE:
            return _described(entry, body, before)
        case kinds.Switch() if entry.kind == kinds.PIN:
            return Happened(entry, "pinned" if body.on else "unpinned", entry.account)
        case Agreed():
            return Happened(entry, "settings", entry.account, ttl=body.ttl)
    return None


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
