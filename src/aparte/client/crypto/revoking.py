"""Taking devices off the account's list.

A device that is lost or stolen may have the account key, so the list goes on under a new one, which the account's other
devices are told. The new key is saved before it is named to anybody: if the answer is lost, the next list that the
server serves says whether it counts.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass, replace

from aparte.client.api import accounts
from aparte.client.api import keys as api
from aparte.client.crypto import own, pairwise, pins
from aparte.client.crypto.own import Own
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import own_keys, payloads
from aparte.client.store.db import Tx
from aparte.client.store.payloads import PayloadRow
from aparte.e2ee import device_list, payload
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.errors import E2eeError, NoSession
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.payload import AccountState
from aparte.wire.ids import DeviceId, PayloadId, new_id
from aparte.wire.keys import Bundle, SignedList
from aparte.wire.linking import NewList

TRIES = 3
"""How often a list is signed anew because it has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a device is taken off with: a list, the account key that signs it, the password of a rotation."""

    device: DeviceId
    password: str | None
    """With a password the account key is replaced; without, the device must be known to be wiped."""

    def __repr__(self) -> str:
        """Keep the password out of logs and tracebacks."""
        return f"Removal(device={self.device})"


async def revoke(session: Session, removal: Removal) -> None:
    """Take a device off the list; one that is not on it is signed out for good. Leaving itself changes no key.

    Raises ClientError `not_found`, `device_too_new`, `bad_credentials`, KeyRefused.
    """
    account = session.profile.account
    if removal.device == session.profile.device:
        removal = Removal(removal.device, None)
    for attempt in range(TRIES):
        await pins.refresh(session, [account])
        with session.store.reading() as tx:
            pin = pins.pinned(tx, account)
        if pin is None or pin.list.find(removal.device.bytes) is None:
            if attempt == 0:
                await accounts.revoke_device(session, removal.device)
            break  # on a repeat the list says that it is done
        try:
            await _sign_without(session, removal, pin.list)
        except ClientError as error:
            if error.code != "stale_list" or attempt == TRIES - 1:
                raise
        else:
            break
    await tell_account_key(session)


async def tell_account_key(session: Session) -> None:
    """Pass an account key that this device has made on to one's other devices, if that was not done yet.

    What is to be sent is kept with the mark that it was told, so that neither is lost without the other.
    """
    with session.store.reading() as tx:
        row = own_keys.select_own_keys(tx)
        pin = pins.pinned(tx, row.account) if row is not None else None
    if row is None or pin is None or not own.is_untold(row) or row.account_private is None:
        return
    others = [listed for listed in pin.list.devices if listed.device != row.device.bytes]
    found = await api.bundles(session, row.account, [pairwise.device_of(one) for one in others]) if others else []
    bundles = {bundle.device: bundle for bundle in found}
    plaintext = payload.encode(AccountState(account_private=row.account_private))
    with session.store.transaction(durable=True) as tx:
        mine = own.load(tx)
        for listed in others:
            with suppress(E2eeError, KeyRefused):  # one device with unusable keys keeps nobody else from it
                _enclose(tx, mine, listed, bundles.get(pairwise.device_of(listed)), plaintext)
        own_keys.update_account_key(tx, row.account_private)


def _enclose(tx: Tx, mine: Own, listed: ListedDevice, bundle: Bundle | None, plaintext: bytes) -> None:
    """Keep a payload for one of one's own devices, in a session begun afresh where there is none."""
    try:
        sealed = pairwise.encrypt(tx, mine, mine.account, listed, plaintext)
    except NoSession:
        if bundle is None:
            raise
        pairwise.begin(tx, mine, mine.account, listed, bundle)
        sealed = pairwise.encrypt(tx, mine, mine.account, listed, plaintext)
    ident = PayloadId(new_id())
    payloads.insert_payload(tx, PayloadRow(ident, mine.account, sealed.device, sealed.type, sealed.body), own.now_ms())


async def _sign_without(session: Session, removal: Removal, known: DeviceList) -> None:
    with session.store.reading() as tx:
        mine = own.load(tx)
    key = own.signing_key(mine, known)
    left = tuple(listed for listed in known.devices if listed.device != removal.device.bytes)
    new = replace(known, version=known.version + 1, previous=known.hash, devices=left)
    if removal.password is None:
        made = device_list.sign(new, key, secrets.token_bytes)
    else:
        fresh = fresh_key(session)
        new = replace(new, account_key=fresh.public)
        made = device_list.sign(new, fresh, secrets.token_bytes, previous_key=key)
    signed = SignedList(made.list, made.signature, made.previous_signature)
    await api.put_list(session, NewList(signed, removal.password))
    with session.store.transaction(durable=True) as tx:
        pins.take(tx, mine.account, [signed], own.now_ms(), is_ours=True)


def fresh_key(session: Session) -> KeyPair:
    """Give an account key that is saved and that no list names yet: that of an earlier try, if one is open."""
    with session.store.transaction(durable=True) as tx:
        row = own_keys.select_own_keys(tx)
        if row is not None and row.next_account_private is not None and not own.is_untold(row):
            return KeyPair.from_private(row.next_account_private)
        fresh = KeyPair.generate(secrets.token_bytes)
        own_keys.update_next_account_key(tx, fresh.private)
        return fresh
