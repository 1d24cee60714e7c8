"""What a second device of somebody in a measurement needs to be linked: right in form, and opened by nobody.

The server checks form, password and the signed list; what the two devices tell each other is random bytes here.
"""

import os
from uuid import UUID, uuid4

from aparte.bench import keys
from aparte.wire.ids import OfferId
from aparte.wire.keys import SignedList
from aparte.wire.linking import Admission, NewOffer, OfferAnswer

KEM_KEY_BYTES = 1184
SECRET_BYTES = 32 + 1088
"""The part of an answer that only the new device could use."""


def offer(number: int, device: UUID) -> NewOffer:
    """The offer of somebody's n-th device."""
    whose = keys.listed(number, device)
    head = whose.identity.serialize() + whose.registration_id.to_bytes(4, "big") + device.bytes
    return NewOffer(OfferId(uuid4()), head + os.urandom(KEM_KEY_BYTES), keys.prekeys(number))


def answer(account: UUID, password: str) -> OfferAnswer:
    """The answer of a listed device of an account."""
    whose = account.bytes + keys.account_key().public.serialize()
    return OfferAnswer(password, os.urandom(SECRET_BYTES) + whose)


def admission(before: SignedList, device: UUID) -> Admission:
    """What puts a device on the list."""
    return Admission(keys.with_device(before, device), os.urandom(500))
