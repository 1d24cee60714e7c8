"""Opening sealed entries: every check in its order, in the transaction that stores the entry.

What fails is kept as refused under the name of the check, told in a notice, and changes nothing else. What has no key
yet waits, and its head still counts for the chain of its device. Source: docs/protocol/e2ee.md.
"""

from dataclasses import replace as replace_row

from msgspec.structs import replace

from aparte.client.core import checks, opened
from aparte.client.core.checks import Standing
from aparte.client.crypto import arrivals, deletions, disappearing, keyring, rosters
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.rosters import Epoch
from aparte.client.store import chains, content_keys, conversations, entries, expiring, notices, sealed
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.client.store.epochs import EpochRow
from aparte.client.store.expiring import EXPIRED
from aparte.client.store.notices import Notice
from aparte.client.store.sealed import SealedRow, State
from aparte.e2ee import content as contents
from aparte.e2ee import entry as entry_seal
from aparte.e2ee.content import Content, Deletion
from aparte.e2ee.errors import E2eeError, NeedsNewer
from aparte.e2ee.membership import OWNER
from aparte.wire import kinds
from aparte.wire.ids import Position, time_of
from aparte.wire.messages import Entry
from aparte.wire.sealed import Sealed

VANISHED = "vanished"
"""The code of a message that the server says has disappeared before this device could read it."""
OF_READABLE = frozenset({kinds.CREATED, kinds.JOINED, kinds.LEFT, kinds.REMOVED, kinds.ROLE, kinds.NICKNAME})
"""What the server says of conversations that it can read alone. Elsewhere statements, and the id, say who is in."""
SILENT = frozenset({"before_device"})
"""Why an entry is not readable without anything being wrong: this device could not read here when it was written."""


GENUINE = frozenset({"needs_newer", "not_entitled", "reordered"})
"""Refusals of what the sender did write: it is not shown, and the next entry of that device follows it."""


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def take(tx: Tx, row: ConversationRow, entry: Entry, reader: Reader) -> Entry:
    """Give an entry of an encrypted conversation as the log keeps it; what people do there is sealed, or not theirs."""
    if entry.sealed is not None:
        return receive(tx, row, entry, entry.sealed, reader)
    if is_of_server(entry):
        return entry
    _tell(tx, row, entry, "bad_entry")
    return replace(entry, body=None, target=None)


def is_of_server(entry: Entry) -> bool:
    """Tell whether something is the server's to say: how it runs a conversation, whom it narrows, what others signed.

    What members agree on is sealed; who is in, as what and how they are called is not known from the server.
    """
    if entry.kind == kinds.SETTINGS:
        return not opened.is_agreed(entry.body)
    return entry.kind >= kinds.CREATED and entry.kind not in OF_READABLE


def receive(tx: Tx, row: ConversationRow, entry: Entry, found: Sealed, reader: Reader) -> Entry:
    """Check and open an entry that continues the log; gives it as the log keeps it, with its content or without."""
    silent = replace(entry, sealed=None, body=None, target=None)
    try:
        arrival = arrivals.arrival_of(row, entry, found)
    except (E2eeError, OverflowError):
        _tell(tx, row, entry, "bad_entry")
        return silent
    computed = rosters.compute(tx, row, reader.account, (found.epoch, found.roster), entry.seq)
    try:
        if computed is None:
            raise _Refused(rosters.unknown_code(tx, row, reader.account, found.epoch))
        content = _opened(tx, arrival, computed[1], reader)
        _check_place(tx, arrival, computed[1])
        if content is not None:
            _check_content(tx, arrival, content, computed[1])
    except _Refused as refusal:
        if refusal.code in GENUINE | SILENT and computed is not None:
            _count(tx, arrival, computed)
        sealed.insert_sealed(tx, arrival.kept("refused", refusal.code))
        if refusal.code not in SILENT:
            _tell(tx, row, entry, refusal.code)
        return silent
    state, code = _fate(tx, arrival, content, reader)
    _accept(tx, arrival, computed[0], state, code)
    if state == "open" and content is not None:
        return take_effect(tx, arrival, content, silent, reader)
    aimed = arrivals.aim_of(tx, arrival) if state == "deleted" else None
    return replace(silent, target=Position(aimed[0].seq, aimed[0].id)) if aimed else silent


