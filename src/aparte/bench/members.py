"""Groups of the people of a measurement: signed membership as of anybody, under the account key they all have."""

import os
from collections.abc import Sequence
from uuid import UUID

from aparte.bench import keys
from aparte.e2ee import membership
from aparte.e2ee.membership import Action, Fields, Membership, Statement
from aparte.wire.groups import NewGroup, SignedStatement
from aparte.wire.ids import AccountId, ConversationId


def signed(statement: Statement) -> SignedStatement:
    """A statement with everybody's account key under it."""
    done = membership.sign(statement, keys.account_key(), os.urandom)
    return SignedStatement(done.statement, done.signature)


def founding(owner: AccountId, others: Sequence[AccountId], policy: int = 0) -> tuple[NewGroup, Membership]:
    """The statements that begin a group, and what follows from them; everybody's list is their first."""
    first = membership.create(owner.bytes, 1, policy, os.urandom(16), keys.account_key().public.serialize())
    now, said = membership.begin(first), [signed(first)]
    for other in others:
        add = membership.next_statement(now, Action.ADD, owner.bytes, 1, **admission(other))
        now = membership.apply(now, add, never)
        said.append(signed(add))
    return NewGroup(ConversationId(UUID(bytes=now.conversation)), said), now


def admission(account: AccountId, role: int = membership.MEMBER) -> Fields:
    """What a statement that adds somebody says of them."""
    return {"subject": account.bytes, "subject_key": keys.account_key().public.serialize(), "role": role}


def never(_account: bytes, _one: bytes, _other: bytes) -> bool:
    """No account key was ever reset."""
    return False
