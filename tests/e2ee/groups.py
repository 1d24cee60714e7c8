"""People with account keys, and a group of theirs: its chain of statements, said, checked and folded one by one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Unpack

import pytest
from tests.e2ee.people import seeded

from aparte.e2ee import invite, membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.membership import (
    ADMIN,
    MEMBER,
    MODERATOR,
    OWNER,
    ROLES,
    Action,
    Fields,
    Membership,
    Signed,
    Statement,
)

RANKS = (0, *ROLES)


@dataclass
class Account:
    """Somebody's account key in every version of the list; `lines` counts the resets before it."""

    id: bytes
    keys: list[KeyPair]
    lines: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def create(cls, number: int) -> "Account":
        draw = seeded(1_000 + number)
        return cls(bytes([number]) * 16, [KeyPair.generate(draw)])

    @property
    def key(self) -> KeyPair:
        return self.keys[-1]

    @property
    def key33(self) -> bytes:
        return self.key.public.serialize()

    @property
    def version(self) -> int:
        return len(self.keys)

    def rotate(self) -> None:
        """A new key that the one before signed."""
        self._begin(self.lines[-1])

    def reset(self) -> None:
        """A new key that nothing leads to."""
        self._begin(self.lines[-1] + 1)

    def _begin(self, line: int) -> None:
        self.keys.append(KeyPair.generate(seeded(self.id[0] * 100 + len(self.keys))))
        self.lines.append(line)

    def place(self, key33: bytes) -> int | None:
        """Which version has this key."""
        return next((at for at, key in enumerate(self.keys) if key.public.serialize() == key33), None)


@dataclass
class People:
    """Everybody there is, and what is known of their keys."""

    accounts: list[Account]

    def find(self, account: bytes) -> Account:
        return next(one for one in self.accounts if one.id == account)

    def is_other_line(self, account: bytes, admitted: bytes, other: bytes) -> bool:
        found = self.find(account)
        before, after = found.place(admitted), found.place(other)
        return before is not None and after is not None and found.lines[before] < found.lines[after]

    def follows(self, account: bytes, admitted: bytes, other: bytes) -> bool:
        found = self.find(account)
        before, after = found.place(admitted), found.place(other)
        return (
            before is not None and after is not None and before <= after and found.lines[before] == found.lines[after]
        )


def people(count: int = 5) -> People:
    return People([Account.create(number + 1) for number in range(count)])


class Group:
    """A chain that begins with its owner; `state` is where it is."""

    def __init__(self, everybody: People, owner: Account, policy: int = 0, seed: int = 7) -> None:
        self.people = everybody
        self.random = seeded(seed)
        first = membership.create(owner.id, owner.version, policy, self.random(16), owner.key33)
        self.chain = [membership.sign(first, owner.key, self.random)]
        self.states = [membership.begin(membership.verify(self.chain[0], owner.key.public, None))]

    @property
    def state(self) -> Membership:
        return self.states[-1]

    def next(self, actor: Account, action: Action, **fields: Unpack[Fields]) -> Statement:
        return membership.next_statement(self.state, action, actor.id, actor.version, **fields)

    def sign(self, statement: Statement, *, by: KeyPair | None = None, seed: bytes | None = None) -> Signed:
        """Signed by the actor's newest key, or by another; a joining by the key of the link with this seed."""
        key = by or self.people.find(statement.actor).key
        return membership.sign(statement, key, self.random, link_key=invite.link_key(seed) if seed else None)

    def take(self, signed: Signed) -> Membership:
        """Check and fold one statement, as everybody does; the chain goes on with it."""
        statement = Statement.deserialize(signed.statement)
        versions = self.people.find(statement.actor).keys
        key: PublicKey = versions[min(statement.actor_version, len(versions)) - 1].public
        checked = membership.verify(signed, key, self.state, self.people.follows)
        after = membership.apply(self.state, checked, self.people.is_other_line)
        self.chain.append(signed)
        self.states.append(after)
        return after

    def say(self, actor: Account, action: Action, **fields: Unpack[Fields]) -> Membership:
        return self.take(self.sign(self.next(actor, action, **fields)))

    def add(self, actor: Account, subject: Account, role: int = membership.MEMBER) -> Membership:
        return self.say(actor, Action.ADD, subject=subject.id, subject_key=subject.key33, role=role)

    def remove(self, actor: Account, subject: Account) -> Membership:
        return self.say(actor, Action.REMOVE, subject=subject.id)

    def leave(self, actor: Account) -> Membership:
        return self.say(actor, Action.LEAVE, subject=actor.id)

    def give(self, actor: Account, subject: Account, role: int) -> Membership:
        return self.say(actor, Action.ROLE, subject=subject.id, role=role)

    def set_policy(self, actor: Account, policy: int) -> Membership:
        return self.say(actor, Action.POLICY, policy=policy)

    def link(self, actor: Account, seed: bytes, role: int = 1, expires: int = 0, uses: int = 0) -> Membership:
        key = invite.link_key(seed).public.serialize()
        arg = membership.link_terms(expires, uses) if role else bytes(16)
        return self.say(actor, Action.LINK, subject_key=key, role=role, arg=arg)

    def join(self, newcomer: Account, seed: bytes, role: int = 1) -> Membership:
        link_id = invite.link_id(invite.link_key(seed).public)
        fields: Fields = {"subject": newcomer.id, "subject_key": newcomer.key33, "role": role, "arg": link_id}
        return self.take(self.sign(self.next(newcomer, Action.JOIN, **fields), seed=seed))

    def roles(self) -> dict[int, int]:
        """By the numbers of the accounts."""
        return {account[0]: member.role for account, member in self.state.members.items()}


def with_roles(*roles: int, policy: int = 0) -> tuple[Group, list[Account]]:
    """A group whose first member owns it, with others in these roles; and one more account, who is outside."""
    everybody = people(len(roles) + 2)
    owner, *others = everybody.accounts
    group = Group(everybody, owner, policy)
    for role, other in zip(roles, others, strict=False):
        group.add(owner, other, role)
    return group, everybody.accounts


def refused(say: Callable[[], object], group: Group) -> None:
    """It is refused, and nothing has changed."""
    before = group.state
    with pytest.raises(BadStatement):
        say()
    assert group.state is before


def allowed(is_allowed: bool, say: Callable[[], object], group: Group) -> None:
    if is_allowed:
        say()
    else:
        refused(say, group)


def company(policy: int = 0) -> tuple[Group, dict[int, Account], dict[int, Account], Account]:
    """A group, somebody of each role (0: outside), somebody else of each role below owner, and one more outside."""
    everybody = people(9)
    owner, admin, moderator, member, admin2, moderator2, member2, outside, outside2 = everybody.accounts
    group = Group(everybody, owner, policy)
    for role, account in ((3, admin), (2, moderator), (1, member), (3, admin2), (2, moderator2), (1, member2)):
        group.add(owner, account, role)
    first = {OWNER: owner, ADMIN: admin, MODERATOR: moderator, MEMBER: member, 0: outside}
    return group, first, {ADMIN: admin2, MODERATOR: moderator2, MEMBER: member2, 0: outside2}, outside2
