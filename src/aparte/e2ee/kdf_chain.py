"""The KDF chain below both ratchets: each key yields the seed of one message and the key after it.

Source: "The Double Ratchet Algorithm" (Signal, revision 4), KDF_CK of section 5.2, with the constants 01 and 02.
"""

from msgspec.structs import replace

from aparte.e2ee.errors import DuplicateMessage, TooFarAhead
from aparte.e2ee.primitives import hmac_sha256
from aparte.e2ee.state import Key, State, UInt32

JUMP_MAX = 2_000
"""Seeds derived for one message at most, its own included. They are derived before it can be authenticated: a forged
counter must not cost more than this."""
SKIPPED_SEEDS_MAX = 2_000

_SEED, _NEXT = b"\x01", b"\x02"


class KdfChain(State, frozen=True):
    """A chain to send with: the key of the message `index`, which comes next."""

    key: Key
    index: UInt32

    @property
    def seed(self) -> bytes:
        """The seed of the next message."""
        return hmac_sha256(self.key, _SEED)

    def advance(self) -> "KdfChain":
        """The chain after the next message."""
        return KdfChain(hmac_sha256(self.key, _NEXT), self.index + 1)


class ReceivingChain(State, frozen=True):
    """A chain to receive with, and the seeds of the newest 2,000 messages that it passed over."""

    key: Key
    index: UInt32
    skipped: dict[UInt32, Key]

    def take(self, index: int) -> tuple["ReceivingChain", bytes]:
        """The seed of message `index`, and the chain without it.

        DuplicateMessage if the seed is gone, TooFarAhead if 2,000 messages or more are missing before it.
        """
        if index < self.index:
            return self._take_skipped(index)
        if index - self.index >= JUMP_MAX:
            raise TooFarAhead
        key, skipped = self.key, self.skipped
        if index > self.index:
            skipped = dict(skipped)
            for number in range(self.index, index):
                skipped[number] = hmac_sha256(key, _SEED)
                key = hmac_sha256(key, _NEXT)
            for number in list(skipped)[: max(len(skipped) - SKIPPED_SEEDS_MAX, 0)]:
                del skipped[number]
        return ReceivingChain(hmac_sha256(key, _NEXT), index + 1, skipped), hmac_sha256(key, _SEED)

    def _take_skipped(self, index: int) -> tuple["ReceivingChain", bytes]:
        if index not in self.skipped:
            raise DuplicateMessage
        skipped = dict(self.skipped)
        seed = skipped.pop(index)
        return replace(self, skipped=skipped), seed
