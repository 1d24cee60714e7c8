"""Groups of people with lists of our own making, and statements that they sign, for tests of what a client believes."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Unpack
from uuid import UUID

from tests.client.lists import Owner

from aparte.e2ee import membership
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.membership import MEMBER, Action, Fields, Membership
from aparte.e2ee.roster import roster
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import ConversationId


def sent(statement: membership.Statement, key: KeyPair, link: KeyPair | None = None) -> SignedStatement:
    """A statement signed by whatever key, as it travels."""
    made = membership.sign(statement, key, secrets.token_bytes, link_key=link)
    return SignedStatement(made.statement, made.signature, made.link_signature)


@dataclass(frozen=True)
class Group:
    """A group as its members have signed it: the newest membership, and the chain that leads there."""

    now: Membership
    chain: tuple[SignedStatement, ...]
    people: dict[bytes, Owner] = field(repr=False)
    """Everybody who ever was in it, with their newest lists."""

    @classmethod
    def of(cls, owner: Owner, others: Iterable[Owner] = (), policy: int = 0) -> "Group":
        """A new group."""
        key = owner.key.public.serialize()
        first = membership.create(owner.list.account, owner.list.version, policy, secrets.token_bytes(16), key)
        made = cls(membership.begin(first), (sent(first, owner.key),), {owner.list.account: owner})
        for other in others:
            made = made.with_member(owner, other)
        return made

    @property
    def id(self) -> ConversationId:
        """Which conversation it is."""
        return ConversationId(UUID(bytes=self.now.conversation))

    def by(self, actor: Owner, action: Action, **fields: Unpack[Fields]) -> "Group":
        """The group after somebody has said something that they may say."""
        said = membership.next_statement(self.now, action, actor.list.account, actor.list.version, **fields)
        after = membership.apply(self.now, said, lambda _account, _admitted, _key: True)
        return replace(self, now=after, chain=(*self.chain, sent(said, actor.key)))

    def with_member(self, actor: Owner, other: Owner, role: int = MEMBER) -> "Group":
        """The group with somebody more."""
        known = replace(self, people={**self.people, other.list.account: other})
        fields: Fields = {"subject": other.list.account, "subject_key": other.key.public.serialize(), "role": role}
        return known.by(actor, Action.ADD, **fields)

    def without(self, actor: Owner, other: Owner) -> "Group":
        """The group without somebody."""
        return self.by(actor, Action.REMOVE, subject=other.list.account)

    def with_list(self, owner: Owner) -> "Group":
        """The group after one of its people has another list."""
        return replace(self, people={**self.people, owner.list.account: owner})

    def roster(self, *lost: Owner) -> bytes:
        """The roster of the newest lists; of those who are lost, with zeros."""
        hashes = {account: self.people[account].list.hash for account in self.now.members}
        hashes |= {owner.list.account: bytes(32) for owner in lost}
        return roster(self.now.conversation, self.now.hash, hashes)
