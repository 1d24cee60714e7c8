"""REST bodies about keys: device lists, prekeys, bundles, payloads.

Every field of bytes is base64 (RFC 4648, padded) in JSON and raw in MessagePack. What the bytes mean is
`docs/protocol/e2ee.md`; the server checks form and signatures, and clients rely on none of it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.ids import AccountId, ConversationId, DeviceId, PayloadId

PublicKey = Annotated[bytes, Meta(min_length=33, max_length=33)]
KemPublicKey = Annotated[bytes, Meta(min_length=1569, max_length=1569)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
PrekeyId = Annotated[int, Meta(ge=1, le=0xFFFF_FFFF)]
RegistrationId = Annotated[int, Meta(ge=1, le=16_380)]
ListVersion = Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)]


class SignedList(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of an account's device list, signed by the account key; a rotation also by the key before."""

    list: Annotated[bytes, Meta(min_length=108, max_length=limits.DEVICE_LIST_BYTES)]
    signature: Signature
    previous_signature: Signature | None = None


class SignedPrekey(msgspec.Struct, frozen=True):
    """The X25519 prekey that serves many first messages, renewed every 7 days."""

    id: PrekeyId
    key: PublicKey
    signature: Signature


class KemPrekey(msgspec.Struct, frozen=True):
    """A Kyber-1024 prekey: the last-resort one, or one for a single first message."""

    id: PrekeyId
    key: KemPublicKey
    signature: Signature


class OneTimePrekey(msgspec.Struct, frozen=True):
    """An X25519 prekey for a single first message."""

    id: PrekeyId
    key: PublicKey


class Prekeys(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device publishes of its prekeys; the identity signs each of them. Ids grow and are never used twice.

    Uploading the same again changes nothing. A signed or last-resort prekey replaces the one before.
    """

    signed: SignedPrekey | None = None
    last_resort: KemPrekey | None = None
    one_time: Annotated[list[OneTimePrekey], Meta(max_length=limits.ONE_TIME_PREKEYS)] = []
    one_time_kem: Annotated[list[KemPrekey], Meta(max_length=limits.ONE_TIME_PREKEYS)] = []


class PrekeyStock(msgspec.Struct, frozen=True):
    """How many one-time prekeys of the device the server still has, 0 included, and which others are current."""

    one_time: int
    one_time_kem: int
    signed_id: int
    last_resort_id: int


class AccountKeys(msgspec.Struct, frozen=True):
    """An account's device list version 1, and the prekeys of the one device on it, with both of its renewed keys."""

    devices: SignedList
    prekeys: Prekeys


class ListQuestion(msgspec.Struct, frozen=True):
    """Whose lists to read, and the version one has (0: none): every version after it is answered."""

    account: AccountId
    after: ListVersion = 0


class ListsWanted(msgspec.Struct, frozen=True):
    """Ask for the device lists of several people."""

    accounts: Annotated[list[ListQuestion], Meta(min_length=1, max_length=limits.PAGE_LIST)]


class ListsOf(msgspec.Struct, frozen=True):
    """The versions of one account's list after the one that was asked for, in order; `more` are there still."""

    account: AccountId
    versions: list[SignedList]
    more: bool
    dormant: list[DeviceId]
    """Listed devices not seen for 45 days: they get no envelopes."""


class Lists(msgspec.Struct, frozen=True):
    """Device lists, in the order asked; of an account without keys there are none."""

    accounts: list[ListsOf]


class Bundle(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prekeys of one device to begin a session with; `one_time` only while there are any, `kem` always."""

    device: DeviceId
    registration_id: RegistrationId
    identity: PublicKey
    signed: SignedPrekey
    kem: KemPrekey
    one_time: OneTimePrekey | None = None


class BundlesWanted(msgspec.Struct, frozen=True):
    """Ask for bundles of listed devices of an account: each takes a one-time prekey of either kind."""

    account: AccountId
    devices: Annotated[list[DeviceId], Meta(min_length=1, max_length=limits.LISTED_DEVICES)]


class Bundles(msgspec.Struct, frozen=True):
    """Bundles; a device without usable prekeys is left out."""

    bundles: list[Bundle]


# Payloads without an entry -------------------------------------------------------------------------------------------


class NewPayload(msgspec.Struct, frozen=True):
    """A pairwise message that belongs to no entry, for one device of an account one shares a conversation with."""

    payload_id: PayloadId
    """Made by the sender (any UUID), so that a repeat is stored once."""
    device: DeviceId
    type: Literal[2, 3]
    body: Annotated[bytes, Meta(min_length=1, max_length=limits.PAYLOAD_BYTES)]


class NewPayloads(msgspec.Struct, frozen=True):
    """Payloads for devices of one account; all are stored or none."""

    account: AccountId
    payloads: Annotated[list[NewPayload], Meta(min_length=1, max_length=limits.LISTED_DEVICES)]


class Payload(msgspec.Struct, frozen=True):
    """A payload as its device gets it: kept until acknowledged, 60 days at most."""

    id: PayloadId
    account: AccountId
    device: DeviceId
    type: Literal[2, 3]
    body: bytes


class PayloadPage(msgspec.Struct, frozen=True):
    """Payloads for this device, oldest first; acknowledge them and ask again while `more`."""

    payloads: list[Payload]
    more: bool


class PayloadsDone(msgspec.Struct, frozen=True):
    """These payloads are stored here: forget them."""

    ids: Annotated[list[PayloadId], Meta(min_length=1, max_length=limits.PAGE_PAYLOADS)]


class NewDirect(msgspec.Struct, frozen=True):
    """Open the direct conversation with somebody, or one's notes to oneself with one's own account.

    The id is derived from both accounts (`docs/protocol/e2ee.md`) and checked; opening twice is opening once.
    """

    id: ConversationId
    account: AccountId
