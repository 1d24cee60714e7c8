"""Polynomials modulo X^256 + 1 and q = 3329, as FIPS 203 computes with them: transform, product, sampling, packing.

A polynomial is a list of 256 integers. Sums are left unreduced where the next step reduces anyway.
"""

from collections.abc import Sequence
from typing import Final

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import shake128

Polynomial = list[int]

Q: Final = 3329
DEGREE: Final = 256
_INVERSE_OF_128: Final = 3303
_PACKED_BYTES: Final = 384


def _powers_of_17(exponents: Sequence[int]) -> list[int]:
    return [pow(17, exponent, Q) for exponent in exponents]


_BIT_REVERSED: Final = [int(f"{number:07b}"[::-1], 2) for number in range(128)]
_ZETAS: Final = _powers_of_17(_BIT_REVERSED)
_GAMMAS: Final = _powers_of_17([2 * number + 1 for number in _BIT_REVERSED])
_CENTERED_NIBBLE: Final = [(n & 1) + (n >> 1 & 1) - (n >> 2 & 1) - (n >> 3) for n in range(16)]


def ntt(polynomial: Polynomial) -> Polynomial:
    """The number-theoretic transform (algorithm 9)."""
    f = list(polynomial)
    number, length = 1, 128
    while length >= 2:
        for start in range(0, DEGREE, 2 * length):
            zeta = _ZETAS[number]
            number += 1
            low = f[start : start + length]
            high = [zeta * c % Q for c in f[start + length : start + 2 * length]]
            f[start : start + length] = [a + b for a, b in zip(low, high, strict=True)]
            f[start + length : start + 2 * length] = [a - b for a, b in zip(low, high, strict=True)]
        length //= 2
    return [c % Q for c in f]


def inverse_ntt(transformed: Polynomial) -> Polynomial:
    """The inverse transform (algorithm 10)."""
    f = list(transformed)
    number, length = 127, 2
    while length <= 128:
        for start in range(0, DEGREE, 2 * length):
            zeta = _ZETAS[number]
            number -= 1
            low = f[start : start + length]
            high = f[start + length : start + 2 * length]
            f[start : start + length] = [a + b for a, b in zip(low, high, strict=True)]
            f[start + length : start + 2 * length] = [zeta * (b - a) % Q for a, b in zip(low, high, strict=True)]
        length *= 2
    return [c * _INVERSE_OF_128 % Q for c in f]


def inner_product(left: Sequence[Polynomial], right: Sequence[Polynomial]) -> Polynomial:
    """The sum of products of transformed polynomials (algorithm 11): 128 products modulo X^2 - gamma each."""
    even, odd = [0] * 128, [0] * 128
    for f, g in zip(left, right, strict=True):
        f0, f1, g0, g1 = f[::2], f[1::2], g[::2], g[1::2]
        products = zip(even, f0, f1, g0, g1, _GAMMAS, strict=True)
        even = [total + a0 * b0 + a1 * b1 % Q * gamma for total, a0, a1, b0, b1, gamma in products]
        odd = [total + a0 * b1 + a1 * b0 for total, a0, a1, b0, b1 in zip(odd, f0, f1, g0, g1, strict=True)]
    return [c % Q for pair in zip(even, odd, strict=True) for c in pair]


def add(left: Polynomial, right: Polynomial) -> Polynomial:
    """The sum, reduced."""
    return [(a + b) % Q for a, b in zip(left, right, strict=True)]


def sample_uniform(rho: bytes, row: int, column: int) -> Polynomial:
    """The entry of the public matrix at this row and column, in the transformed domain (algorithm 7)."""
    seed = rho + bytes([column, row])
    length = 672  # four blocks of SHAKE128: enough but for about one polynomial in 10^30
    while True:
        stream = shake128(seed, length)
        candidates = (
            candidate
            for a, b, c in zip(stream[::3], stream[1::3], stream[2::3], strict=True)
            for candidate in (a | (b & 15) << 8, b >> 4 | c << 4)
        )
        accepted = [candidate for candidate in candidates if candidate < Q]
        if len(accepted) >= DEGREE:
            return accepted[:DEGREE]
        length += 168


def sample_noise(data: bytes) -> Polynomial:
    """128 random bytes → coefficients between -2 and 2, binomially distributed (algorithm 8, eta = 2)."""
    return [_CENTERED_NIBBLE[nibble] for byte in data for nibble in (byte & 15, byte >> 4)]


def pack_compressed(polynomial: Polynomial, bits: int) -> bytes:
    """Compress reduced coefficients to `bits` bits each and pack them (algorithm 5 after compression, 4.2.1)."""
    packed, mask = 0, (1 << bits) - 1
    for coefficient in reversed(polynomial):
        compressed = ((coefficient << bits) + Q // 2) // Q & mask
        packed = packed << bits | compressed
    return packed.to_bytes(DEGREE * bits // 8, "little")


def unpack_reduced(data: bytes) -> list[Polynomial]:
    """Polynomials of 384 bytes each (algorithm 6, d = 12); InvalidMessage if a coefficient is not below q."""
    polynomials = []
    for start in range(0, len(data), _PACKED_BYTES):
        packed = int.from_bytes(data[start : start + _PACKED_BYTES], "little")
        polynomials.append([packed >> 12 * position & 0xFFF for position in range(DEGREE)])
    if any(coefficient >= Q for polynomial in polynomials for coefficient in polynomial):
        raise InvalidMessage
    return polynomials
