"""ML-KEM-768 encapsulation (FIPS 203) in two halves, which no library offers.

The first half of the ciphertext needs of the public key t || rho only rho and the key's hash, the header; the
second half needs t. Both halves derive their noise from the 32 random bytes m, to be kept in between. Key
generation and decapsulation are whole and native (`primitives`). This module's time depends on its secrets.
"""

from typing import Final

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import constant_time_equal, sha3_256, sha3_512, shake256
from aparte.e2ee.spqr.polynomial import (
    Polynomial,
    add,
    inner_product,
    inverse_ntt,
    ntt,
    pack_compressed,
    sample_noise,
    sample_uniform,
    unpack_reduced,
)

RANK: Final = 3
HEADER_BYTES: Final = 64
VECTOR_BYTES: Final = 1152
CT1_BYTES: Final = 960
CT2_BYTES: Final = 128
_U_BITS: Final = 10
_V_BITS: Final = 4
_NOISE_BYTES: Final = 128


def split_public_key(public: bytes) -> tuple[bytes, bytes]:
    """t || rho → header rho || SHA3-256(t || rho), and vector t."""
    vector, rho = public[:VECTOR_BYTES], public[VECTOR_BYTES:]
    return rho + sha3_256(public), vector


def check_vector(header: bytes, vector: bytes) -> None:
    """InvalidMessage unless t belongs to the header and its coefficients are reduced (FIPS 203, 7.2)."""
    rho, expected = header[:32], header[32:]
    if not constant_time_equal(sha3_256(vector + rho), expected):
        raise InvalidMessage
    unpack_reduced(vector)


def encapsulate_first(header: bytes, m: bytes) -> tuple[bytes, bytes]:
    """ct1 (the compressed vector u) and the shared secret, 32 bytes."""
    rho, key_hash = header[:32], header[32:]
    secret, seed = _secret_and_seed(m, key_hash)
    y = _noise_vector(seed)
    columns = ([sample_uniform(rho, row, column) for row in range(RANK)] for column in range(RANK))
    u = (
        add(inverse_ntt(inner_product(column, y)), _noise(seed, RANK + number)) for number, column in enumerate(columns)
    )
    return b"".join(pack_compressed(polynomial, _U_BITS) for polynomial in u), secret


def encapsulate_second(header: bytes, m: bytes, vector: bytes) -> bytes:
    """ct2 (the compressed polynomial v); InvalidMessage if t is not reduced."""
    _, seed = _secret_and_seed(m, header[32:])
    t = unpack_reduced(vector)
    bits = int.from_bytes(m, "little")
    encoded: Polynomial = [1665 * (bits >> position & 1) for position in range(256)]
    noise = add(_noise(seed, 2 * RANK), encoded)
    return pack_compressed(add(inverse_ntt(inner_product(t, _noise_vector(seed))), noise), _V_BITS)


def _secret_and_seed(m: bytes, key_hash: bytes) -> tuple[bytes, bytes]:
    both = sha3_512(m + key_hash)
    return both[:32], both[32:]


def _noise(seed: bytes, number: int) -> Polynomial:
    return sample_noise(shake256(seed + bytes([number]), _NOISE_BYTES))


def _noise_vector(seed: bytes) -> list[Polynomial]:
    return [ntt(_noise(seed, number)) for number in range(RANK)]
