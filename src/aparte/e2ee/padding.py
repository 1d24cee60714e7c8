"""Padding: what is sealed tells little about how long it is. Source: docs/protocol/e2ee.md, 3.1."""

from aparte.e2ee.errors import InvalidMessage

PADDED_TO = 160

_END = b"\x80"


def pad(data: bytes) -> bytes:
    """Data || 80 || as many zeros as are missing to the next multiple of 160 bytes."""
    ended = data + _END
    return ended + bytes(-len(ended) % PADDED_TO)


def unpad(padded: bytes) -> bytes:
    """Take away what `pad` added; InvalidMessage if that is not how it would be written."""
    data, end, zeros = padded.rpartition(_END)
    if len(padded) % PADDED_TO or end != _END or zeros.strip(b"\0") or len(zeros) >= PADDED_TO:
        raise InvalidMessage
    return data
