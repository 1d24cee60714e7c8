"""Prebuilt frames of sealed entries: each continues the chain of its device, and hides nothing.

The bytes that would be encrypted are random and the same in every frame; what the server checks is right: counter,
hash of the entry before, epoch, roster, and an envelope for every other device of the pair, or in a group the number of
a chain.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from aparte.bench.frames import BODY_BYTES, FIRST_REF, stamped_id
from aparte.bench.websocket import masked
from aparte.e2ee.entry import TAG_BYTES, ZERO_HASH, Head, entry_hash
from aparte.e2ee.padding import PADDED_TO
from aparte.e2ee.primitives import sha256
from aparte.wire import frames, kinds
from aparte.wire.codec import ENCODERS
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId
from aparte.wire.sealed import Envelope, SealEntry

SEALED_BYTES = (BODY_BYTES // PADDED_TO + 1) * PADDED_TO + TAG_BYTES
ENVELOPE_BYTES = 169
"""Of a pairwise message that holds a key and a hash, in a session that is under way."""
KEY_BYTES = 174
"""Of a sender-key message that holds the same."""

_ID = bytes.fromhex("0123456789ab4cde8f0123456789abcd")
_COUNTER = 0x1234_5678
_PREV = bytes(range(64, 96))


class Place(NamedTuple):
    """Where a device seals: what is the same in the head of all its entries."""

    conversation: ConversationId
    account: AccountId
    device: DeviceId
    epoch: int
    roster: bytes


class SealTemplate:
    """Seal frames of one device to one conversation, in MessagePack."""

    def __init__(self, place: Place, others: Sequence[DeviceId], sender: int, chain: int | None = None) -> None:
        """Build the frame once: with an envelope for each of the other devices, or with a key under a chain."""
        self._place = place
        self._sender = sender
        self._count = 0
        self._prev = ZERO_HASH
        sealed = os.urandom(SEALED_BYTES)
        self._digest = sha256(sealed)
        is_group = chain is not None
        self._sample = SealEntry(
            client_message_id=ClientMessageId(UUID(bytes=_ID)),
            epoch=place.epoch,
            roster=place.roster,
            counter=_COUNTER,
            prev=_PREV,
            sealed=sealed,
            envelopes=[] if is_group else [Envelope(device, 2, os.urandom(ENVELOPE_BYTES)) for device in others],
            chain=chain,
            key=os.urandom(KEY_BYTES) if is_group else None,
        )
        self._parts = _cut(ENCODERS["msgpack"](frames.Seal(FIRST_REF, place.conversation, self._sample)))

    def entry(self, at: int) -> SealEntry:
        """The next entry, to be sent in another way than as a frame."""
        raw, counter, prev = self._next(at)
        name = ClientMessageId(UUID(bytes=raw))
        return msgspec.structs.replace(self._sample, client_message_id=name, counter=counter, prev=prev)

    def frame(self, at: int) -> bytes:
        """The next frame, of an entry that is due at this moment; it must be sent before the one after it."""
        ref = FIRST_REF + self._count
        name, counter, prev = self._next(at)
        start, before_id, before_counter, before_prev, end = self._parts
        return b"".join(
            (
                start,
                ref.to_bytes(4, "big"),
                before_id,
                name,
                before_counter,
                counter.to_bytes(4, "big"),
                before_prev,
                prev,
                end,
            )
        )

    def _next(self, at: int) -> tuple[bytes, int, bytes]:
        """Name, counter and hash before of the next entry; the chain goes on with it."""
        name = stamped_id(at, self._sender, self._count)
        counter, prev = self._count + 1, self._prev
        self._count += 1
        self._prev = entry_hash(self._head(counter, name, prev), self._digest)
        return name, counter, prev

    def _head(self, counter: int, name: bytes, prev: bytes) -> Head:
        here = self._place
        return Head(
            kind=kinds.MESSAGE,
            conversation=here.conversation.bytes,
            account=here.account.bytes,
            device=here.device.bytes,
            epoch=here.epoch,
            roster=here.roster,
            counter=counter,
            client_id=name,
            prev=prev,
        )


def _cut(payload: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Cut a frame at the places that change. A counter keeps its four bytes: MessagePack reads them for 1 as well."""
    rest, parts = masked(payload, "msgpack"), []
    for sample in (FIRST_REF.to_bytes(4, "big"), _ID, _COUNTER.to_bytes(4, "big"), _PREV):
        before, found, rest = rest.partition(sample)
        if not found:
            raise ValueError("the frame does not hold what changes where it is looked for")
        parts.append(before)
    return parts[0], parts[1], parts[2], parts[3], rest
