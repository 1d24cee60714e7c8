"""The two ends of a session: addresses, our own device, and a peer's device as the signed list names it."""

import uuid
from typing import Annotated

import msgspec

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.state import State

DEVICE_MAX = 127
REGISTRATION_ID_MAX = 16380
_ACCOUNT_TYPE = b"\x00"  # "ACI" of a Signal service id; the only kind we use


class Address(State, frozen=True):
    """A device of an account: 16 bytes of UUID and a number from 1 to 127."""

    account: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    device: Annotated[int, msgspec.Meta(ge=1, le=DEVICE_MAX)]

    @classmethod
    def parse(cls, name: str) -> "Address":
        """Read `uuid.device` in the one form that `str` writes; ValueError if it is anything else."""
        account, _, device = name.rpartition(".")
        address = cls(uuid.UUID(account).bytes, int(device))
        if not 1 <= address.device <= DEVICE_MAX or str(address) != name:
            raise ValueError("an address is a UUID in lower case and a device number from 1 to 127")
        return address

    def __str__(self) -> str:
        return f"{uuid.UUID(bytes=self.account)}.{self.device}"

    def serialize(self) -> bytes:
        """00 || uuid || device, 18 bytes: a Signal service id and a device number."""
        return _ACCOUNT_TYPE + self.account + bytes([self.device])


class OwnDevice(State, frozen=True):
    """This device: its address, its registration id, and its identity key pair."""

    address: Address
    registration_id: Annotated[int, msgspec.Meta(ge=1, le=REGISTRATION_ID_MAX)]
    identity: KeyPair


class PeerDevice(State, frozen=True):
    """Another device with the identity key we trust it to have."""

    address: Address
    identity: PublicKey


def address_pair(sender: Address, recipient: Address) -> bytes:
    """What binds sender and recipient into the first messages of a session: 36 bytes."""
    return sender.serialize() + recipient.serialize()


def check_address_pair(addresses: bytes, sender: Address, recipient: Address) -> None:
    """InvalidMessage unless the message was made by this sender for this recipient."""
    if addresses != address_pair(sender, recipient):
        raise InvalidMessage
