"""Who could read an encrypted conversation at which epoch, computed from what was signed and checked, never believed.

A roster that the server names must be one that follows from statements and versions of lists we have checked, none of
them older than in the epoch before. So it can neither add a reader nor go back to one who was removed. In a group the
epoch is the one before with what the log says has changed; where that does not lead there, the server may tell which
versions to try, and they must give the roster all the same.
"""

from aparte.client.crypto import candidates, folding, lines, pins
from aparte.client.crypto import epoch as kept_epochs
from aparte.client.crypto.candidates import Changed, Named, members_of
from aparte.client.crypto.epoch import LOST, Epoch, roster_of, row_of
from aparte.client.crypto.pins import Pin
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.store import disagreements, epochs, list_versions, own_keys, profile
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.epochs import EpochRow
from aparte.e2ee.device_list import NO_LIST
from aparte.e2ee.membership import Membership
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.limits import SAFE_INTEGER

__all__ = [
    "Changed",
    "Epoch",
    "Named",
    "agree",
    "compute",
    "disagree",
    "is_lost",
    "is_truncated",
    "known",
    "meet",
    "members_of",
    "newest",
    "ready",
    "unknown_code",
]


def known(tx: Tx, conversation: ConversationId, number: int) -> Epoch | None:
    """Read an epoch that was computed before."""
    head = epochs.select_head(tx, conversation, number)
    if head is None:
        return None
    found = kept_epochs.recalled((conversation, number, head.roster))
    row = epochs.select_epoch(tx, conversation, number) if found is None else None
    return kept_epochs.stored(tx, conversation, row) if row is not None else found


def compute(
    tx: Tx, row: ConversationRow, me: AccountId, named: Named, seq: int, changed: Changed | None = None
) -> tuple[EpochRow, Epoch] | None:
    """Compute the epoch of the number and roster that the log names at `seq`; None if what was signed gives none.

    One that is known costs one look. `changed`: what the log says has begun it.
    """
    conversation, (number, digest) = row.conversation, named
    if not 0 < number <= SAFE_INTEGER:
        return None
    head = epochs.select_head(tx, conversation, number)
    if head is not None and head.roster == digest:
        found = known(tx, conversation, number)
        return None if found is None else (EpochRow(number, seq, digest, b""), found)
    if head is not None and head.seq != epochs.NOT_MET:
        return None
    before = _before(tx, row, number, seq)
    if row.has_chain:
        choices = candidates.of_group(tx, row, number, before, changed)
    else:
        choices = candidates.of_two(tx, row, me, named, before)
    for membership, versions in choices:
        found = kept_epochs.computed(tx, conversation, named, versions, membership, before)
        if found is not None:
            return row_of(found, seq), found
    return None


def meet(tx: Tx, conversation: ConversationId, row: EpochRow) -> None:
    """Keep an epoch that the log has named, and where it did first."""
    head = epochs.select_head(tx, conversation, row.epoch)
    if head is not None and head.roster != row.roster:
        epochs.delete_not_met(tx, conversation)
    if head is None or row.seq < head.seq or head.roster != row.roster:
        epochs.upsert_epoch(tx, conversation, row)
        epochs.delete_hints(tx, conversation, row.epoch)


def newest(tx: Tx, row: ConversationRow, me: AccountId) -> tuple[dict[AccountId, Pin], bytes]:
    """Give the newest lists of a conversation's members and their roster; those without devices in it are left out.

    Raises KeyRefused `no_keys`, and ClientError `not_member` where the statements say that we are out.
    """
    membership = folding.state(tx, row.conversation) if row.has_chain else None
    if row.has_chain and (membership is None or me.bytes not in membership.members):
        raise KeyRefused("no_keys") if membership is None else ClientError("not_member")
    accounts = members_of(tx, row, me)
    pinned = pins.pinned_many(tx, accounts)
    for account in accounts:
        if account not in pinned:
            raise KeyRefused("no_keys", data={"account": str(account)})
    if membership is None:
        found = {account: pinned[account] for account in accounts}
    else:
        found = _with_devices(tx, row.conversation, membership, pinned)
    hashes = {account: found[account].hash if account in found else NO_LIST for account in accounts}
    return found, roster_of(row.conversation, hashes, membership)