def reopen(tx: Tx, kept: SealedRow, reader: Reader, *, is_late: bool = True) -> bool:
    """Open an entry that has waited, if its key is here; tells whether it is settled now."""
    row = conversations.select_conversation(tx, kept.conversation)
    entry = entries.select_entry(tx, kept.conversation, kept.seq)
    epoch = rosters.known(tx, kept.conversation, kept.epoch)
    is_before_us = epoch is None and kept.passed_by is not None
    if row is None or entry is None or kept.sealed is None or (epoch is None and not is_before_us):
        return False
    arrival = arrivals.arrival_again(row, entry, kept)
    try:
        content = _content(tx, arrival, reader)
        if content is None:
            return False
        _check_content(tx, arrival, content, epoch)
    except _Refused as refusal:
        sealed.update_state(tx, kept, "refused", refusal.code)
        _tell(tx, row, entry, refusal.code)
        return True
    state, code = _fate(tx, arrival, content, reader)
    if state != "open":
        _settle_without_words(tx, arrival, kept, state, code)
        return True
    if entry.kind == kinds.PROFILE and not sealed.has_later(tx, kept.conversation, kinds.PROFILE, kept.seq):
        conversations.update_profile(tx, kept.conversation, opened.body_of_content(content))
    is_news = is_late and entry.kind == kinds.MESSAGE and entry.device != reader.device
    sealed.update_state(tx, kept, "open", is_late=is_news)
    entries.update_opened(tx, kept.conversation, take_effect(tx, arrival, content, entry, reader))
    return True


def _fate(tx: Tx, arrival: Arrival, content: Content | None, reader: Reader) -> tuple[State, str | None]:
    """Tell what becomes of an entry that holds: it is open, waits for its key, or nothing is left of its words.

    What has disappeared, or is about something that has, leaves no key either. Without its words an entry is one that
    was deleted; that it disappeared is then the server's word, and it is shown as such.
    """
    if arrival.sealed.sealed is None:
        if arrival.entry.kind != kinds.MESSAGE or not disappearing.is_said_to_be_over(arrival.entry):
            return "deleted", None
        content_keys.delete_keys(tx, arrival.hash)
        return "deleted", VANISHED
    if content is None:
        return "waiting", None
    if disappearing.is_over(tx, arrival, content, reader):
        content_keys.delete_keys(tx, arrival.hash)
        return "deleted", EXPIRED
    is_deleted = arrival.head.kind == kinds.EDIT and deletions.is_deleted(tx, arrival, reader)
    return ("deleted" if is_deleted else "open"), None


def _settle_without_words(tx: Tx, arrival: Arrival, kept: SealedRow, state: State, code: str | None) -> None:
    """Keep that an entry has said something that is gone; the place it aims at stays known, for a restore."""
    aimed = arrivals.aim_of(tx, arrival)
    target = Position(aimed[0].seq, aimed[0].id) if aimed else None
    entries.update_opened(tx, kept.conversation, replace(arrival.entry, body=None, target=target))
    sealed.update_state(tx, kept, state, code)
    if code == EXPIRED:
        expiring.erase(tx, kept.conversation.bytes, kept.seq)


def take_effect(tx: Tx, arrival: Arrival, content: Content, entry: Entry, reader: Reader) -> Entry:
    """Let what an entry says change what it aims at; gives the entry with its content."""
    aimed = arrivals.aim_of(tx, arrival)
    if isinstance(content, Deletion) and aimed is not None:
        for kept in deletions.take_effect(tx, arrival, content, aimed[0], reader):
            reopen(tx, kept, reader, is_late=False)
    target = Position(aimed[0].seq, aimed[0].id) if aimed else None
    return replace(entry, body=opened.body_of_content(content), target=target)


# Checks ---------------------------------------------------------------------------------------------------------------


