"""REST bodies of linking a new device, and of taking devices off the list (`docs/protocol/e2ee.md`, 4.4 and 4.8)."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.accounts import Password
from aparte.wire.ids import OfferId
from aparte.wire.keys import Prekeys, SignedList


class NewList(msgspec.Struct, frozen=True, omit_defaults=True):
    """The next version of one's own device list, without devices it has now; a rotation needs the password.

    Devices are added by linking only.
    """

    devices: SignedList
    password: Password | None = None


class NewOffer(msgspec.Struct, frozen=True):
    """A new device, signed in but not listed, asks to be linked: its offer and its first prekeys."""

    id: OfferId
    offer: Annotated[bytes, Meta(min_length=1237, max_length=1237)]
    prekeys: Prekeys


class Offer(msgspec.Struct, frozen=True):
    """An offer as a listed device of the account finds it, with what the server knows of the device that made it."""

    id: OfferId
    offer: bytes
    device_name: str
    ip: str | None
    created_at: datetime
    expires_at: datetime


class OfferAnswer(msgspec.Struct, frozen=True):
    """A listed device answers an offer; the password was asked for again. One answer an offer."""

    password: Password
    answer: Annotated[bytes, Meta(min_length=1169, max_length=1169)]


class Admission(msgspec.Struct, frozen=True):
    """The code matched: the list with the new device, and what is for that device alone."""

    devices: SignedList
    container: Annotated[bytes, Meta(min_length=1, max_length=limits.LINK_CONTAINER_BYTES)]


class OfferState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an offer is, for the device that made it: the answer, then the container and the list."""

    state: Literal["open", "answered", "admitted"]
    expires_at: datetime
    answer: bytes | None = None
    devices: SignedList | None = None
    container: bytes | None = None