def _with_devices(
    tx: Tx, conversation: ConversationId, membership: Membership, pinned: dict[AccountId, Pin]
) -> dict[AccountId, Pin]:
    """Give those whose newest key follows from the admitted one; who has not changed since an epoch is as they were."""
    head = epochs.select_newest_head(tx, conversation)
    before = known(tx, conversation, head.epoch) if head is not None else None
    then = before.membership.members if before is not None and before.membership is not None else {}
    found: dict[AccountId, Pin] = {}
    for account, pin in pinned.items():
        member, version = membership.members[account.bytes], pin.list.version
        is_same = before is not None and before.versions.get(account) == version and then[account.bytes] is member
        if is_same or candidates.has_version(tx, member, version):
            found[account] = pin
    return found


def ready(tx: Tx, row: ConversationRow) -> Epoch | None:
    """Give the epoch to write to a conversation in; None while its number is not known: `membership.learn` asks.

    As long as no pin, statement or epoch changes this costs a look or two, however many members there are. Raises
    KeyRefused `membership_forked`, `key_changed`, `no_keys`, `key_mismatch` where one's own account has begun anew and
    was not admitted again.
    """
    number = epochs.select_ready(tx, row.conversation)
    if number is not None:
        return known(tx, row.conversation, number)
    if folding.is_forked(tx, row.conversation):
        raise KeyRefused("membership_forked")
    mine = profile.select_profile(tx)
    if mine is None or not _seems_inside(tx, row, mine.account):
        return None
    found, computed = newest(tx, row, mine.account)
    if mine.account not in found:
        raise KeyRefused("key_mismatch", data={"account": str(mine.account)})
    for pin in found.values():
        pin.check_may_send()
    head = epochs.select_newest_head(tx, row.conversation)
    if head is None or head.roster != computed:
        return None
    epochs.upsert_ready(tx, row.conversation, head.epoch)
    devices = {listed.device for pin in found.values() for listed in pin.list.devices}
    disagreements.update_gone(tx, row.conversation, devices)
    return known(tx, row.conversation, head.epoch)


def agree(tx: Tx, row: ConversationRow, me: AccountId, number: int) -> None:
    """Take the server's number for the epoch of the newest lists, which the log has not named yet."""
    found, computed = newest(tx, row, me)
    membership = folding.state(tx, row.conversation) if row.has_chain else None
    versions = dict.fromkeys(members_of(tx, row, me), LOST)
    versions |= {account: pin.list.version for account, pin in found.items()}
    statement = membership.number if membership is not None else 0
    epochs.delete_not_met(tx, row.conversation)
    made = EpochRow(number, epochs.NOT_MET, computed, kept_epochs.packed(versions), statement)
    epochs.upsert_epoch(tx, row.conversation, made)


def disagree(tx: Tx, row: ConversationRow) -> None:
    """Forget the number that was agreed on: the server has another roster for it."""
    epochs.delete_not_met(tx, row.conversation)


def unknown_code(tx: Tx, row: ConversationRow, me: AccountId, number: int) -> str:
    """What an epoch means that nothing signed gives: nothing, before the first that a linked device can know."""
    first = epochs.select_first(tx, row.conversation)
    return "before_device" if is_truncated(tx, me) and (first is None or number < first) else "roster_mismatch"


def _seems_inside(tx: Tx, row: ConversationRow, me: AccountId) -> bool:
    """Tell whether the statements known here have us in a group; who was out may be in again by one that is not."""
    membership = folding.state(tx, row.conversation) if row.has_chain else None
    return membership is None or me.bytes in membership.members


def is_lost(tx: Tx, conversation: ConversationId, account: AccountId) -> bool:
    """Tell whether a member has begun anew with another key since they were admitted: they have no devices there."""
    membership = folding.state(tx, conversation)
    member = membership.members.get(account.bytes) if membership is not None else None
    return member is not None and lines.is_lost(tx, account, member.key33)


def is_truncated(tx: Tx, account: AccountId) -> bool:
    """Tell whether this device came to its account later than the account began: what was before is not ours to check.

    Nor is it where the account's lists are here only from some version on.
    """
    first = list_versions.select_list(tx, account, 1)
    mine = own_keys.select_own_keys(tx)
    if first is None:
        return True
    return mine is not None and mine.account == account and pins.read(first).find(mine.device.bytes) is None


def _before(tx: Tx, row: ConversationRow, number: int, seq: int) -> Epoch | None:
    """Give the epoch that this one must not go back behind: the newest that came before it."""
    if row.has_chain:
        head = epochs.select_before(tx, row.conversation, number)
        return known(tx, row.conversation, head.epoch) if head is not None else None
    newest_met = epochs.select_newest_head(tx, row.conversation, seq)
    is_before = newest_met is not None and newest_met.epoch < number
    return known(tx, row.conversation, newest_met.epoch) if newest_met is not None and is_before else None
