"""Grants: which entries somebody may read who was not there, with their keys.

A grant proves nothing. Its reader opens an entry only if it has that hash, and says who passed it on until the hashes
of the sender's own later entries lead to it. Source: docs/protocol/e2ee.md, 3.4.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aparte.e2ee import container
from aparte.e2ee.canonical import INTEGER_MAX
from aparte.e2ee.entry import KEY_BYTES
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import Random

TRIPLE_BYTES = 72
TRIPLES_MAX = 3_600
"""In one container: it then fits a sealed object."""
PURPOSE = b"grant"

_NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Triple:
    """An entry: its number in the log, where to look for it; its content key; and its hash, which tells if it is it."""

    number: int
    key: bytes = field(repr=False)
    hash: bytes


def pack(triples: Iterable[Triple]) -> bytes:
    """Number || K || hash, 72 bytes for each of 1 to 3,600; InvalidMessage if a reader would refuse it."""
    packed = list(triples)
    try:
        data = b"".join(triple.number.to_bytes(_NUMBER_BYTES, "big") + triple.key + triple.hash for triple in packed)
    except OverflowError as error:
        raise InvalidMessage from error
    if list(unpack(data)) != packed:
        raise InvalidMessage
    return data


def unpack(data: bytes) -> tuple[Triple, ...]:
    """Read what `pack` wrote; InvalidMessage on other lengths, and on numbers that no log gives or that come twice."""
    if not data or len(data) % TRIPLE_BYTES or len(data) > TRIPLES_MAX * TRIPLE_BYTES:
        raise InvalidMessage
    triples = tuple(_read(data[at : at + TRIPLE_BYTES]) for at in range(0, len(data), TRIPLE_BYTES))
    numbers = {triple.number for triple in triples}
    if len(numbers) != len(triples) or not all(1 <= number <= INTEGER_MAX for number in numbers):
        raise InvalidMessage
    return triples


def seal(key: bytes, triples: Iterable[Triple], random: Random) -> bytes:
    """A container of purpose "grant" under a key that is random and used once."""
    return container.seal(key, PURPOSE, pack(triples), random)


def open_(key: bytes, data: bytes) -> tuple[Triple, ...]:
    """The triples in a container; InvalidMessage if anything about it is wrong."""
    return unpack(container.open_(key, PURPOSE, data))


def _read(data: bytes) -> Triple:
    end = _NUMBER_BYTES + KEY_BYTES
    return Triple(int.from_bytes(data[:_NUMBER_BYTES], "big"), data[_NUMBER_BYTES:end], data[end:])
