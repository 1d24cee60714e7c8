"""The post-quantum ratchet inside the sessions: epochs advance, and end for late messages, as the official ones do."""

import itertools
from typing import Any

import pytest
from tests.interop.party_process import PartyProcess, Refused
from tests.interop.schedule import Pair

from aparte.e2ee import protobuf
from aparte.e2ee.spqr import message as spqr_message

ALICE, BOB = 0, 1


def epoch_of(message: dict[str, Any]) -> int:
    """The epoch that an established session's message names."""
    fields = protobuf.decode(message["body"][1:-8], frozenset(range(1, 7)))
    return spqr_message.decode(fields.blob(5)).epoch


def burst(pair: Pair, sender: int, count: int) -> dict[str, Any]:
    """Messages that arrive in order; the last of them."""
    for _ in range(count):
        message = pair.encrypt(sender, b"on time")
        assert pair.decrypt(1 - sender, message) == b"on time"
    return message


def test_epochs_advance(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for parties in itertools.permutations((aparte, oracle)):
        pair = Pair.create(*parties)
        pair.set_up(ALICE, one_time=True)
        for _ in range(100):
            burst(pair, ALICE, 1)
            last = burst(pair, BOB, 1)
        assert epoch_of(last) == 3


@pytest.mark.parametrize("bob_has_sent_in_epoch_3", [False, True])
def test_messages_of_epoch_1_are_read_until_something_was_sent_in_epoch_3(
    aparte: PartyProcess, oracle: PartyProcess, *, bob_has_sent_in_epoch_3: bool
) -> None:
    """As few turns as two epochs can take, or the Double Ratchet would have dropped the late message's chain."""
    for first, second in itertools.product((aparte, oracle), repeat=2):
        pair = Pair.create(first, second)
        pair.set_up(ALICE, one_time=True)
        late = pair.encrypt(ALICE, b"late")
        for sender, count in ((ALICE, 3), (BOB, 31), (ALICE, 36), (BOB, 6)):  # header, ct1, vector, ct2
            burst(pair, sender, count)
        assert epoch_of(burst(pair, ALICE, 1)) == 2
        for sender, count in ((BOB, 3), (ALICE, 31), (BOB, 36), (ALICE, 6)):
            burst(pair, sender, count)
        if bob_has_sent_in_epoch_3:
            assert epoch_of(burst(pair, BOB, 1)) == 3
            with pytest.raises(Refused):
                pair.decrypt(BOB, late)
        else:
            assert pair.decrypt(BOB, late) == b"late"


@pytest.mark.long
def test_a_monologue_may_need_more_chunks_than_there_are_numbers(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for parties in itertools.permutations((aparte, oracle)):
        pair = Pair.create(*parties)
        pair.set_up(ALICE, one_time=True)
        for _ in range(3):
            burst(pair, ALICE, 1)
            burst(pair, BOB, 1)
        for number in range(66_000):
            message = pair.encrypt(ALICE, b"hello?")
            if number % 1_000 == 0 or 65_500 < number < 65_600:
                assert pair.decrypt(BOB, message) == b"hello?"
        before = epoch_of(message)
        for _ in range(100):
            burst(pair, BOB, 1)
            message = burst(pair, ALICE, 1)
        assert epoch_of(message) >= before + 2
