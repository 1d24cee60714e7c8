"""The erasure code of SPQR: data cut into chunks of 32 bytes of which any n, where the data has n, restore it.

The 16-bit big-endian element k of the data is the value of polynomial k mod 16 at the point k div 16. Chunk i
holds the sixteen polynomials' values at i: the first n chunks are the data itself, the later ones redundancy.
"""

from functools import cache
from typing import Annotated, Final

import msgspec

from aparte.e2ee.spqr.galois import lagrange_coefficients, logarithmic_weights, weighted_sum
from aparte.e2ee.spqr.record import Bytes32, Record

CHUNK_BYTES: Final = 32
CHUNK_NUMBERS: Final = 1 << 16
"""As many as the field has points; who must send more begins again."""

ChunkNumber = Annotated[int, msgspec.Meta(ge=0, lt=CHUNK_NUMBERS)]


class Chunk(Record, frozen=True):
    """One piece of coded data: the polynomials' values at the point `number`."""

    number: ChunkNumber
    data: Bytes32


class Encoder(Record, frozen=True):
    """Sends data chunk by chunk, for as long as the peer needs."""

    data: bytes
    number: ChunkNumber = 0

    def __post_init__(self) -> None:
        if not self.data or len(self.data) % CHUNK_BYTES:
            raise ValueError("no whole chunks")

    def next_chunk(self) -> tuple["Encoder", Chunk]:
        """The encoder after it, and the chunk."""
        following = (self.number + 1) % CHUNK_NUMBERS
        return Encoder(self.data, following), Chunk(self.number, chunk_at(self.data, self.number))


class Decoder(Record, frozen=True):
    """Gathers chunks until they suffice."""

    size: Annotated[int, msgspec.Meta(ge=CHUNK_BYTES, multiple_of=CHUNK_BYTES)]
    chunks: dict[ChunkNumber, Bytes32] = msgspec.field(default_factory=dict)

    def add(self, chunk: Chunk) -> "Decoder":
        """The decoder with this chunk too; the first chunk of a number stays, and never more than suffice."""
        if chunk.number in self.chunks or self.complete:
            return self
        return Decoder(self.size, {**self.chunks, chunk.number: chunk.data})

    @property
    def complete(self) -> bool:
        """Do the chunks suffice?"""
        return len(self.chunks) * CHUNK_BYTES >= self.size

    def decode(self) -> bytes:
        """The data; only for a complete decoder."""
        points = list(self.chunks)
        vectors = [int.from_bytes(data, "big") for data in self.chunks.values()]
        weights = logarithmic_weights(points)
        pieces = []
        for x in range(self.size // CHUNK_BYTES):
            if x in self.chunks:
                pieces.append(self.chunks[x])
            else:
                coefficients = lagrange_coefficients(points, weights, x)
                pieces.append(weighted_sum(coefficients, vectors).to_bytes(CHUNK_BYTES, "big"))
        return b"".join(pieces)


def chunk_at(data: bytes, number: int) -> bytes:
    """The chunk with this number: a piece of the data, or beyond its end the polynomials' values there."""
    start = number * CHUNK_BYTES
    if start < len(data):
        return data[start : start + CHUNK_BYTES]
    points = range(len(data) // CHUNK_BYTES)
    vectors = [int.from_bytes(data[CHUNK_BYTES * x : CHUNK_BYTES * (x + 1)], "big") for x in points]
    coefficients = lagrange_coefficients(points, _weights_of_range(len(points)), number)
    return weighted_sum(coefficients, vectors).to_bytes(CHUNK_BYTES, "big")


@cache
def _weights_of_range(count: int) -> list[int]:
    """What an encoder needs for every chunk beyond the data; the protocol has four sizes of data."""
    return logarithmic_weights(range(count))
