"""Membership: who is in a group, with which role, as it follows from the chain of signed statements.

Everybody folds the same statements in the same order by the same table, the server too; nobody is told the result. So
nobody is inside whom nobody entitled admitted. Source: docs/protocol/e2ee.md, 4.2.
"""

from dataclasses import replace
from typing import TypedDict, Unpack

from aparte.e2ee.errors import BadStatement, InvalidSignature
from aparte.e2ee.keys import PublicKey
from aparte.e2ee.members import LINKS_MAX, MEMBERS_MAX, Lines, Link, Member, Membership, heir, with_owner
from aparte.e2ee.membership_table import TABLE
from aparte.e2ee.primitives import constant_time_equal
from aparte.e2ee.roster import uuid8
from aparte.e2ee.statement import (
    ADMIN,
    MEMBER,
    MODERATOR,
    NO_HASH,
    NO_ID,
    OWNER,
    POLICY_HISTORY,
    POLICY_MEMBERS_ADD,
    POLICY_MODERATORS_WRITE,
    ROLES,
    STATEMENT_BYTES,
    Action,
    Signed,
    Statement,
    link_terms,
    sign,
)

__all__ = [
    "ADMIN",
    "LINKS_MAX",
    "MEMBER",
    "MEMBERS_MAX",
    "MODERATOR",
    "OWNER",
    "POLICY_HISTORY",
    "POLICY_MEMBERS_ADD",
    "POLICY_MODERATORS_WRITE",
    "ROLES",
    "STATEMENT_BYTES",
    "Action",
    "Fields",
    "Lines",
    "Link",
    "Member",
    "Membership",
    "Signed",
    "Statement",
    "apply",
    "begin",
    "conversation_id_of",
    "create",
    "heir",
    "link_terms",
    "next_statement",
    "sign",
    "verify",
]


def create(actor: bytes, actor_version: int, policy: int, arg: bytes, subject_key: bytes) -> Statement:
    """The first statement of a group; `arg` is random, `subject_key` its owner's account key."""
    return Statement(NO_ID, 1, NO_HASH, Action.CREATE, actor, actor_version, actor, subject_key, OWNER, policy, arg)


class Fields(TypedDict, total=False):
    """What a statement says beyond its action and actor; what an action does not use is left out."""

    subject: bytes
    subject_key: bytes
    role: int
    policy: int
    arg: bytes


def next_statement(
    membership: Membership, action: Action, actor: bytes, actor_version: int, **fields: Unpack[Fields]
) -> Statement:
    """A statement that continues the chain from here; whether it may be said, `apply` tells."""
    number, previous = membership.number + 1, membership.hash
    return Statement(membership.conversation, number, previous, action, actor, actor_version, **fields)


def conversation_id_of(statement: Statement) -> bytes:
    """The id of the group that this statement creates; BadStatement if it creates none."""
    statement.check()
    if statement.action is not Action.CREATE:
        raise BadStatement
    return uuid8(statement.hash)


def verify(
    signed: Signed, actor_key: PublicKey, membership: Membership | None, follows: Lines | None = None
) -> Statement:
    """Check form and signatures; BadStatement unless all hold. `membership` is the state before, None at the beginning.

    `actor_key` is the account key of the actor's list version. It must be the one the actor was admitted with or, if
    `follows` says so, one that came from it by rotations: after a reset, which the server alone can bring about,
    nobody speaks for the member before they are admitted again.
    """
    statement = Statement.deserialize(signed.statement)
    _check_actor_key(statement, actor_key.serialize(), membership, follows)
    _check_signature(actor_key, signed.statement, signed.signature)
    if statement.action is not Action.JOIN:
        if signed.link_signature is not None:
            raise BadStatement
        return statement
    link = membership.links.get(statement.arg) if membership is not None else None
    if link is None or signed.link_signature is None:
        raise BadStatement
    _check_signature(PublicKey.deserialize(link.key33), signed.statement, signed.link_signature)
    return statement


def begin(statement: Statement) -> Membership:
    """The state after the first statement: its actor alone, who owns the group."""
    conversation = conversation_id_of(statement)
    owner = Member(statement.actor, OWNER, 1, statement.subject_key)
    versions = {statement.actor: statement.actor_version}
    policy = statement.policy
    return Membership(conversation, 1, statement.hash, policy, {owner.account: owner}, versions, frozenset(), {})


def apply(membership: Membership, statement: Statement, is_other_line: Lines) -> Membership:
    """The state after one more statement; BadStatement unless it follows and its actor may say it.

    `is_other_line` tells whether a reset is known to lie between the key somebody was admitted with and a later one:
    only then are they admitted again while inside.
    """
    statement.check()
    follows = (
        statement.conversation == membership.conversation
        and statement.number == membership.number + 1
        and constant_time_equal(statement.previous, membership.hash)
        and statement.actor_version >= membership.versions.get(statement.actor, 0)
    )
    rule = TABLE.get(statement.action)
    if not follows or rule is None or not membership.members:
        raise BadStatement
    changed = rule(membership, statement, is_other_line)
    return replace(
        changed,
        number=statement.number,
        hash=statement.hash,
        members=with_owner(changed.members),
        versions={**membership.versions, statement.actor: statement.actor_version},
    )


def _check_actor_key(statement: Statement, key33: bytes, membership: Membership | None, follows: Lines | None) -> None:
    if (membership is None) is not (statement.action is Action.CREATE):
        raise BadStatement
    if membership is None or statement.action is Action.JOIN:
        if statement.subject_key != key33:
            raise BadStatement
        return
    actor = membership.members.get(statement.actor)
    if actor is None:
        raise BadStatement
    if actor.key33 != key33 and not (follows is not None and follows(statement.actor, actor.key33, key33)):
        raise BadStatement


def _check_signature(key: PublicKey, data: bytes, signature: bytes) -> None:
    try:
        key.verify(data, signature)
    except InvalidSignature as error:
        raise BadStatement from error
