"""What is different after statements: rows of members, and the epoch from the one before. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from aparte.e2ee.members import Membership
from aparte.e2ee.statement import Action, Statement
from aparte.server.conversations.model import Entered, Said, Standings
from aparte.server.conversations.rules import ROLES
from aparte.server.keys.model import NewestList
from aparte.server.log.model import Difference
from aparte.wire.content import Role
from aparte.wire.ids import AccountId, DeviceId

LETTING_IN = frozenset({Action.ADD, Action.JOIN})
"""What lets somebody in who is out."""


def standings(before: Membership | None, after: Membership, said: Sequence[Said]) -> Standings:
    """Tell whose rows are different after statements; before the first one nobody is inside."""
    inside = before.members if before else {}
    entered: dict[bytes, Entered] = {}
    out: dict[bytes, int] = {}
    for one in said:
        what = one.statement
        if what.action in {Action.CREATE, *LETTING_IN}:
            entered[what.subject] = _entered(what)
        elif what.action in {Action.REMOVE, Action.LEAVE}:
            out[what.subject] = what.number
    out = {account: number for account, number in out.items() if account not in after.members}
    told: dict[AccountId, Role | None] = {_id(account): None for account in out if account in inside}
    for account, member in after.members.items():
        if account in entered or inside[account].role != member.role:
            told[_id(account)] = ROLES[member.role]
    touched = {account.bytes for account in told} | entered.keys() | out.keys()
    touched |= {one.statement.actor for one in said}
    return Standings(
        tuple(entered.values()),
        {_id(account): number for account, number in out.items()},
        dict(sorted(told.items())),
        tuple(sorted(map(_id, touched))),
    )


def _entered(said: Statement) -> Entered:
    by = _id(said.actor) if said.action is Action.ADD else None
    link = said.arg if said.action is Action.JOIN else None
    return Entered(_id(said.subject), said.number, said.subject_key, by, link)


def difference(before: Membership | None, after: Membership, lists: Mapping[bytes, NewestList]) -> Difference:
    """Tell how the epoch of a state differs from that of the state before: who came anew, and is anybody out."""
    inside = {account: member.number for account, member in before.members.items()} if before else {}
    came = [account for account, member in after.members.items() if inside.get(account) != member.number]
    out = [account for account in inside if account not in after.members]
    changed = {_id(account): lists[account].version for account in came} | {_id(account): 0 for account in out}
    added = frozenset[DeviceId](device for account in came for device in lists[account].devices)
    return Difference(changed, added, has_removed=bool(out) or any(account in inside for account in came))


def _id(account: bytes) -> AccountId:
    return AccountId(UUID(bytes=account))
