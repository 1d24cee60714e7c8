"""The authenticator: one MAC key per epoch, so that nobody can braid in a key or ciphertext of their own.

Every epoch's secret is mixed in, hence who once got away with a forgery must go on forging for ever.
"""

from typing import Final

from aparte.e2ee.primitives import NO_SALT, hkdf, hmac_sha256
from aparte.e2ee.spqr.record import Bytes32, Record

MAC_BYTES: Final = 32
LABEL: Final = b"Signal_PQCKA_V1_MLKEM768:"


class Authenticator(Record, frozen=True):
    """Root and MAC key of the present epoch."""

    root: Bytes32
    mac_key: Bytes32

    def update(self, epoch: int, secret: bytes) -> "Authenticator":
        """Mix in the secret of an epoch."""
        output = hkdf(NO_SALT, self.root + secret, LABEL + b"Authenticator Update" + _be64(epoch), 64)
        return Authenticator(output[:32], output[32:])

    def header_mac(self, epoch: int, header: bytes) -> bytes:
        """The MAC of a public key's header."""
        return hmac_sha256(self.mac_key, LABEL + b"ekheader" + _be64(epoch) + header)

    def ciphertext_mac(self, epoch: int, ciphertext: bytes) -> bytes:
        """The MAC of a whole ciphertext, ct1 || ct2."""
        return hmac_sha256(self.mac_key, LABEL + b"ciphertext" + _be64(epoch) + ciphertext)


def first_authenticator(auth_key: bytes) -> Authenticator:
    """The authenticator of epoch 1, from the key that the handshake agreed on."""
    return Authenticator(bytes(32), bytes(32)).update(1, auth_key)


def epoch_secret(epoch: int, shared_secret: bytes) -> bytes:
    """The secret of an epoch, from what ML-KEM agreed on: for the authenticator and for the key chain."""
    return hkdf(NO_SALT, shared_secret, LABEL + b"SCKA Key" + _be64(epoch), 32)


def _be64(epoch: int) -> bytes:
    return epoch.to_bytes(8, "big")
