"""The key chains: from each epoch's secret one chain of message keys in each direction.

Epoch 0 comes from the handshake; a message of epoch e takes its key from the chains of epoch e - 1, the newest
its receiver is sure to have. Keys of messages still to come out of order are kept, within bounds.
"""

from bisect import bisect_left
from typing import Final

from aparte.e2ee.errors import DuplicateMessage, InvalidMessage, InvalidState, TooFarAhead
from aparte.e2ee.primitives import NO_SALT, hkdf
from aparte.e2ee.spqr.record import Bytes32, Epoch, Index, Record

JUMP_MAX: Final = 2_000
"""How far ahead of the last message of an epoch the next may be, and how long the keys in between are kept."""
PRIOR_EPOCHS: Final = 1
"""How many epochs before the sending one still decrypt."""

_START: Final = b"Signal PQ Ratchet V1 Chain  Start"  # the two spaces are on the wire, so to speak
_ADD_EPOCH: Final = b"Signal PQ Ratchet V1 Chain Add Epoch"
_NEXT: Final = b"Signal PQ Ratchet V1 Chain Next"
_ENTRY_BYTES: Final = 36


class SkippedKeys(Record, frozen=True):
    """Keys of messages that have not come yet: entries of be32 index || key, by index."""

    entries: bytes = b""

    def __post_init__(self) -> None:
        if len(self.entries) % _ENTRY_BYTES:
            raise ValueError("no whole entries")

    def take(self, index: int) -> tuple["SkippedKeys", bytes]:
        """The keys without this one, and this one; DuplicateMessage if it is not (any more) there."""
        start = self._start_of(index)
        if self.entries[start : start + 4] != index.to_bytes(4, "big"):
            raise DuplicateMessage
        end = start + _ENTRY_BYTES
        return SkippedKeys(self.entries[:start] + self.entries[end:]), self.entries[start + 4 : end]

    def extend(self, entries: bytes, newest: int) -> "SkippedKeys":
        """With entries of higher indices; without those that are too old once message `newest` was received."""
        return SkippedKeys(self.entries[self._start_of(newest - JUMP_MAX) :] + entries)

    def _start_of(self, index: int) -> int:
        """Where the entry with this index is, or would be."""
        numbers = range(0, len(self.entries), _ENTRY_BYTES)
        return _ENTRY_BYTES * bisect_left(
            numbers, index, key=lambda start: int.from_bytes(self.entries[start : start + 4], "big")
        )


class Direction(Record, frozen=True):
    """One direction of an epoch: the chain key after message `index`."""

    key: Bytes32
    index: Index = 0

    def step(self) -> tuple["Direction", bytes]:
        """The chain after the next message, and that message's key."""
        index = self.index + 1
        output = hkdf(NO_SALT, self.key, index.to_bytes(4, "big") + _NEXT, 64)
        return Direction(output[:32], index), output[32:]


class EpochChains(Record, frozen=True):
    """Both directions of one epoch; None where nothing will be sent any more."""

    sending: Direction | None
    receiving: Direction
    skipped: SkippedKeys = SkippedKeys()

    def send(self) -> tuple["EpochChains", int, bytes]:
        """The chains after it, the index of the next message, and its key."""
        if self.sending is None:
            raise InvalidState
        sending, key = self.sending.step()
        return EpochChains(sending, self.receiving, self.skipped), sending.index, key

    def receive(self, index: int) -> tuple["EpochChains", bytes]:
        """The chains after it, and the key of this message; DuplicateMessage or TooFarAhead if there is none."""
        if index <= self.receiving.index:
            skipped, key = self.skipped.take(index)
            return EpochChains(self.sending, self.receiving, skipped), key
        if index - self.receiving.index > JUMP_MAX:
            raise TooFarAhead
        receiving, key = self.receiving.step()
        entries = []
        while receiving.index < index:
            entries.append(receiving.index.to_bytes(4, "big") + key)
            receiving, key = receiving.step()
        return EpochChains(self.sending, receiving, self.skipped.extend(b"".join(entries), index)), key

    def close_sending(self) -> "EpochChains":
        """Forget how to send."""
        return EpochChains(None, self.receiving, self.skipped)


class KeyChain(Record, frozen=True):
    """The chains of the last epochs, the newest one being `epoch`, and the root of the next."""

    initiator: bool
    root: Bytes32
    epoch: Epoch
    chains: tuple[EpochChains, ...]

    @property
    def oldest(self) -> int:
        """The oldest epoch whose chains are here."""
        return self.epoch - len(self.chains) + 1

    def add_epoch(self, secret: bytes) -> "KeyChain":
        """The chains of one epoch more."""
        root, chains = _derive(self.root, secret, _ADD_EPOCH, initiator=self.initiator)
        return KeyChain(self.initiator, root, self.epoch + 1, (*self.chains, chains))

    def send(self, epoch: int) -> tuple["KeyChain", int, bytes]:
        """Index and key of the next message with a key of this epoch, never one below the last.

        Epochs further back than `PRIOR_EPOCHS` are forgotten, and how to send in those before this one.
        """
        position = epoch - self.oldest
        first = max(position - PRIOR_EPOCHS, 0)
        chains, index, key = self.chains[position].send()
        before = (prior.close_sending() for prior in self.chains[first:position])
        return self._with((*before, chains, *self.chains[position + 1 :])), index, key

    def receive(self, epoch: int, index: int) -> tuple["KeyChain", bytes]:
        """The key of this message of the peer; DuplicateMessage if it is gone, InvalidMessage if not yet here."""
        position = epoch - self.oldest
        if position < 0:
            raise DuplicateMessage
        if position >= len(self.chains):
            raise InvalidMessage
        chains, key = self.chains[position].receive(index)
        return self._with((*self.chains[:position], chains, *self.chains[position + 1 :])), key

    def _with(self, chains: tuple[EpochChains, ...]) -> "KeyChain":
        return KeyChain(self.initiator, self.root, self.epoch, chains)


def first_chain(auth_key: bytes, *, initiator: bool) -> KeyChain:
    """The chains of epoch 0, from the key that the handshake agreed on."""
    root, chains = _derive(NO_SALT, auth_key, _START, initiator=initiator)
    return KeyChain(initiator, root, 0, (chains,))


def _derive(salt: bytes, secret: bytes, label: bytes, *, initiator: bool) -> tuple[bytes, EpochChains]:
    """The next root, and the chains of both directions; the initiator's comes first."""
    output = hkdf(salt, secret, label, 96)
    directions = Direction(output[32:64]), Direction(output[64:])
    return output[:32], EpochChains(*(directions if initiator else directions[::-1]))