def _opened(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> Content | None:
    """Check the sender, take the key out of the envelope, and open; None while there is no key."""
    if epoch.find(arrival.entry.account, arrival.device) is None:
        raise _Refused("wrong_sender")
    if epoch.find(reader.account, reader.device) is None:
        raise _Refused("before_device")
    code = keyring.take_keys(tx, arrival, epoch, reader)
    if code is not None:
        raise _Refused(code)
    content = _content(tx, arrival, reader)
    if content is None and arrival.device == reader.device and not keyring.acceptable(tx, arrival, reader):
        raise _Refused("entry_forked")
    return content


def _content(tx: Tx, arrival: Arrival, reader: Reader) -> Content | None:
    """Open and read; None while there is no key, or when the server has only the digest left."""
    found = keyring.acceptable(tx, arrival, reader)
    if arrival.sealed.sealed is None or not found:
        return None
    try:
        data = entry_seal.open_(arrival.head, arrival.sealed.sealed, found[0].key)
        return contents.decode(arrival.head.kind, data)
    except NeedsNewer:
        raise _Refused("needs_newer") from None
    except E2eeError:
        raise _Refused("bad_entry") from None


def _check_place(tx: Tx, arrival: Arrival, epoch: Epoch) -> None:
    place = arrivals.place_of(tx, arrival, epoch.roster)
    code = checks.place_code(arrival.head, arrival.hash, place)
    if code is not None:
        raise _Refused(code)
    if checks.leaves_gap(arrival.head, place):
        _tell(tx, arrival.row, arrival.entry, "gap")


def _check_content(tx: Tx, arrival: Arrival, content: Content, epoch: Epoch | None) -> None:
    aimed = arrivals.aim_of(tx, arrival)
    is_restore = isinstance(content, Deletion) and not content.on
    aim, standing = aimed[1] if aimed else None, _standing(arrival, epoch)
    said_at = round(time_of(arrival.entry.id).timestamp() * 1000)
    code = checks.due_code(arrival.head, content, said_at, is_repeat=arrivals.is_said_already(tx, arrival))
    code = code or checks.right_code(arrival.head, aim, standing, is_restore=is_restore)
    if code is None and content.after is not None:
        conversation, position = arrival.row.conversation, content.after[0]
        known = sealed.select_at(tx, conversation, position)
        is_passed_on = known is not None and known.passed_by is not None
        is_here = not is_passed_on and entries.select_entry(tx, conversation, position) is not None
        code = checks.order_code(content, arrival.entry.seq, known.hash if known else None, is_here=is_here)
    if code is not None:
        raise _Refused(code)


def _standing(arrival: Arrival, epoch: Epoch | None) -> Standing | None:
    """Give the sender's role and the policy at the entry's epoch; None in a direct conversation.

    Of epochs before one's own time nothing is known: what was said then is the word of who has passed it on.
    """
    if not arrival.row.has_chain:
        return None
    if epoch is None:
        return Standing(OWNER, 0)
    if epoch.membership is None:
        return Standing(0, 0)
    return Standing(epoch.role_of(arrival.entry.account), epoch.membership.policy)


def _count(tx: Tx, arrival: Arrival, computed: tuple[EpochRow, Epoch]) -> None:
    """Let an entry count in the chain of its device, if it stands in its place."""
    if checks.place_code(arrival.head, arrival.hash, arrivals.place_of(tx, arrival, computed[1].roster)) is not None:
        return
    rosters.meet(tx, arrival.row.conversation, computed[0])
    _continue(tx, arrival)


def _accept(tx: Tx, arrival: Arrival, epoch: EpochRow, state: State, code: str | None) -> None:
    rosters.meet(tx, arrival.row.conversation, epoch)
    _continue(tx, arrival)
    kept = arrival.kept(state, code)
    sealed.insert_sealed(tx, replace_row(kept, sealed=None) if code == EXPIRED else kept)


def _continue(tx: Tx, arrival: Arrival) -> None:
    """Move the chain of the entry's device; a scheduled message is not in it."""
    if arrival.head.counter != checks.UNCHAINED:
        chains.upsert_chain(tx, arrival.row.conversation, arrival.device, arrival.head.counter, arrival.hash)


def _tell(tx: Tx, row: ConversationRow, entry: Entry, code: str) -> None:
    about = Notice(code, now_ms(), entry.account, entry.device, row.conversation, entry.seq)
    notices.insert_notice(tx, about)
