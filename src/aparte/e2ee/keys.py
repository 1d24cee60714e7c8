"""Keys as they travel and as they are kept: X25519 key pairs and Kyber-1024 key pairs.

On the wire an X25519 public key is 05 || u (33 bytes), a Kyber-1024 public key or ciphertext 08 || 1568 bytes.
"""

from typing import Annotated

import msgspec

from aparte.e2ee import xeddsa
from aparte.e2ee.errors import InvalidKey, InvalidMessage
from aparte.e2ee.primitives import (
    MLKEM1024_CIPHERTEXT_BYTES,
    MLKEM1024_PUBLIC_BYTES,
    MLKEM_SEED_BYTES,
    Random,
    mlkem1024_check_public_key,
    mlkem1024_decapsulate,
    mlkem1024_encapsulate,
    mlkem1024_public_key,
    sha3_256,
    shake256,
    x25519,
    x25519_public,
)
from aparte.e2ee.state import Key, State

PUBLIC_KEY_BYTES = 33
KEM_PUBLIC_KEY_BYTES = 1 + MLKEM1024_PUBLIC_BYTES
KEM_CIPHERTEXT_BYTES = 1 + MLKEM1024_CIPHERTEXT_BYTES

_X25519_TYPE = b"\x05"
_KYBER1024_TYPE = b"\x08"
_FIELD = 2**255 - 19
_LOW_ORDER = frozenset(
    u.to_bytes(32, "little")
    for u in (
        0,
        1,
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
        _FIELD - 1,
    )
)
"""The u of every point of order 1, 2, 4 or 8 on the curve and its twist, in canonical form."""


class PublicKey(State, frozen=True):
    """An X25519 public key: the coordinate u, 32 bytes."""

    u: Key

    @classmethod
    def deserialize(cls, data: bytes) -> "PublicKey":
        """Read 05 || u; InvalidKey on another type or length, a u not below 2^255 - 19, or a low order."""
        u = data[1:]
        if len(data) != PUBLIC_KEY_BYTES or data[:1] != _X25519_TYPE:
            raise InvalidKey
        if int.from_bytes(u, "little") >= _FIELD or u in _LOW_ORDER:
            raise InvalidKey
        return cls(u)

    def serialize(self) -> bytes:
        """05 || u, 33 bytes."""
        return _X25519_TYPE + self.u

    def verify(self, data: bytes, signature: bytes) -> None:
        """Check an XEdDSA signature; InvalidSignature if it does not hold."""
        xeddsa.verify(self.u, data, signature)


class KeyPair(State, frozen=True):
    """An X25519 key pair; `private` is clamped (RFC 7748)."""

    private: Key
    public: PublicKey

    @classmethod
    def generate(cls, random: Random) -> "KeyPair":
        """Make a key pair from 32 random bytes."""
        return cls.from_private(random(32))

    @classmethod
    def from_private(cls, scalar: bytes) -> "KeyPair":
        """Clamp a private key and compute its public one."""
        if len(scalar) != 32:
            raise InvalidKey
        private = bytes([scalar[0] & 248]) + scalar[1:31] + bytes([scalar[31] & 127 | 64])
        return cls(private, PublicKey(x25519_public(private)))

    def agree(self, public: PublicKey) -> bytes:
        """Diffie-Hellman, 32 bytes; InvalidKey if the other key contributes nothing."""
        return x25519(self.private, public.u)

    def sign(self, data: bytes, random: Random) -> bytes:
        """An XEdDSA signature of 64 bytes."""
        return xeddsa.sign(self.private, data, random)


class KemPublicKey(State, frozen=True):
    """A Kyber-1024 public key: t || rho, 1568 bytes."""

    encoded: Annotated[bytes, msgspec.Meta(min_length=MLKEM1024_PUBLIC_BYTES, max_length=MLKEM1024_PUBLIC_BYTES)]

    @classmethod
    def deserialize(cls, data: bytes) -> "KemPublicKey":
        """Read 08 || t || rho; InvalidKey on another type or length, or a t that is not reduced mod q."""
        if len(data) != KEM_PUBLIC_KEY_BYTES or data[:1] != _KYBER1024_TYPE:
            raise InvalidKey
        mlkem1024_check_public_key(data[1:])
        return cls(data[1:])

    def serialize(self) -> bytes:
        """08 || t || rho, 1569 bytes."""
        return _KYBER1024_TYPE + self.encoded

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A Kyber (round 3) shared secret of 32 bytes and 08 || ciphertext, 1569 bytes."""
        secret, ciphertext = mlkem1024_encapsulate(self.encoded)
        return _round_3_secret(secret, ciphertext), _KYBER1024_TYPE + ciphertext


class KemKeyPair(State, frozen=True):
    """A Kyber-1024 key pair, kept as its seed d || z."""

    seed: Annotated[bytes, msgspec.Meta(min_length=MLKEM_SEED_BYTES, max_length=MLKEM_SEED_BYTES)]

    @classmethod
    def generate(cls, random: Random) -> "KemKeyPair":
        """Make a key pair from 64 random bytes."""
        return cls(random(MLKEM_SEED_BYTES))

    @property
    def public(self) -> KemPublicKey:
        """The public key, computed anew."""
        return KemPublicKey(mlkem1024_public_key(self.seed))

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The Kyber (round 3) shared secret in 08 || ciphertext; a foreign one yields an unrelated secret."""
        if len(ciphertext) != KEM_CIPHERTEXT_BYTES or ciphertext[:1] != _KYBER1024_TYPE:
            raise InvalidMessage
        return _round_3_secret(mlkem1024_decapsulate(self.seed, ciphertext[1:]), ciphertext[1:])


def _round_3_secret(mlkem_secret: bytes, ciphertext: bytes) -> bytes:
    """Kyber round 3 and ML-KEM (FIPS 203) share keys and ciphertexts; round 3 hashes the secret once more."""
    return shake256(mlkem_secret + sha3_256(ciphertext), 32)
