"""Law: whatever is said in whatever order, nobody is inside whom nobody entitled admitted, and one owns the group.

The model beside it knows the table as lists of who may do what, and nothing of statements, hashes or keys.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.e2ee.groups import Account, Group, people

from aparte.e2ee import invite, membership
from aparte.e2ee.errors import BadStatement
from aparte.e2ee.membership import Action, Signed, Statement

SEEDS = [b"\x05" * 16, b"\x06" * 16]
LINK_KEYS = {invite.link_key(seed).public.serialize(): seed for seed in SEEDS}
ADDS = {"owner": ("member", "moderator", "admin"), "admin": ("member", "moderator")}
REMOVES = {
    "owner": ("member", "moderator", "admin"),
    "admin": ("member", "moderator", "owner"),
    "moderator": ("member",),
}
NAMES = {1: "member", 2: "moderator", 3: "admin", 4: "owner"}


@dataclass
class Naive:
    """Who is inside in order of admission, as somebody with a list would keep it."""

    inside: list[tuple[int, str]]
    thrown_out: set[int] = field(default_factory=set)
    doors: dict[bytes, list[object]] = field(default_factory=dict)
    """Seed: the role it gives, and how many may still come; None any."""
    members_add: bool = False

    def rank(self, person: int) -> str:
        return dict(self.inside).get(person, "nobody")

    def out(self, person: int) -> None:
        gone = self.rank(person)
        self.inside = [row for row in self.inside if row[0] != person]
        if gone == "owner":
            self.crown()

    def crown(self) -> None:
        for role in ("admin", "moderator", "member"):
            candidates = [person for person, held in self.inside if held == role]
            if candidates:
                self.put(candidates[0], "owner")
                return

    def put(self, person: int, role: str) -> None:
        self.inside = [(other, role if other == person else held) for other, held in self.inside]

    def add(self, actor: int, subject: int, role: str, is_lost: bool) -> bool:
        rank = self.rank(actor)
        if self.rank(subject) != "nobody":
            if not is_lost or role != "member" or rank not in ADDS:
                return False
        elif role not in ADDS.get(rank, ()) and not (rank != "nobody" and self.members_add and role == "member"):
            return False
        self.out(subject)
        self.inside.append((subject, role))
        if self.inside[:-1] and "owner" not in dict(self.inside).values():
            self.crown()
        self.thrown_out.discard(subject)
        return True

    def remove(self, actor: int, subject: int) -> bool:
        if self.rank(subject) not in REMOVES.get(self.rank(actor), ()):
            return False
        self.out(subject)
        self.thrown_out.add(subject)
        return True

    def leave(self, actor: int) -> bool:
        was_inside = self.rank(actor) != "nobody"
        self.out(actor)
        return was_inside

    def give(self, actor: int, subject: int, role: str) -> bool:
        rank, held = self.rank(actor), self.rank(subject)
        small = ("member", "moderator")
        if held == "nobody" or not (rank == "owner" or (rank == "admin" and held in small and role in small)):
            return False
        if role == "owner":
            self.put(actor, "admin")
        self.put(subject, role)
        return True

    def open(self, actor: int, seed: bytes, role: str, uses: int) -> bool:
        if role not in ADDS.get(self.rank(actor), ()):
            return False
        self.doors[seed] = [role, uses or None]
        return True

    def close(self, actor: int, seed: bytes) -> bool:
        return self.rank(actor) in ADDS and self.doors.pop(seed, None) is not None

    def join(self, actor: int, seed: bytes, role: str) -> bool:
        door = self.doors.get(seed)
        if not self.inside or self.rank(actor) != "nobody" or actor in self.thrown_out:
            return False
        if door is None or door[0] != role or door[1] == 0:
            return False
        if isinstance(door[1], int):
            door[1] -= 1
        self.inside.append((actor, role))
        return True

    def set_policy(self, actor: int, policy: int) -> bool:
        if self.rank(actor) not in ADDS:
            return False
        self.members_add = policy % 2 == 1
        return True


persons = st.integers(0, 5)
roles = st.sampled_from([1, 1, 2, 3])
seeds = st.sampled_from(SEEDS)


class OneGroup(RuleBasedStateMachine):
    """Six people say things at random, the right and the wrong; keys change meanwhile."""

    @initialize(policy=st.integers(0, 7))
    def begin(self, policy: int) -> None:
        self.everybody = people(6)
        self.group = Group(self.everybody, self.account(0), policy)
        self.model = Naive([(0, "owner")], members_add=policy % 2 == 1)
        self.refused: list[Signed] = []

    def account(self, person: int) -> Account:
        return self.everybody.accounts[person]

    def is_silent(self, actor: int) -> bool:
        """After a reset nobody hears them, until they are admitted again."""
        account = self.account(actor)
        member = self.group.state.members.get(account.id)
        return member is not None and self.everybody.is_other_line(account.id, member.key33, account.key33)

    def say(self, actor: int, action: Action, seed: bytes | None = None, **fields: object) -> bool:
        """Whether it was taken."""
        signed = self.group.sign(self.group.next(self.account(actor), action, **fields), seed=seed)
        before = self.group.state
        try:
            self.group.take(signed)
        except BadStatement:
            assert self.group.state is before
            self.refused.append(signed)
            return False
        return True

    @rule(actor=persons, subject=persons, role=roles)
    def add(self, actor: int, subject: int, role: int) -> None:
        if actor == subject:
            return
        account = self.account(subject)
        is_lost, silent = self.is_silent(subject), self.is_silent(actor)
        taken = self.say(actor, Action.ADD, subject=account.id, subject_key=account.key33, role=role)
        assert taken == (not silent and self.model.add(actor, subject, NAMES[role], is_lost))

    @rule(actor=persons, subject=persons)
    def remove(self, actor: int, subject: int) -> None:
        if actor == subject:
            return
        silent = self.is_silent(actor)
        taken = self.say(actor, Action.REMOVE, subject=self.account(subject).id)
        assert taken == (not silent and self.model.remove(actor, subject))

    @rule(actor=persons)
    def leave(self, actor: int) -> None:
        silent = self.is_silent(actor)
        taken = self.say(actor, Action.LEAVE, subject=self.account(actor).id)
        assert taken == (not silent and self.model.leave(actor))

    @rule(actor=persons, subject=persons, role=st.integers(1, 4))
    def give(self, actor: int, subject: int, role: int) -> None:
        if actor == subject:
            return
        silent = self.is_silent(actor)
        taken = self.say(actor, Action.ROLE, subject=self.account(subject).id, role=role)
        assert taken == (not silent and self.model.give(actor, subject, NAMES[role]))

    @rule(actor=persons, seed=seeds, role=st.integers(0, 3), uses=st.integers(0, 2))
    def link(self, actor: int, seed: bytes, role: int, uses: int) -> None:
        silent = self.is_silent(actor)
        key33 = invite.link_key(seed).public.serialize()
        arg = membership.link_terms(0, uses) if role else bytes(16)
        taken = self.say(actor, Action.LINK, subject_key=key33, role=role, arg=arg)
        if silent:
            assert not taken
        elif role:
            assert taken == self.model.open(actor, seed, NAMES[role], uses)
        else:
            assert taken == self.model.close(actor, seed)

    @rule(actor=persons, named=seeds, held=seeds, role=roles)
    def join(self, actor: int, named: bytes, held: bytes, role: int) -> None:
        account, silent = self.account(actor), self.is_silent(actor)
        link_id = invite.link_id(invite.link_key(named).public)
        fields = {"subject": account.id, "subject_key": account.key33, "role": role, "arg": link_id}
        taken = self.say(actor, Action.JOIN, held, **fields)
        assert taken == (not silent and named == held and self.model.join(actor, named, NAMES[role]))

    @rule(actor=persons, policy=st.integers(0, 7))
    def set_policy(self, actor: int, policy: int) -> None:
        silent = self.is_silent(actor)
        taken = self.say(actor, Action.POLICY, policy=policy)
        assert taken == (not silent and self.model.set_policy(actor, policy))
        assert not taken or self.group.state.policy == policy

    @rule(person=persons)
    def rotate(self, person: int) -> None:
        self.account(person).rotate()

    @precondition(lambda self: len(self.group.chain) > 3)
    @rule(person=persons)
    def reset(self, person: int) -> None:
        self.account(person).reset()

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Nothing that was said before is taken again, nor what was refused."""
        old = data.draw(st.sampled_from(self.group.chain + self.refused))
        before = self.group.state
        if Statement.deserialize(old.statement).previous == before.hash:
            return
        try:
            self.group.take(old)
        except BadStatement:
            assert self.group.state is before
            return
        raise AssertionError("an old statement was taken")

    @invariant()
    def is_what_the_model_says(self) -> None:
        found = self.group.state
        by_admission = sorted(found.members.values(), key=lambda member: member.number)
        assert [(member.account[0] - 1, NAMES[member.role]) for member in by_admission] == self.model.inside
        assert {account[0] - 1 for account in found.removed} == self.model.thrown_out
        assert {LINK_KEYS[link.key33] for link in found.links.values()} == set(self.model.doors)

    @invariant()
    def one_owns_it(self) -> None:
        owners = [member.account for member in self.group.state.members.values() if member.role == membership.OWNER]
        assert owners == ([self.group.state.owner] if self.group.state.members else [])

    @invariant()
    def everybody_inside_was_admitted(self) -> None:
        for account, member in self.group.state.members.items():
            said = Statement.deserialize(self.group.chain[member.number - 1].statement)
            assert (said.subject, said.subject_key) == (account, member.key33)
            assert said.action in (Action.CREATE, Action.ADD, Action.JOIN)

    def teardown(self) -> None:
        """The same chain gives the same state to whoever reads it."""
        if not hasattr(self, "group"):
            return
        first, *others = [Statement.deserialize(signed.statement) for signed in self.group.chain]
        state = membership.begin(first)
        for statement in others:
            state = membership.apply(state, statement, self.everybody.is_other_line)
        assert state == self.group.state


class TestOneGroup(OneGroup.TestCase):
    settings = settings(
        max_examples=100,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.long
@pytest.mark.timeout(7200)
class TestOneGroupForLong(OneGroup.TestCase):
    settings = settings(
        max_examples=3_000, stateful_step_count=150, deadline=None, suppress_health_check=list(HealthCheck)
    )
