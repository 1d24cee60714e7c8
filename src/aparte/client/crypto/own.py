"""This device's own keys: saved before anything leaves that relies on them, stopped for good when they are an old copy.

`keep_up` renews the prekeys. Whoever consumes one saves what is left with `save_prekeys`, in the transaction that
stores what it opened.
"""

import asyncio
import time
from dataclasses import dataclass, field
from functools import lru_cache

from aparte.client.api import keys as api
from aparte.client.crypto import supply
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.locks import held
from aparte.client.session import Session
from aparte.client.store import own_keys
from aparte.client.store import pins as pin_rows
from aparte.client.store.db import Tx
from aparte.client.store.own_keys import OwnKeysRow
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.devices import Address, OwnDevice
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.prekeys import Prekeys, Stock
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import PrekeyStock

DAY_SECONDS = 86_400
LOW = 50
"""Fewer one-time prekeys than this are kept here: some were used, so the server's stock is worth a look."""


@dataclass(frozen=True, slots=True)
class Own:
    """This device's keys. `number` and `account_key` are there once it is on its account's list."""

    account: AccountId
    device: DeviceId
    number: int | None
    registration_id: int
    identity: KeyPair = field(repr=False)
    account_key: KeyPair | None = field(repr=False)
    prekeys: Prekeys = field(repr=False)


def now_ms() -> int:
    """Tell the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def load(tx: Tx) -> Own:
    """Read the keys. Raises KeyRefused `keys_needed`, or the code that stopped this device."""
    row = own_keys.select_own_keys(tx)
    if row is None:
        raise KeyRefused("keys_needed")
    if row.stopped is not None:
        raise KeyRefused(row.stopped)
    return of_row(row)


@lru_cache(1)
def of_row(row: OwnKeysRow) -> Own:
    """Read keys as they are kept; between two prekeys that were used they are the same."""
    account_key = KeyPair.from_private(row.account_private) if row.account_private else None
    identity = KeyPair.from_private(row.identity_private)
    kept = Prekeys.deserialize(row.prekeys)
    return Own(row.account, row.device, row.number, row.registration_id, identity, account_key, kept)


def own_device(own: Own) -> OwnDevice:
    """Give this end of every session. Raises KeyRefused `keys_needed` while the device is not listed."""
    if own.number is None:
        raise KeyRefused("keys_needed")
    return OwnDevice(Address(own.account.bytes, own.number), own.registration_id, own.identity)


def as_listed(own: Own, number: int) -> ListedDevice:
    """Give this device as a list names it."""
    return ListedDevice(number, own.device.bytes, own.registration_id, own.identity.public)


def save_prekeys(tx: Tx, kept: Prekeys) -> None:
    """Keep the prekeys as they are now."""
    own_keys.update_prekeys(tx, kept.serialize())


def stop(tx: Tx, code: str) -> None:
    """Use these keys no more: an old copy of the state (`state_rolled_back`), or taken off the list (`revoked`)."""
    own_keys.update_stopped(tx, code)


# The account key ------------------------------------------------------------------------------------------------------


def signing_key(own: Own, known: DeviceList) -> KeyPair:
    """Give the account key for signing. Raises KeyRefused `key_mismatch` if the list names another one."""
    if own.account_key is None or own.account_key.public != known.account_key:
        raise KeyRefused("key_mismatch")
    return own.account_key


def promote(tx: Tx, account_key: bytes) -> None:
    """Use the account key that comes next, if it is the one that the account's newest list names.

    It stays marked as next until one's other devices have been told (`is_untold`).
    """
    row = own_keys.select_own_keys(tx)
    if row is None or row.next_account_private is None:
        return
    if KeyPair.from_private(row.next_account_private).public.serialize() == account_key:
        own_keys.update_promoted(tx)


def is_untold(row: OwnKeysRow) -> bool:
    """Tell whether this device has made the account key and one's other devices must still be told."""
    return row.next_account_private is not None and row.next_account_private == row.account_private


def take_account_key(tx: Tx, private: bytes) -> bool:
    """Take the account key that another of one's own devices passes on, if the account's list names it.

    The list comes first: refresh it before. A key that no list names is not kept, so nobody can plant the next one.
    """
    row = own_keys.select_own_keys(tx)
    pin = pin_rows.select_pin(tx, row.account) if row is not None else None
    if pin is None or KeyPair.from_private(private).public.serialize() != pin.account_key:
        return False
    own_keys.update_account_key(tx, private)
    return True


# Upkeep ---------------------------------------------------------------------------------------------------------------


async def keep_up(session: Session) -> None:
    """Renew and refill the prekeys, and upload what the server lacks; asks nothing while nothing can be due.

    One process of the profile does it at a time. What was made is kept, and uploaded the next time if that fails.
    Raises ClientError; KeyRefused `state_rolled_back` when the server knows prekeys that this device has not made.
    """
    async with held(session.folder.lock("prekeys")):
        with session.store.reading() as tx:
            own, row = load(tx), own_keys.select_own_keys(tx)
        if row is None or own.number is None or not is_due(row, own.prekeys, now_ms()):
            return
        await upload(session, row.uploaded_to)
        stock = await api.prekey_stock(session)
        if max(stock.signed_id, stock.last_resort_id) >= own.prekeys.next_id:
            raise stopped(session, "state_rolled_back")
        made = await asyncio.to_thread(supply.renewed, own.prekeys, own.identity, counted(stock), now_ms())
        with session.store.transaction(durable=True) as tx:
            save_prekeys(tx, supply.merged(load(tx).prekeys, own.prekeys, made))
        await upload(session, own.prekeys.next_id)


async def upload(session: Session, start: int) -> None:
    """Upload the prekeys with ids from `start` on, and remember it. Raises KeyRefused `state_rolled_back`."""
    with session.store.reading() as tx:
        kept = load(tx).prekeys
    if kept.next_id > start:
        try:
            await api.put_prekeys(session, await asyncio.to_thread(supply.published, kept, start))
        except ClientError as error:
            if error.code == "prekey_reused":
                raise stopped(session, "state_rolled_back") from None
            raise
    with session.store.transaction() as tx:
        own_keys.update_uploaded(tx, kept.next_id, now_ms())


def stopped(session: Session, code: str) -> KeyRefused:
    """Stop this device, and give the error that says so."""
    with session.store.transaction(durable=True) as tx:
        stop(tx, code)
    return KeyRefused(code)


def is_due(row: OwnKeysRow, kept: Prekeys, now: int) -> bool:
    """Tell whether the server must be asked: daily, when something was not uploaded, or when prekeys were used."""
    is_old = now - row.looked_at >= DAY_SECONDS * 1000
    return is_old or kept.next_id > row.uploaded_to or min(len(kept.one_time), len(kept.one_time_kem)) < LOW


def counted(stock: PrekeyStock) -> Stock:
    """Read the server's count."""
    return Stock(max(0, stock.one_time), max(0, stock.one_time_kem))
