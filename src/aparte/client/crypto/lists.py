"""Device lists as the log brings them: taken when they follow, with the epoch that begins with them."""

from collections.abc import Sequence
from uuid import UUID

from aparte.client.core.bodies import body_of
from aparte.client.crypto import pins, rosters
from aparte.client.crypto.own import now_ms
from aparte.client.errors import KeyRefused
from aparte.client.store import epochs, notices
from aparte.client.store import pins as pin_rows
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.wire.ids import AccountId
from aparte.wire.keys import SignedList
from aparte.wire.kinds import DevicesChange
from aparte.wire.messages import Entry


def take_change(tx: Tx, row: ConversationRow, entry: Entry, change: DevicesChange, me: AccountId) -> None:
    """Take a member's new list and the epoch that begins with it, if our lists give its roster; else tell."""
    account, now = account_of(change.devices), now_ms()
    members = rosters.members_of(row, me)
    if account not in members:
        notices.insert_notice(tx, Notice("bad_list", now, account, None, row.conversation, entry.seq))
        return
    try:
        pins.take(tx, account, [change.devices], now)
    except KeyRefused:
        return
    newest = epochs.select_newest(tx, row.conversation, entry.seq)
    named = (change.epoch, change.roster)
    computed = rosters.compute(tx, row.conversation, members, named, entry.seq)
    if newest is not None and change.epoch <= newest.epoch:
        notices.insert_notice(tx, Notice("epoch_back", now, account, None, row.conversation, entry.seq))
    elif computed is not None:
        rosters.meet(tx, row.conversation, computed[0])
    elif newest is not None or not rosters.is_truncated(tx, me):
        notices.insert_notice(tx, Notice("roster_mismatch", now, account, None, row.conversation, entry.seq))


def unknown(tx: Tx, row: ConversationRow, new: Sequence[Entry], me: AccountId) -> set[AccountId]:
    """Name the accounts whose lists must be fetched before these entries can be checked."""
    members = rosters.members_of(row, me)
    wanted = {account for account in members if pins.pinned(tx, account) is None}
    for entry in new:
        body = body_of(entry) if entry.sealed is None else None
        if isinstance(body, DevicesChange) and _is_ahead(tx, body.devices):
            wanted.add(account_of(body.devices))
        found = entry.sealed
        if found is None or epochs.select_epoch(tx, row.conversation, found.epoch) is not None:
            continue
        if rosters.compute(tx, row.conversation, members, (found.epoch, found.roster), entry.seq) is None:
            wanted |= set(members)
    return wanted & set(members)


def account_of(signed: SignedList) -> AccountId:
    """Read the account off a list that is not checked yet."""
    return AccountId(UUID(bytes=signed.list[18:34].ljust(16, b"\0")))


def _is_ahead(tx: Tx, signed: SignedList) -> bool:
    """Whether versions before this one are missing here."""
    row = pin_rows.select_pin(tx, account_of(signed))
    return row is None or pins.version_of(signed) > row.version + 1 or not row.list
