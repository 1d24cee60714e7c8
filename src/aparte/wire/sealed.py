"""Sealed entries: what people do in end-to-end encrypted conversations, as the server carries it without reading it.

The request names every field of the entry's head (`docs/protocol/e2ee.md`, 3.1) that the server does not know from the
session; it checks them, keeps them as columns, and never sends the head: everybody rebuilds it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.ids import AccountId, ClientMessageId, DeviceId, EntryId

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)]
ChainId = Annotated[int, Meta(ge=0, le=0x7FFF_FFFF)]


class Envelope(msgspec.Struct, frozen=True):
    """The pairwise message for one device: 2 a message, 3 a first message, 0 empty (its bundle was unusable)."""

    device: DeviceId
    type: Literal[0, 2, 3]
    body: Annotated[bytes, Meta(max_length=limits.ENVELOPE_BYTES)] = b""


class SealedTarget(msgspec.Struct, frozen=True):
    """The entry aimed at: its id, for the server, and its hash, which is in the head."""

    id: EntryId
    hash: Hash


class SealEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry to store: kind 1 message, 2 edit, 3 deletion or restore, 4 reaction, 5 pin, 6 profile, 7 settings.

    Repeating it with the same `client_message_id` and `sealed` stores it once (30 days). `on` and `tag` are hints to
    the server: whether a deletion, reaction or pin sets or unsets, and which reactions of one person are the same. So
    are `mentions`, and `ttl`: seconds after which the server erases a disappearing message at the latest.

    Its key goes in `envelopes` to each device of a direct conversation; in a group, where there are none, in `key`: one
    sender-key message of the chain `chain`, which must have been given to every device (`Distributions`).
    """

    client_message_id: ClientMessageId
    epoch: Annotated[int, Meta(ge=1, le=limits.SAFE_INTEGER)]
    roster: Hash
    counter: Annotated[int, Meta(ge=1, le=limits.SAFE_INTEGER)]
    prev: Hash
    sealed: Annotated[bytes, Meta(min_length=192, max_length=limits.SEALED_BYTES)]
    envelopes: Annotated[list[Envelope], Meta(max_length=limits.ENVELOPES)]
    kind: Literal[1, 2, 3, 4, 5, 6, 7] = 1
    target: SealedTarget | None = None
    on: bool = True
    tag: Annotated[bytes, Meta(min_length=16, max_length=16)] | None = None
    mentions: Annotated[list[AccountId], Meta(max_length=limits.MENTIONS)] = []
    ttl: Annotated[int, Meta(ge=limits.TTL_SECONDS[0], le=limits.TTL_SECONDS[1])] | None = None
    chain: ChainId | None = None
    key: Annotated[bytes, Meta(min_length=1, max_length=limits.GROUP_KEY_BYTES)] | None = None


class Sealed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of a sealed entry as devices read it: the fields of the head that the entry itself does not carry.

    `sealed` is gone, and `digest` (its SHA-256) there instead, once the entry is deleted for everyone or erased.
    `envelope` is the reading device's own, until it has acknowledged the entry: with the entry's key, or in a group
    with its sender's chain. `key` is a group's: the sender-key message that holds the key, for every device.
    """

    epoch: int
    roster: bytes
    counter: int
    prev: bytes
    target: bytes | None = None
    sealed: bytes | None = None
    digest: bytes | None = None
    envelope: Envelope | None = None
    key: bytes | None = None
