"""Devices with keys and stores of their own, and no server between them."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from tests.client.lists import Owner, new_key

from aparte.client.crypto import own, pairwise, supply
from aparte.client.crypto.own import Own
from aparte.client.crypto.pins import Pin
from aparte.client.profiles import Folder
from aparte.client.store import own_keys
from aparte.client.store.db import Store
from aparte.client.store.own_keys import OwnKeysRow
from aparte.e2ee import prekeys
from aparte.e2ee.device_list import NO_LIST, DeviceList, ListedDevice
from aparte.wire.ids import AccountId, DeviceId
from aparte.wire.keys import Bundle

REGISTRATION_ID = 500


@dataclass
class Party:
    """Somebody with one device; `owner` signs their lists."""

    store: Store
    owner: Owner

    @classmethod
    def new(cls, folder: Path, name: str) -> "Party":
        """A new account with its first device."""
        identity, account, device = new_key(), uuid4(), uuid4()
        key = new_key()
        listed = ListedDevice(1, device.bytes, REGISTRATION_ID, identity.public)
        owner = Owner(key, DeviceList(account.bytes, key.public, 1, NO_LIST, (listed,)))
        store = Folder.of(name, folder).open(None, create=True)
        kept = prekeys.create(identity, own.now_ms(), secrets.token_bytes)
        row = OwnKeysRow(
            AccountId(account),
            DeviceId(device),
            1,
            REGISTRATION_ID,
            identity.private,
            key.private,
            None,
            kept.serialize(),
            0,
            0,
            None,
        )
        with store.transaction() as tx:
            own_keys.insert_own_keys(tx, row)
        return cls(store, owner)

    @property
    def account(self) -> AccountId:
        """Whose device this is."""
        return self.owner.account

    @property
    def listed(self) -> ListedDevice:
        """The device as the list names it."""
        return self.owner.list.devices[0]

    @property
    def device(self) -> DeviceId:
        """The device's id."""
        return DeviceId(UUID(bytes=self.listed.device))

    @property
    def own(self) -> Own:
        """The device's keys."""
        with self.store.reading() as tx:
            return own.load(tx)

    def pin(self, *dormant: bytes) -> Pin:
        """What others know of this account."""
        known = self.owner.list
        return Pin(self.account, known, self.owner.signed(), None, None, frozenset(dormant), known.hash)

    def bundle(self) -> Bundle:
        """What the server hands out of this device's prekeys."""
        given = supply.published(self.own.prekeys, 0)
        assert given.signed is not None
        assert given.last_resort is not None
        identity = self.listed.identity.serialize()
        return Bundle(self.device, REGISTRATION_ID, identity, given.signed, given.last_resort)

    def meet(self, other: "Party") -> None:
        """Begin a session with somebody's device."""
        with self.store.transaction() as tx:
            pairwise.begin(tx, own.load(tx), other.account, other.listed, other.bundle())
