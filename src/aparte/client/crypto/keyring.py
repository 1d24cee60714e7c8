"""Content keys: how they come, from whom they are believed, and for which entry.

In direct conversations they come in the device's own envelope, in groups in one sender-key message for all. A key is
believed from the entry's own device, or from a device of one's own account; so a newly linked device never gets history
from other people.
"""

from aparte.client.crypto import pairwise, received_chains
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.rosters import Epoch
from aparte.client.store import content_keys, early_keys, entries, outbox_sealed, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.db import Tx
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import payload
from aparte.e2ee.errors import DuplicateMessage, E2eeError, NoSenderKey, TooFarAhead
from aparte.e2ee.payload import Chain, Keys, Payload
from aparte.wire.ids import AccountId, ConversationId, DeviceId


def take_keys(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> str | None:
    """Keep the keys that come with an entry; gives the check that fails, if they were made for another one.

    What cannot be decrypted is passed over: the entry waits, and its key is asked for. Keys that came before the entry,
    because it was scheduled, are taken with it.
    """
    for early in early_keys.select_early(tx, arrival.hash):
        content_keys.insert_key(tx, early, now_ms())
    early_keys.delete_early(tx, arrival.hash)
    if arrival.row.has_chain:
        return _take_group_key(tx, arrival, epoch, reader)
    found = _in_envelope(tx, arrival, epoch, reader)
    return None if not isinstance(found, Keys) or _keep(tx, arrival, found) else "bad_entry"


def _take_group_key(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> str | None:
    """Take the chain in the envelope, then the keys in the sender-key message; one's own entries need neither."""
    if reader.own is None or arrival.device == reader.device:
        return None
    if not _take_chain(tx, arrival, epoch, reader):
        return "bad_entry"
    return None if arrival.sealed.key is None else _take_message(tx, arrival, arrival.sealed.key)


def _take_message(tx: Tx, arrival: Arrival, message: bytes) -> str | None:
    """Keep what a sender-key message holds, if it was made under a chain of the entry's own device."""
    conversation = arrival.row.conversation
    try:
        found = payload.decode(received_chains.decrypt(tx, conversation, arrival.sender, message))
    except NoSenderKey:
        return "wrong_sender" if received_chains.is_of_another(tx, conversation, arrival.device, message) else None
    except (DuplicateMessage, TooFarAhead):
        return None
    except E2eeError:
        return "bad_entry"
    return None if isinstance(found, Keys) and _keep(tx, arrival, found) else "bad_entry"


def _take_chain(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> bool:
    """Take the chain that comes with an entry; False if what was in the envelope was made for something else."""
    found = _in_envelope(tx, arrival, epoch, reader)
    if isinstance(found, Keys):
        return _keep(tx, arrival, found)
    if not isinstance(found, Chain):
        return True
    return received_chains.take(tx, arrival.row.conversation, found, arrival.sender)


def _in_envelope(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> Payload | None:
    """Read the envelope in the session with the very device that wrote the entry; None if that cannot be."""
    envelope = arrival.sealed.envelope
    listed = epoch.find(arrival.entry.account, arrival.device)
    if envelope is None or envelope.type == 0 or reader.own is None or listed is None:
        return None
    try:
        plaintext = pairwise.decrypt(tx, reader.own, arrival.entry.account, listed, envelope.type, envelope.body)
        return payload.decode(plaintext)
    except E2eeError:
        return None


def _keep(tx: Tx, arrival: Arrival, found: Keys) -> bool:
    """Keep keys that the entry's own device gave; tells whether this entry's is among them."""
    for key, digest in found.pairs:
        content_keys.insert_key(tx, ContentKey(digest, key, *arrival.sender), now_ms())
    return arrival.hash in {digest for _, digest in found.pairs}


def take_given(tx: Tx, found: Keys, account: AccountId, device: DeviceId) -> list[SealedRow]:
    """Keep keys that a device has sent: on request, or ahead of an entry that is due later.

    Gives the entries that have waited for them.
    """
    waiting: list[SealedRow] = []
    for key, digest in found.pairs:
        known = sealed.select_everywhere(tx, digest)
        rows = [row for row in known if row.state == "waiting"]
        if rows:
            content_keys.insert_key(tx, ContentKey(digest, key, account, device), now_ms())
            waiting += rows
        elif not known:
            early_keys.insert_early(tx, ContentKey(digest, key, account, device), now_ms())
    return waiting


def acceptable(tx: Tx, arrival: Arrival, reader: Reader) -> list[ContentKey]:
    """Give the keys of an entry that are believed, by who gave them."""
    found = believed(tx, arrival.hash, (arrival.entry.account, arrival.device), reader.account)
    if not found and arrival.device == reader.device:
        key = outbox_sealed.select_key(tx, arrival.hash)
        found = [ContentKey(arrival.hash, key, reader.account, reader.device)] if key else []
    return found


def believed(tx: Tx, digest: bytes, author: tuple[AccountId, DeviceId], me: AccountId) -> list[ContentKey]:
    """Give the keys that the entry's own device or one's own account gave; anybody may have given others."""
    known = content_keys.select_keys(tx, digest)
    return [given for given in known if given.account == me or (given.account, given.device) == author]


def kept_key(tx: Tx, conversation: ConversationId, digest: bytes, me: AccountId) -> bytes | None:
    """Give the key of an entry that is here, as its own device or one's own account gave it."""
    row = sealed.select_hashed(tx, conversation, digest)
    entry = entries.select_entry(tx, conversation, row.seq) if row is not None else None
    if row is None or entry is None:
        return None
    found = believed(tx, digest, (entry.account, row.device), me)
    return found[0].key if found else None
