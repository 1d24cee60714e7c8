"""Device lists and statements as the log brings them: taken when they follow, with the epoch that begins with them."""

from collections.abc import Sequence
from uuid import UUID

from aparte.client.core.bodies import body_of
from aparte.client.core.events import role_name
from aparte.client.crypto import folding, pins, rosters
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.rosters import Changed, Named
from aparte.client.errors import KeyRefused
from aparte.client.store import conversations, epochs, notices
from aparte.client.store import pins as pin_rows
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.keys import SignedList
from aparte.wire.kinds import DevicesChange, StatementChange
from aparte.wire.messages import Entry


def take_change(tx: Tx, row: ConversationRow, entry: Entry, change: DevicesChange, me: AccountId) -> None:
    """Take a member's new list and the epoch that begins with it, if our lists give its roster; else tell."""
    account, now = account_of(change.devices), now_ms()
    if not is_inside(tx, row, me, account):
        notices.insert_notice(tx, Notice("bad_list", now, account, None, row.conversation, entry.seq))
        return
    try:
        pins.take(tx, account, [change.devices], now)
    except KeyRefused:
        return
    if row.has_chain and rosters.is_lost(tx, row.conversation, account):
        notices.insert_notice(tx, Notice("key_mismatch", now, account, None, row.conversation, entry.seq))
    changed = Changed(account=account, version=pins.version_of(change.devices))
    begin(tx, row, me, entry, (change.epoch, change.roster), changed)


def take_statement(tx: Tx, row: ConversationRow, entry: Entry, change: StatementChange, me: AccountId) -> bool:
    """Take a statement about who is in a group, and the epoch that begins with it; tells whether it holds."""
    conversation, number, now = row.conversation, folding.number_of(change.signed), now_ms()
    try:
        is_next = folding.take(tx, conversation, [change.signed], now)
    except KeyRefused:
        return False
    head = epochs.select_newest_head(tx, conversation, entry.seq)
    before = rosters.known(tx, conversation, head.epoch) if head is not None else None
    is_again = before is not None and number <= before.statement
    if not is_next or is_again:
        notices.insert_notice(tx, Notice("bad_statement", now, entry.account, None, conversation, entry.seq))
        return False
    keep_role(tx, conversation, me)
    if change.epoch:
        begin(tx, row, me, entry, (change.epoch, change.roster), Changed(statement=number))
    return True


def keep_role(tx: Tx, conversation: ConversationId, me: AccountId, *, is_inside: bool = False) -> None:
    """Keep one's own role in a group as the newest statement has it, whatever the server says.

    `is_inside`: the server says that one is in it, by a statement that may not be here yet.
    """
    membership = folding.state(tx, conversation)
    role = membership.role_of(me.bytes) if membership is not None else 0
    if membership is not None and (role or not is_inside):
        conversations.update_role(tx, conversation, role_name(role) if role else None)


def begin(tx: Tx, row: ConversationRow, me: AccountId, entry: Entry, named: Named, changed: Changed) -> None:
    """Begin the epoch that an entry of the log names, if what was signed gives its roster; else tell."""
    account, conversation = changed.account or entry.account, row.conversation
    newest = epochs.select_newest_head(tx, conversation, entry.seq)
    computed = rosters.compute(tx, row, me, named, entry.seq, changed)
    if newest is not None and named[0] <= newest.epoch:
        notices.insert_notice(tx, Notice("epoch_back", now_ms(), account, None, conversation, entry.seq))
    elif computed is not None:
        rosters.meet(tx, conversation, computed[0])
    elif newest is not None or rosters.unknown_code(tx, row, me, named[0]) == "roster_mismatch":
        notices.insert_notice(tx, Notice("roster_mismatch", now_ms(), account, None, conversation, entry.seq))


def is_inside(tx: Tx, row: ConversationRow, me: AccountId, account: AccountId) -> bool:
    """Tell whether an account is in a conversation; in a group, whether it was in the newest epoch or is now."""
    if account in rosters.members_of(tx, row, me):
        return True
    head = epochs.select_newest_head(tx, row.conversation, epochs.NOT_MET) if row.has_chain else None
    newest = rosters.known(tx, row.conversation, head.epoch) if head is not None else None
    return newest is not None and newest.role_of(account) > 0


def unknown(tx: Tx, row: ConversationRow, new: Sequence[Entry], me: AccountId) -> set[AccountId]:
    """Name the accounts whose lists must be fetched before these entries of a direct conversation can be checked."""
    members = rosters.members_of(tx, row, me)
    wanted = {account for account in members if pins.pinned(tx, account) is None} | ahead(tx, new)
    for entry in new:
        found = entry.sealed
        if found is None or epochs.select_head(tx, row.conversation, found.epoch) is not None:
            continue
        if rosters.compute(tx, row, me, (found.epoch, found.roster), entry.seq) is None:
            wanted |= set(members)
    return wanted & set(members)


def ahead(tx: Tx, new: Sequence[Entry]) -> set[AccountId]:
    """Name the accounts of which the log has a list, and versions before it are missing here."""
    bodies = [body_of(entry) for entry in new if entry.sealed is None]
    changes = [body.devices for body in bodies if isinstance(body, DevicesChange)]
    return {account_of(signed) for signed in changes if _is_ahead(tx, signed)}


def account_of(signed: SignedList) -> AccountId:
    """Read the account off a list that is not checked yet."""
    return AccountId(UUID(bytes=signed.list[18:34].ljust(16, b"\0")))


def _is_ahead(tx: Tx, signed: SignedList) -> bool:
    """Whether versions before this one are missing here."""
    row = pin_rows.select_pin(tx, account_of(signed))
    return row is None or pins.version_of(signed) > row.version + 1 or not row.list
