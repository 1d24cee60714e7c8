"""Every cryptographic primitive of `aparte.e2ee`, and the only module that imports a cryptographic library.

Hashes and HMAC come from the standard library (OpenSSL), X25519, AES and ML-KEM from `cryptography`,
constant-time arithmetic on Ed25519 scalars and points from libsodium (`nacl`). Keys and outputs are bytes.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError

from aparte.e2ee.errors import InvalidKey, InvalidMessage, InvalidSignature

Random = Callable[[int], bytes]
"""n → n random bytes. An argument: `secrets.token_bytes` in the product, a seeded generator in tests."""

NO_SALT: Final = bytes(32)
MLKEM_SEED_BYTES: Final = 64
MLKEM_SECRET_BYTES: Final = 32
MLKEM768_PUBLIC_BYTES: Final = 1184
MLKEM768_CIPHERTEXT_BYTES: Final = 1088
MLKEM1024_PUBLIC_BYTES: Final = 1568
MLKEM1024_CIPHERTEXT_BYTES: Final = 1568

_AES_BLOCK_BYTES: Final = 16


def constant_time_equal(left: bytes, right: bytes) -> bool:
    """Compare without telling by the time taken where the first difference is."""
    return hmac.compare_digest(left, right)


def sha256(data: bytes) -> bytes:
    """SHA-256 (FIPS 180-4): 32 bytes."""
    return hashlib.sha256(data).digest()


def sha512(data: bytes) -> bytes:
    """SHA-512 (FIPS 180-4): 64 bytes."""
    return hashlib.sha512(data).digest()


def sha3_256(data: bytes) -> bytes:
    """SHA3-256 (FIPS 202): 32 bytes."""
    return hashlib.sha3_256(data).digest()


def sha3_512(data: bytes) -> bytes:
    """SHA3-512 (FIPS 202): 64 bytes."""
    return hashlib.sha3_512(data).digest()


def shake128(data: bytes, length: int) -> bytes:
    """SHAKE128 (FIPS 202)."""
    return hashlib.shake_128(data).digest(length)


def shake256(data: bytes, length: int) -> bytes:
    """SHAKE256 (FIPS 202)."""
    return hashlib.shake_256(data).digest(length)


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104): 32 bytes."""
    return hmac.digest(key, data, "sha256")


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869). Where the protocol has no salt, pass `NO_SALT`."""
    if not 0 < length <= 255 * 32:
        raise ValueError("HKDF-SHA256 yields 1 to 8160 bytes")
    prk = hmac.digest(salt, ikm, "sha256")
    output = block = b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([number]), "sha256")
        output += block
    return output[:length]


def aes_cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """AES-CBC with PKCS#7 padding (RFC 5652, 6.3)."""
    padding = _AES_BLOCK_BYTES - len(plaintext) % _AES_BLOCK_BYTES
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(plaintext + bytes([padding]) * padding) + encryptor.finalize()


def aes_cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Undo `aes_cbc_encrypt`; InvalidMessage on bad length or padding. Only for authenticated ciphertext."""
    if not ciphertext or len(ciphertext) % _AES_BLOCK_BYTES:
        raise InvalidMessage
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    padding = padded[-1]
    if not 1 <= padding <= _AES_BLOCK_BYTES or padded[-padding:] != bytes([padding]) * padding:
        raise InvalidMessage
    return padded[:-padding]


def aes_ctr(key: bytes, counter_block: bytes, data: bytes) -> bytes:
    """AES-CTR with a 128-bit counter that starts at `counter_block`; encrypts and decrypts."""
    encryptor = Cipher(AES(key), CTR(counter_block)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def aes_gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """AES-256-GCM (SP 800-38D) without associated data: ciphertext and a tag of 16 bytes."""
    return AESGCM(key).encrypt(nonce, plaintext, None)


def aes_gcm_decrypt(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    """Undo `aes_gcm_encrypt`; InvalidMessage if the tag does not hold."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, None)
    except (InvalidTag, ValueError) as error:
        raise InvalidMessage from error


def x25519(private: bytes, public: bytes) -> bytes:
    """X25519 (RFC 7748); InvalidKey if the result is all zero (a point of low order)."""
    try:
        peer = X25519PublicKey.from_public_bytes(public)
        return X25519PrivateKey.from_private_bytes(private).exchange(peer)
    except ValueError as error:
        raise InvalidKey from error


def x25519_public(private: bytes) -> bytes:
    """The public key of a private key (RFC 7748), 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def ed25519_scalar_reduce(wide: bytes) -> bytes:
    """64 bytes, little-endian, mod L: a canonical scalar of 32 bytes."""
    return sodium.crypto_core_ed25519_scalar_reduce(wide)


def ed25519_scalar_multiply_add(a: bytes, b: bytes, c: bytes) -> bytes:
    """a·b + c mod L, in constant time; canonical scalars of 32 bytes."""
    return sodium.crypto_core_ed25519_scalar_add(sodium.crypto_core_ed25519_scalar_mul(a, b), c)


def ed25519_base_multiply(scalar: bytes) -> bytes:
    """scalar·B as a compressed point (RFC 8032), in constant time and without clamping."""
    return sodium.crypto_scalarmult_ed25519_base_noclamp(scalar)


def ed25519_verify(public: bytes, data: bytes, signature: bytes) -> None:
    """Ed25519 (RFC 8032); InvalidSignature also for what is not canonical and keys of low order."""
    try:
        sodium.crypto_sign_open(signature + data, public)
    except (BadSignatureError, ValueError) as error:
        raise InvalidSignature from error


def mlkem768_public_key(seed: bytes) -> bytes:
    """ML-KEM-768 key generation (FIPS 203) from d || z, 64 bytes: the public key t || rho, 1184 bytes."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def mlkem768_encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Shared secret and ciphertext; the library draws its own randomness. InvalidKey if t is not reduced."""
    try:
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKey from error


def mlkem768_decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The shared secret; a foreign ciphertext yields an unrelated one (implicit rejection)."""
    try:
        return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
    except ValueError as error:
        raise InvalidMessage from error


def mlkem1024_public_key(seed: bytes) -> bytes:
    """ML-KEM-1024 key generation (FIPS 203) from d || z, 64 bytes: the public key t || rho, 1568 bytes."""
    return MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def mlkem1024_check_public_key(public: bytes) -> None:
    """The encapsulation key check of FIPS 203, 7.2: InvalidKey on another length or a t not reduced mod q."""
    try:
        MLKEM1024PublicKey.from_public_bytes(public)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKey from error


def mlkem1024_encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Shared secret and ciphertext; the library draws its own randomness. InvalidKey if t is not reduced."""
    try:
        return MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKey from error


def mlkem1024_decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The shared secret; a foreign ciphertext yields an unrelated one (implicit rejection)."""
    try:
        return MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
    except ValueError as error:
        raise InvalidMessage from error
