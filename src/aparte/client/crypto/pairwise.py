"""Messages between two devices: sessions in the store, begun from a bundle that fits the list, advanced on a copy.

Everything happens in the caller's transaction: what was encrypted leaves only after it is committed, and what could
not be decrypted has changed nothing.
"""

import secrets
from typing import Literal
from uuid import UUID

from aparte.client.crypto import own as own_keys
from aparte.client.crypto.own import Own, now_ms
from aparte.client.errors import KeyRefused
from aparte.client.store import sessions
from aparte.client.store.db import Tx
from aparte.e2ee import session
from aparte.e2ee.bundle import Bundle
from aparte.e2ee.device_list import ListedDevice
from aparte.e2ee.devices import Address, PeerDevice
from aparte.e2ee.errors import InvalidMessage, NoSession
from aparte.e2ee.keys import KemPublicKey, PublicKey
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage
from aparte.e2ee.session import Parties, SessionRecord
from aparte.wire import keys as wire
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.sealed import Envelope


def encrypt(tx: Tx, own: Own, account: AccountId, listed: ListedDevice, plaintext: bytes) -> Envelope:
    """Encrypt for a device. Raises NoSession when one must be begun with a bundle first."""
    record = _record(tx, own, account, listed)
    if record is None:
        raise NoSession
    sent = session.encrypt(record, plaintext, secrets.token_bytes)
    _save(tx, account, listed, sent.record)
    kind: Literal[2, 3] = 2 if sent.type == MESSAGE_TYPE else 3
    return Envelope(device_of(listed), kind, sent.body)


def has_session(tx: Tx, own: Own, account: AccountId, listed: ListedDevice) -> bool:
    """Tell whether something can be encrypted for a device without a bundle."""
    return _record(tx, own, account, listed) is not None


def begin(tx: Tx, own: Own, account: AccountId, listed: ListedDevice, found: wire.Bundle) -> None:
    """Begin a session from a bundle. Raises KeyRefused `device_not_listed`, or E2eeError when it is unsound."""
    if (found.device.bytes, found.registration_id, found.identity) != (
        listed.device,
        listed.registration_id,
        listed.identity.serialize(),
    ):
        raise KeyRefused("device_not_listed", data={"account": str(account), "device": str(found.device)})
    record = _record(tx, own, account, listed)
    begun = session.initiate(record, _parties(own, account, listed), bundle_of(listed, found), secrets.token_bytes)
    _save(tx, account, listed, begun)


def decrypt(tx: Tx, own: Own, account: AccountId, listed: ListedDevice, kind: int, body: bytes) -> bytes:
    """Decrypt what a listed device has sent. Raises E2eeError, and has changed nothing then."""
    record = _record(tx, own, account, listed)
    if kind == MESSAGE_TYPE:
        received = session.decrypt(record, body, secrets.token_bytes)
        _save(tx, account, listed, received.record)
        return received.plaintext
    if kind != FIRST_MESSAGE_TYPE:
        raise InvalidMessage
    first = FirstMessage.deserialize(body)
    kept = own.prekeys if _goes_on(record, first) else own_keys.load(tx).prekeys
    accepted = session.accept(record, _parties(own, account, listed), kept, first, secrets.token_bytes)
    _save(tx, account, listed, accepted.record)
    if accepted.prekeys is not kept:
        own_keys.save_prekeys(tx, accepted.prekeys)
    return accepted.plaintext


def bundle_of(listed: ListedDevice, found: wire.Bundle) -> Bundle:
    """Read a bundle of the wire. Raises E2eeError on keys that are none."""
    return Bundle(
        registration_id=found.registration_id,
        device=listed.number,
        identity=PublicKey.deserialize(found.identity),
        signed_id=found.signed.id,
        signed=PublicKey.deserialize(found.signed.key),
        signed_signature=found.signed.signature,
        kem_id=found.kem.id,
        kem=KemPublicKey.deserialize(found.kem.key),
        kem_signature=found.kem.signature,
        one_time_id=found.one_time.id if found.one_time else None,
        one_time=PublicKey.deserialize(found.one_time.key) if found.one_time else None,
    )


def device_of(listed: ListedDevice) -> DeviceId:
    """Give the id of a listed device."""
    return DeviceId(UUID(bytes=listed.device))


def _parties(own: Own, account: AccountId, listed: ListedDevice) -> Parties:
    peer = PeerDevice(Address(account.bytes, listed.number), listed.identity)
    return Parties(own_keys.own_device(own), peer)


def _record(tx: Tx, own: Own, account: AccountId, listed: ListedDevice) -> SessionRecord | None:
    """Read the sessions with a device; those of another identity or number are of no use any more."""
    row = sessions.select_session(tx, account, device_of(listed))
    if row is None or row.identity != listed.identity.serialize():
        return None
    record = SessionRecord.deserialize(row.record)
    parties = _parties(own, account, listed)
    is_same = record.peer == parties.peer.address and record.own == parties.own.address
    return record if is_same else None


def _goes_on(record: SessionRecord | None, first: FirstMessage) -> bool:
    """Tell whether a first message is of the session in use, and no prekey is needed; they take long to read."""
    return record is not None and record.current.base_key == first.base_key


def _save(tx: Tx, account: AccountId, listed: ListedDevice, record: SessionRecord) -> None:
    identity = listed.identity.serialize()
    sessions.upsert_session(tx, account, device_of(listed), identity, record.serialize(), now_ms())
