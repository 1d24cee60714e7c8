"""Groups with real signatures for tests of the server, folded beside it by the specification and not by the server."""

import os
from dataclasses import dataclass, field
from typing import Any, Unpack
from uuid import UUID, uuid4

from aparte.e2ee import invite, membership
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import Action, Fields, Membership, Signed
from aparte.e2ee.statement import Statement
from aparte.server.conversations import actions as conversations
from aparte.server.conversations.actions.gathering import Gathering
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.wire.groups import Admitted, NewGroup, NewStatements, SignedStatement
from aparte.wire.ids import ConversationId, InviteToken
from tests.support import keys, rooms
from tests.support.people import Device
from tests.support.sealing import caller_of, give_keys

MEMBERS_ADD, HISTORY, MODERATORS_WRITE = 1, 2, 4


async def person(connection: Any, name: str | None = None) -> Caller:
    """An account with one device and a list that names it."""
    caller = await rooms.person(connection, name)
    await give_keys(connection, caller)
    return caller


@dataclass(frozen=True)
class Link:
    """An invite link, as whoever has it knows it."""

    token: InviteToken = field(default_factory=lambda: InviteToken(uuid4()))
    seed: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def key(self) -> KeyPair:
        """What signs joinings."""
        return invite.link_key(self.seed)

    @property
    def id(self) -> bytes:
        """What names it in the chain."""
        return invite.link_id(self.key.public)


@dataclass
class Group:
    """One chain as an honest member knows it: signs what comes next, and goes on with what was stored."""

    state: Membership
    versions: dict[UUID, int] = field(default_factory=dict)
    """The newest list versions of those who have more than one."""
    account_keys: dict[UUID, KeyPair] = field(default_factory=dict)
    """The keys of those who have another one than everybody."""
    chain: list[SignedStatement] = field(default_factory=list)

    @property
    def id(self) -> ConversationId:
        """The conversation."""
        return ConversationId(UUID(bytes=self.state.conversation))

    def key_of(self, caller: Caller) -> KeyPair:
        """Somebody's account key."""
        return self.account_keys.get(caller.account, keys.account_key())

    def say(self, actor: Caller, action: Action, **fields: Unpack[Fields]) -> SignedStatement:
        """Sign what somebody says next; the chain is where it was until `take`."""
        version = self.versions.get(actor.account, 1)
        statement = membership.next_statement(self.state, action, actor.account.bytes, version, **fields)
        return self.signed(actor, statement)

    def signed(self, actor: Caller, statement: Statement, link: Link | None = None) -> SignedStatement:
        """Sign a statement as it is."""
        link_key = link.key if link else None
        return in_wire(membership.sign(statement, self.key_of(actor), os.urandom, link_key=link_key))

    def add(self, actor: Caller, subject: Caller, role: int = 1) -> SignedStatement:
        """Somebody adds somebody."""
        key33 = self.key_of(subject).public.serialize()
        return self.say(actor, Action.ADD, subject=subject.account.bytes, subject_key=key33, role=role)

    def remove(self, actor: Caller, subject: Caller) -> SignedStatement:
        """Somebody puts somebody out."""
        return self.say(actor, Action.REMOVE, subject=subject.account.bytes)

    def leave(self, actor: Caller) -> SignedStatement:
        """Somebody goes."""
        return self.say(actor, Action.LEAVE, subject=actor.account.bytes)

    def give_role(self, actor: Caller, subject: Caller, role: int) -> SignedStatement:
        """Somebody gives somebody a role."""
        return self.say(actor, Action.ROLE, subject=subject.account.bytes, role=role)

    def set_policy(self, actor: Caller, policy: int) -> SignedStatement:
        """Somebody sets the policy."""
        return self.say(actor, Action.POLICY, policy=policy)

    def open(self, actor: Caller, link: Link, role: int = 1, expires: int = 0, uses: int = 0) -> SignedStatement:
        """Somebody opens a link, gives it other terms, or (role 0) closes it."""
        key33 = link.key.public.serialize()
        arg = membership.link_terms(expires, uses) if role else bytes(16)
        return self.say(actor, Action.LINK, subject_key=key33, role=role, arg=arg)

    def join(self, actor: Caller, link: Link, role: int = 1) -> SignedStatement:
        """Somebody comes by a link."""
        version, key33 = self.versions.get(actor.account, 1), self.key_of(actor).public.serialize()
        fields = {"subject": actor.account.bytes, "subject_key": key33, "role": role, "arg": link.id}
        statement = membership.next_statement(self.state, Action.JOIN, actor.account.bytes, version, **fields)  # type: ignore[arg-type]
        return self.signed(actor, statement, link)

    def take(self, *said: SignedStatement) -> None:
        """Go on with statements; BadStatement if they do not follow."""
        for one in said:
            statement = Statement.deserialize(one.statement)
            self.state = membership.apply(self.state, statement, lambda _account, old, new: old != new)
            self.chain.append(one)

    def again(self) -> "Group":
        """The same chain, to go on with otherwise."""
        return Group(self.state, dict(self.versions), dict(self.account_keys), list(self.chain))


def in_wire(signed: Signed) -> SignedStatement:
    """A signed statement as it is sent."""
    return SignedStatement(signed.statement, signed.signature, signed.link_signature)


def founding(owner: Caller, *members: Caller, policy: int = 0, version: int = 1) -> tuple[Group, NewGroup]:
    """A group that is not stored yet, and what creates it."""
    key = keys.account_key()
    first = membership.create(owner.account.bytes, version, policy, os.urandom(16), key.public.serialize())
    group = Group(membership.begin(first), {owner.account: version} if version > 1 else {})
    group.chain.append(in_wire(membership.sign(first, key, os.urandom)))
    for member in members:
        group.take(group.add(owner, member))
    return group, NewGroup(group.id, list(group.chain))


async def group(db: Database, owner: Caller, *members: Caller, policy: int = 0) -> Group:
    """A group that is stored."""
    made, new = founding(owner, *members, policy=policy)
    await conversations.create_group(db, owner, new)
    return made


async def store(
    db: Database,
    made: Group,
    caller: Caller,
    *said: SignedStatement,
    token: InviteToken | None = None,
    ban: bool = False,
    card: bytes | None = None,
) -> Admitted:
    """Have statements stored, by a process that has nothing else to do, and go on with them."""
    gathering = Gathering(db)
    try:
        new = NewStatements(list(said), token, ban, card)
        admitted = await conversations.submit(db, gathering, caller, made.id, new)
    finally:
        await gathering.close()
    made.take(*said)
    return admitted


async def over_the_wire(owner: Device, *members: Device, policy: int = 0, kind: str = "group") -> Group:
    """A group, or an encrypted room or channel, made over REST by people who have registered."""
    made, new = founding(caller_of(owner), *(caller_of(member) for member in members), policy=policy)
    await owner.post("/conversations/group", keys.in_json(new) | {"kind": kind})
    return made


async def say_over_the_wire(made: Group, device: Device, *said: SignedStatement, **more: Any) -> Any:
    """Send statements over REST, and go on with them."""
    body = {"statements": keys.in_json(list(said)), **more}
    answer = await device.post(f"/conversations/{made.id}/statements", body)
    made.take(*said)
    return answer
