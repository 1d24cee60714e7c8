"""What is known of an account's keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aparte.e2ee.device_list import DeviceList
from aparte.wire.ids import AccountId, DeviceId, PayloadId
from aparte.wire.keys import KemPrekey, ListVersion, OneTimePrekey, Prekeys, SignedList, SignedPrekey


@dataclass(frozen=True, slots=True)
class KnownList:
    """The newest list of an account: read, and as it was signed."""

    list: DeviceList
    signed: SignedList


@dataclass(frozen=True, slots=True)
class NewestList:
    """What a roster needs of an account's newest list, without its signatures: they were checked when it came."""

    version: int
    hash: bytes
    account_key: bytes
    devices: tuple[DeviceId, ...]


class Question(NamedTuple):
    """Whose list, and after which version."""

    account: AccountId
    after: ListVersion


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """The keys an account begins with, checked."""

    list: DeviceList
    signed: SignedList
    device: DeviceId
    prekeys: Prekeys


@dataclass(frozen=True, slots=True)
class PrekeyRow:
    """What a device has published beside its one-time prekeys; the high marks are the newest ids of each kind."""

    device: DeviceId
    registration_id: int
    identity: bytes
    signed: SignedPrekey
    last_resort: KemPrekey
    one_time_high: int
    one_time_kem_high: int


class Wanted(NamedTuple):
    """Devices of an account to hand out bundles of, and whether one-time prekeys may go with them."""

    account: AccountId
    devices: Sequence[DeviceId]
    with_one_time: bool


class Taken(NamedTuple):
    """A one-time prekey that was handed out: nobody else gets it."""

    device: DeviceId
    prekey: OneTimePrekey | KemPrekey


class Waiting(NamedTuple):
    """A pairwise message to keep until its device has it."""

    device: DeviceId
    payload_id: PayloadId
    type: int
    body: bytes
