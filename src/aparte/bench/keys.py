"""Keys for the people of a measurement: real ones, and cheap, because everybody has the same.

One account key serves all accounts, and the n-th device of any account has the n-th identity and its prekeys; only the
lists are signed anew. Nothing here protects anybody.
"""

import hashlib
import os
from functools import cache
from uuid import UUID

from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.keys import KemKeyPair, KeyPair
from aparte.wire.keys import AccountKeys, KemPrekey, Prekeys, SignedList, SignedPrekey


@cache
def account_key() -> KeyPair:
    """The account key of everybody."""
    return KeyPair.generate(os.urandom)


@cache
def identity(number: int) -> KeyPair:
    """The identity of everybody's n-th device."""
    return KeyPair.from_private(hashlib.sha256(_seed() + number.to_bytes(4)).digest())


@cache
def _seed() -> bytes:
    return os.urandom(32)


@cache
def prekeys(number: int) -> Prekeys:
    """What everybody's n-th device publishes: the two keys that it must."""
    pair, kem = KeyPair.generate(os.urandom), KemKeyPair.generate(os.urandom)
    signer, public, kem_public = identity(number), pair.public.serialize(), kem.public.serialize()
    return Prekeys(
        signed=SignedPrekey(1, public, signer.sign(public, os.urandom)),
        last_resort=KemPrekey(2, kem_public, signer.sign(kem_public, os.urandom)),
    )


def listed(number: int, device: UUID) -> ListedDevice:
    """The row of an n-th device in a list; its registration id is its number."""
    return ListedDevice(number, device.bytes, number, identity(number).public)


def first(account: UUID, device: UUID) -> AccountKeys:
    """The keys that an account begins with."""
    return AccountKeys(first_list(account, device), prekeys(1))


def first_list(account: UUID, *devices: UUID) -> SignedList:
    """Version 1 of a list, of any number of devices; a server takes only those with one."""
    rows = tuple(listed(number, device) for number, device in enumerate(devices, 1))
    return _signed(DeviceList(account.bytes, account_key().public, 1, device_list.NO_LIST, rows))


def with_device(before: SignedList, device: UUID) -> SignedList:
    """The version that adds a device; it gets the next number, and with it that number's keys."""
    known = DeviceList.deserialize(before.list)
    added = listed(device_list.next_number(known), device)
    return _next(known, tuple(sorted((*known.devices, added), key=lambda row: row.number)))


def without(before: SignedList, device: UUID) -> SignedList:
    """The version that a device is gone from."""
    known = DeviceList.deserialize(before.list)
    return _next(known, tuple(row for row in known.devices if row.device != device.bytes))


def _next(known: DeviceList, rows: tuple[ListedDevice, ...]) -> SignedList:
    return _signed(DeviceList(known.account, known.account_key, known.version + 1, known.hash, rows))


def _signed(new: DeviceList) -> SignedList:
    done = device_list.sign(new, account_key(), os.urandom)
    return SignedList(done.list, done.signature)
