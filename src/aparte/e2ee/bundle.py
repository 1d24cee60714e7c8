"""The prekeys of a peer's device, as the server hands them out: what a first message is encrypted to."""

from aparte.e2ee.errors import InvalidKey
from aparte.e2ee.keys import KemPublicKey, PublicKey
from aparte.e2ee.state import State

PREKEY_ID_MAX = 0xFFFF_FFFF


class Bundle(State, frozen=True):
    """One of each prekey of a device. Nothing in it is to be believed before `verify`."""

    registration_id: int
    device: int
    identity: PublicKey
    signed_id: int
    signed: PublicKey
    signed_signature: bytes
    kem_id: int
    kem: KemPublicKey
    kem_signature: bytes
    one_time_id: int | None = None
    one_time: PublicKey | None = None

    def verify(self) -> None:
        """InvalidSignature unless the identity key signed both prekeys, InvalidKey on an id that is none."""
        ids = (self.signed_id, self.kem_id, self.one_time_id or 0)
        if not all(0 <= number <= PREKEY_ID_MAX for number in ids):
            raise InvalidKey
        self.identity.verify(self.signed.serialize(), self.signed_signature)
        self.identity.verify(self.kem.serialize(), self.kem_signature)
