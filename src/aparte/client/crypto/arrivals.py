"""Sealed entries as they arrive: the head rebuilt from what the server tells, and what is known around their place."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from aparte.client.core.bodies import body_of
from aparte.client.core.checks import UNCHAINED, Aim, Place
from aparte.client.crypto.own import Own
from aparte.client.store import chains, entries, epochs, sealed
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.sealed import SealedRow, State
from aparte.e2ee.entry import ZERO_HASH, Head, entry_hash
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.ids import AccountId, ConversationId, DeviceId
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opens: the account, this device, and its keys unless it has none or was stopped."""

    account: AccountId
    device: DeviceId
    own: Own | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sealed entry of the log: nothing in it is to be believed before it is opened."""

    row: ConversationRow
    entry: Entry
    sealed: Sealed
    head: Head
    hash: bytes

    @property
    def device(self) -> DeviceId:
        """The device that the server names."""
        return self.entry.device or DeviceId(NOBODY)

    @property
    def sender(self) -> tuple[AccountId, DeviceId]:
        """Account and device that the server names."""
        return self.entry.account, self.device

    def kept(self, state: State, code: str | None) -> SealedRow:
        """Give the row to keep."""
        head = self.head
        return SealedRow(
            self.row.conversation,
            self.entry.seq,
            self.hash,
            head.epoch,
            head.roster,
            self.device,
            head.counter,
            head.prev,
            head.target,
            self.sealed.sealed,
            state,
            code,
        )


def arrival_of(row: ConversationRow, entry: Entry, found: Sealed) -> Arrival:
    """Rebuild the head and the hash of an entry. Raises InvalidMessage, or OverflowError, if it cannot be one."""
    head = Head(
        kind=entry.kind,
        conversation=row.conversation.bytes,
        account=entry.account.bytes,
        device=(entry.device or NOBODY).bytes,
        epoch=found.epoch,
        roster=found.roster,
        counter=found.counter,
        client_id=(entry.client_message_id or NOBODY).bytes,
        prev=found.prev,
        target=found.target or ZERO_HASH,
    )
    digest = found.digest if found.sealed is None else sha256(found.sealed)
    return Arrival(row, entry, found, head, entry_hash(head, digest or b""))


def arrival_again(row: ConversationRow, entry: Entry, kept: SealedRow) -> Arrival:
    """Rebuild an entry that was kept."""
    found = Sealed(kept.epoch, kept.roster, kept.counter, kept.prev, kept.target, kept.sealed)
    arrival = arrival_of(row, entry, found)
    return Arrival(row, entry, found, arrival.head, kept.hash)


def place_of(tx: Tx, arrival: Arrival, known_roster: bytes | None) -> Place:
    """Gather what is known around the place that an entry claims; a scheduled message has no neighbours."""
    conversation, device, counter = arrival.row.conversation, arrival.device, arrival.head.counter
    known = sealed.select_hashed(tx, conversation, arrival.hash)
    newest = epochs.select_newest(tx, conversation, arrival.entry.seq)
    place = Place(
        newest_epoch=newest.epoch if newest else 0,
        known_roster=known_roster,
        is_known=known is not None and known.passed_by is None,
    )
    if counter == UNCHAINED:
        return place
    before = sealed.select_counted(tx, conversation, device, counter - 1) if counter > 1 else None
    same = sealed.select_counted(tx, conversation, device, counter)
    after = sealed.select_counted(tx, conversation, device, counter + 1)
    chain = chains.select_chain(tx, conversation, device)
    return replace(
        place,
        same_counter=same.hash if same else None,
        hash_before=before.hash if before else _hash_of(chain, counter - 1),
        prev_after=after.prev if after else None,
        newest_counter=chain[0] if chain else 0,
        is_edge=(entries.select_first_seq(tx, conversation) or arrival.entry.seq) != 1,
    )


def is_said_already(tx: Tx, arrival: Arrival) -> bool:
    """Tell whether a scheduled message was read here before, as it was sealed another time."""
    entry, client_id = arrival.entry, arrival.entry.client_message_id
    if arrival.head.counter != UNCHAINED or client_id is None:
        return False
    return sealed.has_unchained(tx, arrival.row.conversation, entry.account, client_id, entry.seq)


def aim_of(tx: Tx, arrival: Arrival) -> tuple[Entry, Aim] | None:
    """Give the entry that an entry aims at, if it is here."""
    conversation = arrival.row.conversation
    if arrival.head.target == ZERO_HASH:
        return None
    kept = sealed.select_hashed(tx, conversation, arrival.head.target)
    entry = entries.select_entry(tx, conversation, kept.seq) if kept else None
    if kept is None or entry is None:
        return None
    is_deletion = arrival.row.has_chain and arrival.head.kind == kinds.DELETION
    by = deleted_by(tx, conversation, entry, arrival.entry.seq) if is_deletion else None
    return entry, Aim(entry.kind, entry.account.bytes, by, is_reply=kept.target != ZERO_HASH)


def deleted_by(tx: Tx, conversation: ConversationId, target: Entry, before_seq: int) -> bytes | None:
    """Name whose deletion of a message counts at a position: the last one before it that was not taken back."""
    found: bytes | None = None
    for entry in entries.select_about(tx, conversation, target.seq, target.seq):
        body = body_of(entry) if entry.kind == kinds.DELETION and entry.seq < before_seq else None
        if isinstance(body, kinds.Switch):
            found = entry.account.bytes if body.on else None
    return found


def _hash_of(chain: tuple[int, bytes] | None, counter: int) -> bytes | None:
    return chain[1] if chain is not None and chain[0] == counter else None
