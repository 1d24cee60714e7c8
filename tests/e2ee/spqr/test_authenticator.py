"""The authenticator: every derivation and MAC against another library."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aparte.e2ee.spqr.authenticator import Authenticator, epoch_secret, first_authenticator

LABEL = b"Signal_PQCKA_V1_MLKEM768:"
EPOCH = bytes(6) + b"\x01\x2c"  # 300


def derive(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 without salt."""
    return HKDF(SHA256(), length, bytes(32), info).derive(key)


def test_it_starts_from_the_handshake_and_takes_in_every_secret() -> None:
    first = derive(bytes(32) + b"k" * 32, LABEL + b"Authenticator Update" + bytes(7) + b"\x01", 64)
    authenticator = first_authenticator(b"k" * 32)
    assert authenticator == Authenticator(first[:32], first[32:])
    second = derive(first[:32] + b"s" * 32, LABEL + b"Authenticator Update" + EPOCH, 64)
    assert authenticator.update(300, b"s" * 32) == Authenticator(second[:32], second[32:])


def test_the_two_macs() -> None:
    authenticator = Authenticator(b"r" * 32, b"m" * 32)
    expected = hmac.new(b"m" * 32, LABEL + b"ekheader" + EPOCH + b"header", hashlib.sha256).digest()
    assert authenticator.header_mac(300, b"header") == expected
    expected = hmac.new(b"m" * 32, LABEL + b"ciphertext" + EPOCH + b"ct", hashlib.sha256).digest()
    assert authenticator.ciphertext_mac(300, b"ct") == expected


def test_the_secret_of_an_epoch() -> None:
    assert epoch_secret(300, b"s" * 32) == derive(b"s" * 32, LABEL + b"SCKA Key" + EPOCH, 32)
