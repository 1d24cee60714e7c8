"""Which statements and versions of lists could make an epoch that the log names: candidates, tried in turn.

They are few whatever the server says: what follows from the epoch before, and what it names itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from uuid import UUID

from aparte.client.crypto import folding, lines
from aparte.client.crypto.epoch import LOST, Epoch, Versions, roster_of, unpacked
from aparte.client.store import epochs, list_versions
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.e2ee.membership import Member, Membership
from aparte.wire.ids import AccountId

Named = tuple[int, bytes]
"""The number and the roster of an epoch, as the log names them."""
Choice = tuple[Membership | None, Versions]


@dataclass(frozen=True, slots=True)
class Changed:
    """What begins an epoch: a statement of the group, by its number, or a member's list of a version."""

    statement: int | None = None
    account: AccountId | None = None
    version: int = 0


def members_of(tx: Tx, row: ConversationRow, me: AccountId) -> tuple[AccountId, ...]:
    """Name the accounts in a conversation, as far as is known; of a group whose statements are not here, nobody."""
    if row.has_chain:
        membership = folding.state(tx, row.conversation)
        return tuple(_account(account) for account in membership.members) if membership is not None else ()
    return (me,) if row.peer is None else (me, row.peer)


def of_two(tx: Tx, row: ConversationRow, me: AccountId, named: Named, before: Epoch | None) -> Iterator[Choice]:
    """Of a direct conversation: the versions that make the roster, the newest first, for it is nearly always theirs."""
    least = before.versions if before is not None else {}
    accounts = members_of(tx, row, me)
    candidates = [
        [one for one in list_versions.select_versions(tx, account) if one[0] >= least.get(account, 0)]
        for account in accounts
    ]
    for choice in product(*candidates):
        hashes = {account: digest for account, (_, digest) in zip(accounts, choice, strict=True)}
        if roster_of(row.conversation, hashes, None) == named[1]:
            yield None, {account: version for account, (version, _) in zip(accounts, choice, strict=True)}


def of_group(
    tx: Tx, row: ConversationRow, number: int, before: Epoch | None, changed: Changed | None
) -> Iterator[Choice]:
    """Of a group: what follows from the epoch before, then what the server has told, if that may be."""
    choices = _following(tx, row, before, changed) if before is not None and changed is not None else iter(())
    yield from choices
    hint = epochs.select_hint(tx, row.conversation, number)
    membership = folding.state_at(tx, row.conversation, hint.statement) if hint is not None else None
    if hint is None or membership is None:
        return
    versions = unpacked(hint.listed)
    if _may_follow(tx, membership, versions, before):
        yield membership, versions


def _following(tx: Tx, row: ConversationRow, before: Epoch, changed: Changed) -> Iterator[Choice]:
    inside = before.membership
    if inside is None:
        return
    if changed.account is not None:
        member = inside.members.get(changed.account.bytes)
        if member is not None and changed.version >= before.versions.get(changed.account, 0):
            yield inside, {**before.versions, changed.account: _version(tx, member, changed.version)}
        return
    after = folding.state_at(tx, row.conversation, changed.statement or 0)
    if after is None or after.number <= before.statement:
        return
    stayed = [member for member in after.members.values() if _stays(member, inside)]
    carried = {_account(member.account): before.versions[_account(member.account)] for member in stayed}
    fresh = [member for member in after.members.values() if not _stays(member, inside)]
    newest_lists = {_account(member.account): _newest(tx, member) for member in fresh}
    yield after, {**carried, **newest_lists}
    if len(fresh) == 1:  # they may have had fewer devices then
        account = _account(fresh[0].account)
        for version, _ in list_versions.select_versions(tx, account):
            if version >= before.versions.get(account, 0):
                yield after, {**carried, account: _version(tx, fresh[0], version)}


def _stays(member: Member, inside: Membership) -> bool:
    """Tell whether a member was in the epoch before by the same admission."""
    known_member = inside.members.get(member.account)
    return known_member is not None and known_member.number == member.number


def _may_follow(tx: Tx, membership: Membership, versions: Versions, before: Epoch | None) -> bool:
    """Tell whether versions that we were told may stand for a membership: of all its members, none that goes back."""
    if {account.bytes for account in versions} != set(membership.members):
        return False
    if before is not None and membership.number < before.statement:
        return False
    least = before.versions if before is not None else {}
    return all(
        _may_stand(tx, membership.members[account.bytes], version, least.get(account, 0))
        for account, version in versions.items()
    )


def _may_stand(tx: Tx, member: Member, version: int, least: int) -> bool:
    if version == LOST:
        return lines.is_lost(tx, _account(member.account), member.key33)
    return version >= least and has_version(tx, member, version)


def _newest(tx: Tx, member: Member) -> int:
    return _version(tx, member, list_versions.select_newest_version(tx, _account(member.account)))


def _version(tx: Tx, member: Member, version: int) -> int:
    """Give the version that counts for a member: none if its key is not of the line that was admitted."""
    return version if has_version(tx, member, version) else LOST


def has_version(tx: Tx, member: Member, version: int) -> bool:
    """Tell whether a version counts for a member: its key is the admitted one, or came from it by rotations."""
    return lines.has_version(tx, _account(member.account), member.key33, version)


def _account(account: bytes) -> AccountId:
    return AccountId(UUID(bytes=account))
