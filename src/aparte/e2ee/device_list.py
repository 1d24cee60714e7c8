"""Device lists: which devices an account has, signed by its account key, every version chained to the one before.

Whoever encrypts to an account encrypts to the devices of its list and to no other. A version with another account key
needs a second signature, by the key before (a rotation); without it, it is a reset, and people are told. Source:
docs/protocol/e2ee.md, 4.1.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from aparte.e2ee.devices import DEVICE_MAX, REGISTRATION_ID_MAX
from aparte.e2ee.errors import BadList, InvalidKey, InvalidSignature
from aparte.e2ee.keys import PUBLIC_KEY_BYTES, KeyPair, PublicKey
from aparte.e2ee.primitives import Random, constant_time_equal, sha256

DEVICES_MAX = 32
NO_LIST = bytes(32)
"""The hash before version 1, and in a roster the list of an account that has none."""

_LABEL = b"aparte-devices-v1\0"
_FIXED_BYTES = 108
_DEVICE_BYTES = 54

Change = Literal["same", "rotation", "reset"]


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device as the list names it: its number in sessions (1 to 127), its id, registration id and identity key."""

    number: int
    device: bytes
    registration_id: int
    identity: PublicKey

    def serialize(self) -> bytes:
        """Number || device || registration id || identity, 54 bytes."""
        return (
            self.number.to_bytes(1, "big")
            + self.device
            + self.registration_id.to_bytes(4, "big")
            + self.identity.serialize()
        )


@dataclass(frozen=True, slots=True)
class DeviceList:
    """One version of an account's list; devices in order of their numbers, none if the account is closed."""

    account: bytes
    account_key: PublicKey
    version: int
    previous: bytes
    devices: tuple[ListedDevice, ...]

    @classmethod
    def deserialize(cls, data: bytes) -> "DeviceList":
        """Read a list; BadList unless it is one that `serialize` can have written and no rule forbids."""
        rest = len(data) - _FIXED_BYTES
        if rest < 0 or data[:18] != _LABEL or rest != _DEVICE_BYTES * data[107] or data[107] > DEVICES_MAX:
            raise BadList
        try:
            devices = tuple(
                _read_device(data[at : at + _DEVICE_BYTES]) for at in range(_FIXED_BYTES, len(data), _DEVICE_BYTES)
            )
            account_key = PublicKey.deserialize(data[34:67])
        except InvalidKey as error:
            raise BadList from error
        found = cls(data[18:34], account_key, int.from_bytes(data[67:75], "big"), data[75:107], devices)
        found.check()
        return found

    def serialize(self) -> bytes:
        """The signed bytes: 108 and 54 for each device."""
        return b"".join(
            (
                _LABEL,
                self.account,
                self.account_key.serialize(),
                self.version.to_bytes(8, "big"),
                self.previous,
                len(self.devices).to_bytes(1, "big"),
                *(device.serialize() for device in self.devices),
            )
        )

    @property
    def hash(self) -> bytes:
        """SHA-256 of the signed bytes."""
        return sha256(self.serialize())

    def find(self, device: bytes) -> ListedDevice | None:
        """A device by its id."""
        return next((listed for listed in self.devices if listed.device == device), None)

    def check(self) -> None:
        """BadList if a number, id or identity is there twice or out of range, or the order is another."""
        numbers = [device.number for device in self.devices]
        if len(numbers) > DEVICES_MAX or numbers != sorted(set(numbers)) or not 1 <= self.version < 2**53:
            raise BadList
        if not all(1 <= number <= DEVICE_MAX for number in numbers):
            raise BadList
        if not all(1 <= device.registration_id <= REGISTRATION_ID_MAX for device in self.devices):
            raise BadList
        if len({device.device for device in self.devices}) != len(numbers):
            raise BadList
        if len({device.identity.u for device in self.devices}) != len(numbers):
            raise BadList


@dataclass(frozen=True, slots=True)
class Signed:
    """A list with its signatures, 64 bytes each; `previous_signature` only in a rotation."""

    list: bytes
    signature: bytes
    previous_signature: bytes | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Succession:
    """A version that was checked against the one before it, and what happened to the account key."""

    list: DeviceList
    change: Change


def sign(new: DeviceList, account_key: KeyPair, random: Random, *, previous_key: KeyPair | None = None) -> Signed:
    """Sign a version with the account key it names; a rotation also with the key before."""
    data = new.serialize()
    second = previous_key.sign(data, random) if previous_key is not None else None
    return Signed(data, account_key.sign(data, random), second)


def verify_first(signed: Signed, account: bytes) -> DeviceList:
    """Check version 1 of an account's list: BadList unless form, account and signature are right."""
    found = DeviceList.deserialize(signed.list)
    if found.version != 1 or found.previous != NO_LIST or found.account != account or signed.previous_signature:
        raise BadList
    _check_signature(found.account_key, signed.list, signed.signature)
    return found


def verify_signed(signed: Signed, account: bytes, account_key: PublicKey) -> DeviceList:
    """Check one version by itself, against a key that is trusted already: BadList unless that key signed it."""
    found = DeviceList.deserialize(signed.list)
    if found.account != account or found.account_key != account_key:
        raise BadList
    _check_signature(account_key, signed.list, signed.signature)
    return found


def verify_next(known: DeviceList, signed: Signed) -> Succession:
    """Check that a version follows the one we know: BadList unless it does.

    The number of a device that is gone may be given again; the same id, registration id or identity may not be
    another device's.
    """
    found = DeviceList.deserialize(signed.list)
    if found.account != known.account or found.version != known.version + 1 or not known.devices:
        raise BadList
    if not constant_time_equal(found.previous, known.hash):
        raise BadList
    _check_signature(found.account_key, signed.list, signed.signature)
    for device in found.devices:
        before = known.find(device.device)
        if before is not None and before != device:
            raise BadList
    if found.account_key == known.account_key:
        if signed.previous_signature is not None:
            raise BadList
        return Succession(found, "same")
    if signed.previous_signature is None:
        return Succession(found, "reset")
    _check_signature(known.account_key, signed.list, signed.previous_signature)
    return Succession(found, "rotation")


def next_number(known: DeviceList) -> int:
    """The number for a new device: one that no listed device has, counting on from the highest before starting over."""
    taken = {device.number for device in known.devices}
    highest = max(taken, default=0)
    for number in chain(range(highest + 1, DEVICE_MAX + 1), range(1, highest)):
        if number not in taken:
            return number
    raise BadList


def _check_signature(key: PublicKey, data: bytes, signature: bytes) -> None:
    try:
        key.verify(data, signature)
    except InvalidSignature as error:
        raise BadList from error


def _read_device(data: bytes) -> ListedDevice:
    identity = PublicKey.deserialize(data[-PUBLIC_KEY_BYTES:])
    return ListedDevice(data[0], data[1:17], int.from_bytes(data[17:21], "big"), identity)
