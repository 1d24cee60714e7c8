"""The first keys of an account: made and saved with the signed list of version 1 before the server hears of them.

Asking again after a lost answer therefore tells the same keys. They come with a registration, or with the next login of
an account that is older than keys.
"""

import asyncio
import secrets

from aparte.client.api import keys as api
from aparte.client.crypto import own, supply
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.session import Session
from aparte.client.store import own_keys
from aparte.client.store import pins as pin_rows
from aparte.client.store.db import Tx
from aparte.client.store.own_keys import OwnKeysRow
from aparte.client.store.pins import PinRow
from aparte.e2ee import device_list
from aparte.e2ee.device_list import NO_LIST, DeviceList
from aparte.e2ee.devices import REGISTRATION_ID_MAX
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.prekeys import Prekeys
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import AccountKeys, ListQuestion, SignedList

FIRST_NUMBER = 1
Kept = tuple[SignedList, Prekeys]
"""The signed first list, and the prekeys of the device on it."""
_random = secrets.token_bytes


async def first_keys(session: Session, account: AccountId, device: DeviceId) -> AccountKeys:
    """Give the first keys of an account with this device alone: those that are kept, or new ones, kept first.

    Raises KeyRefused `list_rolled_back` where the account is known here to have more than first keys.
    """
    with session.store.reading() as tx:
        kept = kept_first(tx, account, device)
    if kept is None:
        made = await asyncio.to_thread(make, account, device, is_first=True)
        with session.store.transaction(durable=True) as tx:
            kept = kept_first(tx, account, device) or keep_new(tx, made)
    signed, own_prekeys = kept
    return AccountKeys(signed, await asyncio.to_thread(supply.published, own_prekeys, 0))


async def give_keys(session: Session, account: AccountId, device: DeviceId) -> None:
    """Give an account older than keys its first ones. Raises ClientError `link_needed` if it has others by now."""
    keys = await first_keys(session, account, device)
    try:
        await api.put_account_keys(session, keys)
    except ClientError as error:
        if error.code != "keys_exist":
            raise
        served = await api.lists(session, [ListQuestion(account)])
        if not served or not served[0].versions or served[0].versions[0].list != keys.devices.list:
            raise ClientError("link_needed") from None
    uploaded(session)


def uploaded(session: Session) -> None:
    """Remember that the server has the first keys."""
    with session.store.transaction() as tx:
        own_keys.update_uploaded(tx, own.load(tx).prekeys.next_id, own.now_ms())


def kept_first(tx: Tx, account: AccountId, device: DeviceId) -> Kept | None:
    """Give first keys that are kept. Raises KeyRefused if the device was stopped, or the account has gone on since."""
    row, pin = own_keys.select_own_keys(tx), pin_rows.select_pin(tx, account)
    if row is None or pin is None or (row.account, row.device) != (account, device) or row.account_private is None:
        return None
    if row.stopped is not None or pin.version != 1:
        raise KeyRefused(row.stopped or "list_rolled_back")
    return SignedList(pin.list, pin.signature), own.of_row(row).prekeys


def keep_new(tx: Tx, made: OwnKeysRow) -> Kept:
    """Keep new keys and the list that they begin."""
    pin = signed_first(made, own.now_ms())
    replace_keys(tx, made)
    pin_rows.upsert_pin(tx, pin)
    return SignedList(pin.list, pin.signature), own.of_row(made).prekeys


def make(account: AccountId, device: DeviceId, *, is_first: bool) -> OwnKeysRow:
    """Make the keys of a device, and of its account if it `is_first`; takes a tenth of a second, give it a thread."""
    identity = KeyPair.generate(_random)
    return OwnKeysRow(
        account=account,
        device=device,
        number=FIRST_NUMBER if is_first else None,
        registration_id=secrets.randbelow(REGISTRATION_ID_MAX) + 1,
        identity_private=identity.private,
        account_private=KeyPair.generate(_random).private if is_first else None,
        next_account_private=None,
        prekeys=supply.first(identity, own.now_ms()).serialize(),
        uploaded_to=0,
        looked_at=0,
        stopped=None,
    )


def replace_keys(tx: Tx, made: OwnKeysRow) -> None:
    """Keep new keys instead of those of a device, or an account, that never came to be."""
    before = own_keys.select_own_keys(tx)
    if before is not None:
        pin_rows.delete_pin(tx, before.account)
    own_keys.delete_device(tx)
    own_keys.insert_own_keys(tx, made)


def signed_first(row: OwnKeysRow, at: int) -> PinRow:
    """Sign version 1 of the account's list, with this device alone, and give it as it is pinned."""
    keys = own.of_row(row)
    if keys.account_key is None:
        raise KeyRefused("keys_needed")
    public = keys.account_key.public
    first = DeviceList(row.account.bytes, public, 1, NO_LIST, (own.as_listed(keys, FIRST_NUMBER),))
    signed = device_list.sign(first, keys.account_key, _random)
    return PinRow(row.account, public.serialize(), 1, first.hash, signed.list, signed.signature, None, None, at, b"")
