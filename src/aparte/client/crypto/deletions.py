"""What deletions and restores do to what is kept: words and keys are forgotten, or opened again with what is brought.

Whoever has deleted keeps the keys for a while, to restore; nobody else can.
"""

from contextlib import suppress

from aparte.client.crypto import arrivals
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.store import content_keys, entries, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.expiring import EXPIRED
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import entry as entry_seal
from aparte.e2ee.content import Deletion
from aparte.e2ee.errors import E2eeError
from aparte.wire import kinds
from aparte.wire.limits import SAFE_INTEGER
from aparte.wire.messages import Entry


def take_effect(tx: Tx, arrival: Arrival, content: Deletion, target: Entry, reader: Reader) -> list[SealedRow]:
    """Let a deletion or a restore change its message and the message's edits; gives what must be opened again.

    Nothing happens if one that is further on was opened already: the last one counts; nor to what has disappeared.
    """
    known = sealed.select_at(tx, arrival.row.conversation, target.seq)
    if known is not None and known.code == EXPIRED:
        return []
    about = entries.select_about(tx, arrival.row.conversation, target.seq, target.seq)
    if any(entry.kind == kinds.DELETION and entry.seq > arrival.entry.seq for entry in about):
        return []
    seqs = [target.seq, *(entry.seq for entry in about if entry.kind == kinds.EDIT)]
    found = [kept for seq in seqs if (kept := sealed.select_at(tx, arrival.row.conversation, seq)) is not None]
    if content.on:
        _erase(tx, arrival, found, reader)
        entries.update_emptied(tx, arrival.row.conversation, target.seq)
        return []
    return [kept for kept in found if _restored(tx, arrival, kept, content.key if kept.seq == target.seq else None)]


def is_deleted(tx: Tx, arrival: Arrival, reader: Reader) -> bool:
    """Tell whether what an edit aims at is deleted; then its key goes the way of the message's."""
    aimed = arrivals.aim_of(tx, arrival)
    kept = sealed.select_at(tx, arrival.row.conversation, aimed[0].seq) if aimed else None
    if aimed is None or kept is None or kept.state != "deleted":
        return False
    if arrivals.deleted_by(tx, arrival.row.conversation, aimed[0], SAFE_INTEGER) != reader.account.bytes:
        content_keys.delete_keys(tx, arrival.hash)
    return True


def _erase(tx: Tx, arrival: Arrival, found: list[SealedRow], reader: Reader) -> None:
    """Forget the keys; whoever deleted keeps them, to restore."""
    for kept in found:
        sealed.update_state(tx, kept, "deleted")
        if arrival.entry.account != reader.account:
            content_keys.delete_keys(tx, kept.hash)


def _restored(tx: Tx, arrival: Arrival, kept: SealedRow, brought: bytes | None) -> bool:
    """Let an entry wait for its key again, with the one that the restore brings; False if nothing of it is here."""
    if kept.sealed is None:
        return False
    keys = [one.key for one in content_keys.select_keys(tx, kept.hash) if one.account == arrival.entry.account]
    for key in keys if brought is None else [*keys, brought]:
        _adopt(tx, arrival.row, kept, key)
    sealed.update_state(tx, kept, "waiting")
    return True


def _adopt(tx: Tx, row: ConversationRow, kept: SealedRow, key: bytes) -> None:
    """Keep a key that a restore brought as if the entry's own device had given it, if it opens the entry."""
    entry = entries.select_entry(tx, kept.conversation, kept.seq)
    if entry is None or entry.device is None or kept.sealed is None:
        return
    with suppress(E2eeError):
        entry_seal.open_(arrivals.arrival_again(row, entry, kept).head, kept.sealed, key)
        content_keys.insert_key(tx, ContentKey(kept.hash, key, entry.account, entry.device), now_ms())
