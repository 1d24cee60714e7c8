"""The field GF(2^16) modulo 0x1100B, for the erasure code: polynomials given by values, evaluated elsewhere.

x (the number 2) generates the multiplicative group, so products are sums of logarithms. Sixteen elements make a
vector, as one integer of 256 bits: to add vectors is one XOR, and a weighted sum needs no loop over the elements.
"""

from array import array
from collections.abc import Sequence
from functools import cache, reduce
from itertools import compress
from operator import xor
from typing import Final

_POLYNOMIAL: Final = 0x1100B
_ORDER: Final = 0xFFFF
_LOW_BITS: Final = int.from_bytes(b"\x00\x01" * 16, "big")
_ALL_BUT_TOP_BITS: Final = _LOW_BITS * 0x7FFF
_BITS: Final = [tuple(byte >> bit & 1 for bit in range(7, -1, -1)) for byte in range(256)]


def logarithmic_weights(points: Sequence[int]) -> list[int]:
    """For each point p the logarithm of 1 / product of (p - o) over the other points o (barycentric weights)."""
    _, logarithm = _tables()
    return [-sum(logarithm[point ^ other] for other in points if other != point) % _ORDER for point in points]


def lagrange_coefficients(points: Sequence[int], weights: Sequence[int], x: int) -> list[int]:
    """By what to multiply a polynomial's values at `points` to get its value at `x`, which is not among them.

    The coefficient of point p is the product over the other points o of (x - o) / (p - o); in this field
    subtraction is XOR.
    """
    exponential, logarithm = _tables()
    distances = [logarithm[x ^ point] for point in points]
    whole = sum(distances)
    return [exponential[(whole + w - d) % _ORDER] for w, d in zip(weights, distances, strict=True)]


def weighted_sum(coefficients: Sequence[int], vectors: Sequence[int]) -> int:
    """The sum of coefficient · vector.

    Horner's scheme over the bits of the coefficients, highest first: double the sum, then add the vectors whose
    coefficient has this bit.
    """
    total = 0
    for bits in zip(*(_BITS[c >> 8] + _BITS[c & 0xFF] for c in coefficients), strict=True):
        overflow = total >> 15 & _LOW_BITS
        doubled = (total & _ALL_BUT_TOP_BITS) << 1 ^ overflow * (_POLYNOMIAL & 0xFFFF)
        total = reduce(xor, compress(vectors, bits), doubled)
    return total


@cache
def _tables() -> "tuple[array[int], array[int]]":
    """Powers of x, and their exponents; made at first use. There is no logarithm of zero, its place is unused."""
    exponential, logarithm = array("H", bytes(2 * _ORDER)), array("H", bytes(2 * (_ORDER + 1)))
    element = 1
    for exponent in range(_ORDER):
        exponential[exponent] = element
        logarithm[element] = exponent
        element <<= 1
        if element > _ORDER:
            element ^= _POLYNOMIAL
    return exponential, logarithm
