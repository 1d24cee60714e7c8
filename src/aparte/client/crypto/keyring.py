"""Content keys: how they come, from whom they are believed, and for which entry.

A key is believed from the entry's own device, or from a device of one's own account; so a newly linked device never
gets history from other people.
"""

from aparte.client.crypto import pairwise
from aparte.client.crypto.arrivals import Arrival, Reader
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.rosters import Epoch
from aparte.client.store import content_keys, outbox_sealed, sealed
from aparte.client.store.content_keys import ContentKey
from aparte.client.store.db import Tx
from aparte.client.store.sealed import SealedRow
from aparte.e2ee import payload
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.payload import Keys
from aparte.wire.ids import AccountId, DeviceId


def take_envelope(tx: Tx, arrival: Arrival, epoch: Epoch, reader: Reader) -> bool:
    """Keep the keys in an entry's envelope; False if it was made for another entry than the one it came with.

    One that cannot be decrypted is passed over: the entry waits, and its key is asked for.
    """
    envelope = arrival.sealed.envelope
    listed = epoch.find(arrival.entry.account, arrival.device)
    if envelope is None or envelope.type == 0 or reader.own is None or listed is None:
        return True
    try:
        plaintext = pairwise.decrypt(tx, reader.own, arrival.entry.account, listed, envelope.type, envelope.body)
        found = payload.decode(plaintext)
    except E2eeError:
        return True
    if not isinstance(found, Keys):
        return True
    for key, digest in found.pairs:
        content_keys.insert_key(tx, ContentKey(digest, key, arrival.entry.account, arrival.device), now_ms())
    return arrival.hash in {digest for _, digest in found.pairs}


def take_given(tx: Tx, found: Keys, account: AccountId, device: DeviceId) -> list[SealedRow]:
    """Keep keys that a device has sent on request; gives the entries that have waited for them."""
    waiting: list[SealedRow] = []
    for key, digest in found.pairs:
        rows = [row for row in sealed.select_everywhere(tx, digest) if row.state == "waiting"]
        if rows:
            content_keys.insert_key(tx, ContentKey(digest, key, account, device), now_ms())
            waiting += rows
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
