"""The envelopes of one sealed entry as they are stored: all in one row, each handed to its own device alone. Pure.

count u8 || device 16 × n || (type u8 || length be16 || body) × n: whom it is for stands in front, so that the database
can tell who has acknowledged without reading further.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from aparte.wire.ids import DeviceId
from aparte.wire.sealed import Envelope

ID_BYTES = 16


def pack(envelopes: Sequence[Envelope]) -> bytes | None:
    """Give the row to store; None where nobody gets one."""
    if not envelopes:
        return None
    devices = b"".join(envelope.device.bytes for envelope in envelopes)
    bodies = b"".join(bytes((e.type,)) + len(e.body).to_bytes(2, "big") + e.body for e in envelopes)
    return bytes((len(envelopes),)) + devices + bodies


def own_of(packed: bytes, device: DeviceId) -> Envelope | None:
    """Find one device's envelope in a row."""
    count = packed[0]
    at = 1 + ID_BYTES * count
    for place in range(count):
        size = int.from_bytes(packed[at + 1 : at + 3], "big")
        if packed[1 + ID_BYTES * place : 1 + ID_BYTES * (place + 1)] == device.bytes:
            return envelope_of(device, packed[at], packed[at + 3 : at + 3 + size])
        at += 3 + size
    return None


def envelope_of(device: UUID, kind: int, body: bytes) -> Envelope:
    """Build an envelope from what is stored."""
    return msgspec.convert({"device": device, "type": kind, "body": body}, Envelope)
