"""XEdDSA: Ed25519 signatures made and verified with X25519 keys, as Signal's library does them.

Signs prekeys and device lists with long-lived X25519 keys, and sender-key messages. Source: "The XEdDSA and
VXEdDSA Signature Schemes" (Signal, revision 1), with one difference: the paper forces the sign bit of the
Edwards point A to 0, the library sends it in the top bit of the last signature byte.
"""

from aparte.e2ee.errors import InvalidSignature
from aparte.e2ee.primitives import (
    Random,
    ed25519_base_multiply,
    ed25519_scalar_multiply_add,
    ed25519_scalar_reduce,
    ed25519_verify,
    sha512,
)

SIGNATURE_BYTES = 64
_FIELD = 2**255 - 19
_HASH_PREFIX = b"\xfe" + b"\xff" * 31  # hash_1 of the paper, section 2.5
_SIGN_BIT = 0x80


def sign(private: bytes, data: bytes, random: Random) -> bytes:
    """Sign `data` with a clamped X25519 private key; 64 random bytes make the nonce (paper, section 2.6)."""
    scalar = ed25519_scalar_reduce(private + bytes(32))
    point = ed25519_base_multiply(scalar)
    nonce = ed25519_scalar_reduce(sha512(_HASH_PREFIX + private + data + random(64)))
    commitment = ed25519_base_multiply(nonce)
    challenge = ed25519_scalar_reduce(sha512(commitment + point + data))
    response = bytearray(ed25519_scalar_multiply_add(challenge, scalar, nonce))
    response[31] |= point[31] & _SIGN_BIT
    return commitment + bytes(response)


def verify(public: bytes, data: bytes, signature: bytes) -> None:
    """Check a signature by the X25519 public key u (32 bytes); InvalidSignature if it does not hold."""
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature
    plain = signature[:63] + bytes([signature[63] & ~_SIGN_BIT])
    ed25519_verify(_edwards_point(public, signature[63] & _SIGN_BIT), data, plain)


def _edwards_point(public: bytes, sign_bit: int) -> bytes:
    """The Edwards point of a Montgomery u: y = (u - 1)/(u + 1). All of it is public: no constant time needed."""
    u = int.from_bytes(public, "little")
    if len(public) != 32 or u >= _FIELD - 1:  # u = -1 has no inverse of u + 1
        raise InvalidSignature
    y = (u - 1) * pow(u + 1, -1, _FIELD) % _FIELD
    encoded = bytearray(y.to_bytes(32, "little"))
    encoded[31] |= sign_bit
    return bytes(encoded)
