"""Linking by the slices' own actions: a second device, and every step on its way."""

import os
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec

from aparte.bench import linking as cheap
from aparte.e2ee import device_list
from aparte.e2ee.device_list import DeviceList, ListedDevice
from aparte.e2ee.keys import KeyPair
from aparte.server.authentication.model import Gate
from aparte.server.keys import actions as keys
from aparte.server.kit.caller import Caller
from aparte.server.linking import actions
from aparte.wire.ids import DeviceId, OfferId
from aparte.wire.keys import SignedList
from aparte.wire.linking import Admission, NewList, NewOffer, OfferState
from tests.support.keys import account_key, identity, listed
from tests.support.sign_in import HOME, PASSWORD, caller, log_in


@dataclass
class NewDevice:
    """A device that is signed in and wants to be linked, with what it offers."""

    who: Caller
    given: NewOffer
    number: int = 2

    @property
    def id(self) -> OfferId:
        """The offer's id."""
        return self.given.id


async def new_device(here: Gate, username: str, *, number: int = 2, device: DeviceId | None = None) -> NewDevice:
    """Sign a new device in and upload its offer; it has the keys of somebody's n-th device."""
    who = caller(await log_in(here, username, device=device or DeviceId(uuid4())))
    new = NewDevice(who, cheap.offer(number, who.device), number)
    await offer(here, new)
    return new


async def offer(here: Gate, new: NewDevice) -> OfferState:
    """Upload an offer."""
    return await actions.offer(here.db, new.who, new.given, HOME)


async def answer(here: Gate, old: Caller, new: NewDevice, password: str = PASSWORD) -> None:
    """Answer an offer."""
    await actions.answer(here, old, new.id, cheap.answer(old.account, password), HOME)


async def newest(here: Gate, who: Caller) -> SignedList:
    """The account's list."""
    async with here.db.read() as reader:
        return (await keys.lists_of(reader, [who.account]))[who.account].signed


async def admission(here: Gate, old: Caller, new: NewDevice) -> Admission:
    """What puts the device on the newest list."""
    known = DeviceList.deserialize((await newest(here, old)).list)
    rows = (*known.devices, listed(new.number, new.who.device))
    return Admission(_next(known, tuple(sorted(rows, key=lambda row: row.number))), os.urandom(500))


async def admit(here: Gate, old: Caller, new: NewDevice, given: Admission | None = None) -> None:
    """Admit a device whose offer is answered."""
    await actions.admit(here.db, old, new.id, given or await admission(here, old, new), HOME)


async def link(here: Gate, old: Caller, username: str, *, number: int = 2) -> Caller:
    """A second device from its login to its place on the list."""
    new = await new_device(here, username, number=number)
    await answer(here, old, new)
    await admit(here, old, new)
    return new.who._replace(is_listed=True)


async def settled(admin: Any) -> None:
    """Let a day go by since anybody was linked."""
    await admin.execute("UPDATE devices SET linked_at = linked_at - interval '25 hours'")


async def succeed(here: Gate, who: Caller, signed: SignedList, password: str | None = None) -> None:
    """Put the next list."""
    await actions.succeed(here, who, NewList(signed, password), HOME)


def without_and_with(before: SignedList, gone: DeviceId, added: DeviceId) -> SignedList:
    """A version that drops one device and adds another."""
    known = DeviceList.deserialize(before.list)
    new = listed(device_list.next_number(known), added)
    return _next(known, (*(row for row in known.devices if row.device != gone.bytes), new))


def renumbered(before: SignedList, new: NewDevice) -> SignedList:
    """A version that adds the offered device with another identity than it offered."""
    known = DeviceList.deserialize(before.list)
    other = replace(listed(device_list.next_number(known), new.who.device), identity=identity(20).public)
    return _next(known, (*known.devices, other))


def rotated(before: SignedList, *gone: DeviceId, is_reset: bool = False) -> SignedList:
    """A version under another account key, without some devices; a reset lacks the signature of the key before."""
    known = DeviceList.deserialize(before.list)
    key = KeyPair.generate(os.urandom)
    rows = tuple(row for row in known.devices if row.device not in {device.bytes for device in gone})
    new = DeviceList(known.account, key.public, known.version + 1, known.hash, rows)
    done = device_list.sign(new, key, os.urandom, previous_key=None if is_reset else account_key())
    return SignedList(done.list, done.signature, done.previous_signature)


def unchanged(before: SignedList) -> SignedList:
    """A next version that says the same."""
    known = DeviceList.deserialize(before.list)
    return _next(known, known.devices)


def emptied(before: SignedList) -> SignedList:
    """A next version without any device: a closed account."""
    return _next(DeviceList.deserialize(before.list), ())


def _next(known: DeviceList, rows: tuple[ListedDevice, ...]) -> SignedList:
    new = DeviceList(known.account, known.account_key, known.version + 1, known.hash, rows)
    done = device_list.sign(new, account_key(), os.urandom)
    return SignedList(done.list, done.signature)


def hash_of(signed: SignedList) -> bytes:
    """The hash by which a roster names a list."""
    return DeviceList.deserialize(signed.list).hash


def from_json(body: Any) -> SignedList:
    """A signed list as an entry's body carries it."""
    return msgspec.convert(body, SignedList, builtin_types=())
