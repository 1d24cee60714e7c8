"""The table of the page: for each action who may take it, whom it may concern, and what it changes.

Form is settled before (`statement.py`); so are the statement's place in the chain and its signatures
(`membership.py`). Source: docs/protocol/e2ee.md, 4.2.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from aparte.e2ee.errors import BadStatement
from aparte.e2ee.members import LINKS_MAX, MEMBERS_MAX, Lines, Link, Member, Membership
from aparte.e2ee.statement import ADMIN, MEMBER, MODERATOR, OWNER, POLICY_MEMBERS_ADD, Action, Statement, link_id_of

V = TypeVar("V")
Rule = Callable[[Membership, Statement, Lines], Membership]


def _add(state: Membership, said: Statement, is_other_line: Lines) -> Membership:
    """Admins up; members if the policy says so. Somebody inside only after a reset, and then from the bottom."""
    rank, inside = state.role_of(said.actor), state.members.get(said.subject)
    if inside is not None:
        is_lost = is_other_line(said.subject, inside.key33, said.subject_key)
        _check(rank >= ADMIN and said.role == MEMBER and is_lost)
    elif rank >= ADMIN:
        _check(said.role < rank)
    else:
        _check(rank >= MEMBER and bool(state.policy & POLICY_MEMBERS_ADD) and said.role == MEMBER)
    return _admitted(state, said)


def _remove(state: Membership, said: Statement, _: Lines) -> Membership:
    """Moderators up whoever is below them; an admin the owner, whose account the server knows to be gone."""
    rank, other = state.role_of(said.actor), state.role_of(said.subject)
    _check(rank >= MODERATOR and other > 0 and (other < rank or (rank, other) == (ADMIN, OWNER)))
    return replace(state, members=_without(state.members, said.subject), removed=state.removed | {said.subject})


def _leave(state: Membership, said: Statement, _: Lines) -> Membership:
    _check(said.actor in state.members)
    return replace(state, members=_without(state.members, said.actor))


def _role(state: Membership, said: Statement, _: Lines) -> Membership:
    """The owner anybody's, admins what is below them; who hands on the group is an admin from then on."""
    rank, other = state.role_of(said.actor), state.members.get(said.subject)
    if other is None:
        raise BadStatement
    _check(rank == OWNER or (rank == ADMIN and other.role < ADMIN and said.role < ADMIN))
    changed = {said.subject: replace(other, role=said.role)}
    if said.role == OWNER:
        changed[said.actor] = replace(state.members[said.actor], role=ADMIN)
    return replace(state, members={**state.members, **changed})


def _link(state: Membership, said: Statement, _: Lines) -> Membership:
    """Admins up open links to roles below theirs, change them, and close anybody's."""
    rank, link_id = state.role_of(said.actor), link_id_of(said.subject_key)
    _check(rank >= ADMIN and said.role < rank)
    if said.role == 0:
        _check(link_id in state.links)
        return replace(state, links=_without(state.links, link_id))
    _check(link_id in state.links or len(state.links) < LINKS_MAX)
    opened = Link(said.subject_key, said.role, said.expires, said.uses, 0)
    return replace(state, links={**state.links, link_id: opened})


def _join(state: Membership, said: Statement, _: Lines) -> Membership:
    """Whoever holds an open link, but for those inside and those who were removed."""
    link = state.links.get(said.arg)
    if link is None or said.actor in state.members or said.actor in state.removed:
        raise BadStatement
    _check(said.role == link.role and (link.uses == 0 or link.used < link.uses))
    links = {**state.links, said.arg: replace(link, used=link.used + 1)}
    return replace(_admitted(state, said), links=links)


def _policy(state: Membership, said: Statement, _: Lines) -> Membership:
    _check(state.role_of(said.actor) >= ADMIN)
    return replace(state, policy=said.policy)


TABLE: Mapping[Action, Rule] = {
    Action.ADD: _add,
    Action.REMOVE: _remove,
    Action.LEAVE: _leave,
    Action.ROLE: _role,
    Action.LINK: _link,
    Action.JOIN: _join,
    Action.POLICY: _policy,
}


def _admitted(state: Membership, said: Statement) -> Membership:
    _check(said.subject in state.members or len(state.members) < MEMBERS_MAX)
    member = Member(said.subject, said.role, said.number, said.subject_key)
    members = {**state.members, said.subject: member}
    return replace(state, members=members, removed=state.removed - {said.subject})


def _without(mapping: Mapping[bytes, V], key: bytes) -> dict[bytes, V]:
    return {kept: value for kept, value in mapping.items() if kept != key}


def _check(is_allowed: bool) -> None:
    if not is_allowed:
        raise BadStatement
