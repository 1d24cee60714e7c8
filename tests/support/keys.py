"""Keys for the people of the tests: the cheap ones of the benchmark, and prekeys of one's own where they count."""

import base64
import os
from typing import Any
from uuid import UUID

import msgspec

from aparte.bench.keys import (
    account_key,
    first,
    first_list,
    identity,
    listed,
    prekeys,
    with_device,
    without,
)
from aparte.e2ee.device_list import DeviceList
from aparte.e2ee.keys import KemKeyPair, KeyPair
from aparte.wire.keys import KemPrekey, OneTimePrekey, Prekeys, SignedList, SignedPrekey

__all__ = [
    "account_key",
    "answer",
    "base64_of",
    "first",
    "first_list",
    "fresh",
    "from_json",
    "identity",
    "in_json",
    "listed",
    "number_of",
    "offer",
    "prekeys",
    "with_device",
    "without",
]


def fresh(number: int = 1, *, ids: int = 10, one_time: int = 0, one_time_kem: int = 0, renewed: bool = True) -> Prekeys:
    """New prekeys of the n-th device of an account, numbered from `ids` on in every kind."""
    return Prekeys(
        signed=_signed(number, ids) if renewed else None,
        last_resort=_kem(number, ids) if renewed else None,
        one_time=[OneTimePrekey(ids + i, KeyPair.generate(os.urandom).public.serialize()) for i in range(one_time)],
        one_time_kem=[_kem(number, ids + i) for i in range(one_time_kem)],
    )


def offer(number: int, device: UUID) -> bytes:
    """The offer of an n-th device that wants to be linked; what is secret about it is noise."""
    row = listed(number, device)
    return row.identity.serialize() + row.registration_id.to_bytes(4) + row.device + os.urandom(1184)


def answer(account: UUID) -> bytes:
    """An answer to an offer; what is secret about it is noise."""
    return os.urandom(32 + 1088) + account.bytes + account_key().public.serialize()


def in_json(value: Any) -> Any:
    """A struct as the raw clients of the tests put it into a body."""
    return msgspec.json.decode(msgspec.json.encode(value))


def from_json(value: Any) -> SignedList:
    """A signed list out of an answer."""
    return msgspec.convert(value, SignedList)


def base64_of(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(data).decode()


def _signed(number: int, key_id: int) -> SignedPrekey:
    key = KeyPair.generate(os.urandom).public.serialize()
    return SignedPrekey(key_id, key, identity(number).sign(key, os.urandom))


def _kem(number: int, key_id: int) -> KemPrekey:
    key = KemKeyPair.generate(os.urandom).public.serialize()
    return KemPrekey(key_id, key, identity(number).sign(key, os.urandom))


def number_of(signed: SignedList, device: UUID) -> int:
    """Which device of its account a listed one is."""
    found = DeviceList.deserialize(signed.list).find(device.bytes)
    assert found is not None
    return found.number
