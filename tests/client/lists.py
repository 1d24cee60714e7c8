"""Accounts with lists of our own making, for tests of what a client believes."""

import secrets
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from aparte.e2ee import device_list
from aparte.e2ee.device_list import NO_LIST, DeviceList, ListedDevice
from aparte.e2ee.keys import KeyPair
from aparte.wire.ids import AccountId
from aparte.wire.keys import SignedList


def new_key() -> KeyPair:
    """A key pair."""
    return KeyPair.generate(secrets.token_bytes)


def new_device(number: int) -> ListedDevice:
    """A device nobody has."""
    return ListedDevice(number, uuid4().bytes, number + 100, new_key().public)


@dataclass(frozen=True)
class Owner:
    """Somebody who signs lists: the newest one, and the key."""

    key: KeyPair
    list: DeviceList

    @classmethod
    def new(cls, account: AccountId | None = None) -> "Owner":
        """An account with one device."""
        key = new_key()
        ident = (account or uuid4()).bytes
        return cls(key, DeviceList(ident, key.public, 1, NO_LIST, (new_device(1),)))

    @property
    def account(self) -> AccountId:
        """Whose lists these are."""
        return AccountId(UUID(bytes=self.list.account))

    def signed(self, previous: KeyPair | None = None) -> SignedList:
        """The list as the server serves it."""
        made = device_list.sign(self.list, self.key, secrets.token_bytes, previous_key=previous)
        return SignedList(made.list, made.signature, made.previous_signature)

    def with_device(self) -> "Owner":
        """The next version, with one device more."""
        device = new_device(device_list.next_number(self.list))
        return self._next((*self.list.devices, device))

    def without(self, number: int) -> "Owner":
        """The next version, without a device."""
        return self._next(tuple(device for device in self.list.devices if device.number != number))

    def with_key(self, key: KeyPair) -> "Owner":
        """The next version, under another account key."""
        return replace(self, key=key, list=replace(self._next(self.list.devices).list, account_key=key.public))

    def _next(self, devices: tuple[ListedDevice, ...]) -> "Owner":
        return replace(
            self,
            list=replace(self.list, version=self.list.version + 1, previous=self.list.hash, devices=devices),
        )
