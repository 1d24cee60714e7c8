"""Entries of before one's time: stored where they were in the log, if the key that was passed on opens them.

What is known to be its sender's is never put in doubt by what was passed on; the other way round a sender's later
entries prove or disprove it, hash by hash.
"""

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_in

from aparte.client.core.checks import UNCHAINED
from aparte.client.crypto import arrivals, opening, rosters
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.store import content_keys, conversations, entries, notices, passed_on, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.notices import Notice
from aparte.client.store.passed_on import PASSED_OVER
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import entry as entry_seal
from aparte.e2ee.entry import ZERO_HASH
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.grant import Triple
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.messages import Entry

STEPS = 100
"""How far hashes are followed in one transaction."""


@dataclass(frozen=True, slots=True)
class Find:
    """An entry of the old log as the server has it, and who has passed its key on, if anybody."""

    row: ConversationRow
    entry: Entry
    passer: AccountId


def is_wanted(tx: Tx, conversation: ConversationId, seq: int, reader: Reader) -> bool:
    """Tell whether an entry is of before one's time: not here, or from while one was out of the group."""
    row = conversations.select_conversation(tx, conversation)
    if row is None or seq > row.cursor.seq:
        return False
    kept = sealed.select_at(tx, conversation, seq)
    if kept is None or kept.code == PASSED_OVER:
        return entries.select_entry(tx, conversation, seq) is None
    epoch = rosters.known(tx, conversation, kept.epoch)
    was_out = epoch is None or reader.account not in epoch.lists
    return kept.state == "refused" and kept.code in opening.SILENT and was_out


def take(tx: Tx, find: Find, triple: Triple | None, reader: Reader) -> bool:
    """Store an entry that the triple opens, and tell whether it does; without one, its place alone."""
    conversation, found = find.row.conversation, find.entry.sealed
    if found is None or not is_wanted(tx, conversation, find.entry.seq, reader):
        return False
    try:
        arrival = arrivals.arrival_of(find.row, find.entry, found)
    except (E2eeError, OverflowError):
        return False
    if triple is None or found.sealed is None:
        if sealed.select_at(tx, conversation, find.entry.seq) is None:
            place = replace(arrival.kept("refused", PASSED_OVER), sealed=None, passed_by=find.passer)
            sealed.insert_sealed(tx, place)
        return False
    code = _code(tx, arrival, triple)
    if code is not None:
        _tell(tx, find, code)
        return False
    _store(tx, find, arrival, triple.key, reader)
    return True


def link(tx: Tx, conversation: ConversationId, first_seq: int, last_seq: int) -> None:
    """Let the hashes of what is known to be its sender's be followed to what was passed on between two positions."""
    for follower in passed_on.select_followers(tx, conversation, first_seq, last_seq):
        passed_on.insert_link(tx, conversation, follower.seq)


def go_on(tx: Tx) -> bool:
    """Follow hashes a while; False once there is nothing left to follow."""
    kept = passed_on.select_link(tx)
    if kept is None:
        passed_on.delete_links(tx)
        return False
    passed_on.delete_link(tx, kept.conversation, kept.seq)
    _follow(tx, kept)
    return True


def follow(tx: Tx, conversation: ConversationId, seq: int) -> None:
    """Follow the hash of an entry that has just come to this device itself."""
    kept = sealed.select_at(tx, conversation, seq)
    if kept is not None and kept.state == "open" and kept.passed_by is None:
        _follow(tx, kept)


def _code(tx: Tx, arrival: Arrival, triple: Triple) -> str | None:
    """Name what is wrong with an entry or its key; None if the key opens it and it fits between its device's others."""
    if arrival.hash != triple.hash or arrival.sealed.sealed is None:
        return "bad_entry"
    try:
        entry_seal.open_(arrival.head, arrival.sealed.sealed, triple.key)
    except E2eeError:
        return "bad_entry"
    known = sealed.select_hashed(tx, arrival.row.conversation, arrival.hash)
    if known is not None and known.seq != arrival.entry.seq:
        return "replayed"
    return None if _continues(tx, arrival) else "entry_forked"


def _continues(tx: Tx, arrival: Arrival) -> bool:
    head, here = arrival.head, (arrival.row.conversation, arrival.device)
    if head.counter == UNCHAINED:
        return head.prev == ZERO_HASH
    same = passed_on.select_counted(tx, *here, head.counter)
    before = passed_on.select_counted(tx, *here, head.counter - 1) if head.counter > 1 else []
    after = passed_on.select_counted(tx, *here, head.counter + 1)
    return (
        all(other.hash == arrival.hash for other in _told(same))
        and all(other.hash == head.prev for other in _told(before))
        and all(other.prev == arrival.hash for other in _told(after))
        and (head.counter > 1 or head.prev == ZERO_HASH)
    )


def _told(rows: list[SealedRow]) -> list[SealedRow]:
    """Leave out what is the server's word alone."""
    return [row for row in rows if row.code != PASSED_OVER or row.is_linked]


def _store(tx: Tx, find: Find, arrival: Arrival, key: bytes, reader: Reader) -> None:
    """Store an entry as one that has waited for its key, and open it; then what came later and aims at it."""
    conversation = find.row.conversation
    passed_on.delete_at(tx, conversation, find.entry.seq)
    kept = replace(arrival.kept("waiting", None), passed_by=find.passer)
    sealed.insert_sealed(tx, kept)
    entries.insert_entries(tx, conversation, [replace_in(find.entry, sealed=None, body=None, target=None)])
    # As if its own device had given the key: no other one opens it.
    content_keys.insert_key(tx, ContentKey(arrival.hash, key, find.entry.account, arrival.device), now_ms())
    opening.reopen(tx, kept, reader, is_late=False)
    if find.entry.kind == kinds.MESSAGE:
        for change in passed_on.select_aiming(tx, conversation, arrival.hash):
            opening.reopen(tx, change, reader, is_late=False)


def _follow(tx: Tx, follower: SealedRow) -> None:
    """Go back along `prev`; what stands in the place of an entry that is proven, and is another one, was forged."""
    for _ in range(STEPS):
        if follower.counter <= 1:
            return
        before = passed_on.select_counted(tx, follower.conversation, follower.device, follower.counter - 1)
        doubtful = [row for row in before if row.passed_by is not None and not row.is_linked]
        proven = next((row for row in doubtful if row.hash == follower.prev), None)
        for row in doubtful:
            if row is not proven and row.code != PASSED_OVER:
                _refuse(tx, row)
        if proven is None:
            return
        passed_on.update_linked(tx, proven)
        follower = proven
    passed_on.insert_link(tx, follower.conversation, follower.seq)


def _refuse(tx: Tx, row: SealedRow) -> None:
    sealed.update_state(tx, row, "refused", "entry_forked")
    entries.update_emptied(tx, row.conversation, row.seq)
    about = Notice("entry_forked", now_ms(), row.passed_by, None, row.conversation, row.seq)
    notices.insert_notice(tx, about)


def _tell(tx: Tx, find: Find, code: str) -> None:
    """Say whose word does not hold: what was passed on, not what its sender has written."""
    about = Notice(code, now_ms(), find.passer, None, find.row.conversation, find.entry.seq)
    notices.insert_notice(tx, about)
