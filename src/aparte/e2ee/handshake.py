"""PQXDH: the secrets two devices share before the first message, one of which may be offline.

Source: "The PQXDH Key Agreement Protocol" (Signal, revision 3), with Kyber-1024 round 3 as its KEM. X25519 alone
(X3DH) is never agreed on: there is no code for it.
"""

from dataclasses import dataclass, field

from aparte.e2ee.bundle import Bundle
from aparte.e2ee.keys import KemKeyPair, KeyPair, PublicKey
from aparte.e2ee.primitives import NO_SALT, Random, hkdf

_INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
_DISCONTINUITY = b"\xff" * 32  # F of the paper, section 2.2


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """What both sides derive: the first root and chain key, and the key that authenticates SPQR; 32 bytes each."""

    root: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    pq_auth_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Initiation:
    """The initiator's side: the secrets, and what the recipient needs to derive them too."""

    secrets: SharedSecrets = field(repr=False)
    base_key: PublicKey
    kem_ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecipientKeys:
    """The recipient's private keys that a first message was made for."""

    identity: KeyPair
    signed: KeyPair
    kem: KemKeyPair
    one_time: KeyPair | None


def initiate(identity: KeyPair, bundle: Bundle, random: Random) -> Initiation:
    """Agree with the owner of a bundle; InvalidSignature or InvalidKey if the bundle is not sound."""
    bundle.verify()
    base = KeyPair.generate(random)
    kem_secret, kem_ciphertext = bundle.kem.encapsulate()
    agreements = identity.agree(bundle.signed) + base.agree(bundle.identity) + base.agree(bundle.signed)
    if bundle.one_time is not None:
        agreements += base.agree(bundle.one_time)
    return Initiation(_derive(agreements + kem_secret), base.public, kem_ciphertext)


def respond(own: RecipientKeys, identity: PublicKey, base_key: PublicKey, kem_ciphertext: bytes) -> SharedSecrets:
    """Derive what the initiator with this identity and base key derived; InvalidKey for points of low order."""
    agreements = own.signed.agree(identity) + own.identity.agree(base_key) + own.signed.agree(base_key)
    if own.one_time is not None:
        agreements += own.one_time.agree(base_key)
    return _derive(agreements + own.kem.decapsulate(kem_ciphertext))


def _derive(secret: bytes) -> SharedSecrets:
    derived = hkdf(NO_SALT, _DISCONTINUITY + secret, _INFO, 96)
    return SharedSecrets(derived[:32], derived[32:64], derived[64:])
