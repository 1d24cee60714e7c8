"""Two parties over a good connection: keys agree, epochs advance, state stays small, nothing secret prints."""

import pytest
from tests.e2ee.spqr.seeded import seeded

from aparte.e2ee import spqr
from aparte.e2ee.errors import DuplicateMessage, InvalidMessage, TooFarAhead
from aparte.e2ee.spqr.chain import JUMP_MAX

AUTH_KEY = bytes(range(32))
RANDOM = seeded(b"protocol")


def pair() -> tuple[spqr.SpqrState, spqr.SpqrState]:
    """Both sides after a handshake."""
    return spqr.start(AUTH_KEY, initiator=True), spqr.start(AUTH_KEY, initiator=False)


def pass_message(sender: spqr.SpqrState, receiver: spqr.SpqrState) -> tuple[spqr.SpqrState, spqr.SpqrState, bytes]:
    """One message, sent and received: the new states and its key."""
    sender, message, sent_key = spqr.send(sender, RANDOM)
    receiver, received_key = spqr.receive(receiver, message)
    assert sent_key == received_key
    assert len(sent_key) == 32
    return sender, receiver, sent_key


def test_keys_agree_are_all_different_and_epochs_advance() -> None:
    alice, bob = pair()
    keys = []
    for _ in range(200):
        alice, bob, key = pass_message(alice, bob)
        keys.append(key)
        bob, alice, key = pass_message(bob, alice)
        keys.append(key)
    assert len(set(keys)) == len(keys)
    assert alice.epoch == bob.epoch == 5


@pytest.mark.parametrize("burst", [1, 7, 100])
def test_epochs_advance_when_messages_come_in_bursts(burst: int) -> None:
    alice, bob = pair()
    for _ in range(max(4, 100 // burst)):
        for _ in range(burst):
            alice, bob, _ = pass_message(alice, bob)
        for _ in range(burst):
            bob, alice, _ = pass_message(bob, alice)
    assert alice.epoch >= 2


def test_a_monologue_agrees_on_keys_but_on_no_new_epoch() -> None:
    alice, bob = pair()
    for _ in range(300):
        alice, bob, _ = pass_message(alice, bob)
    assert alice.epoch == bob.epoch == 1


def test_parties_with_different_handshakes_part_when_the_header_is_checked() -> None:
    alice, bob = spqr.start(bytes(32), initiator=True), spqr.start(AUTH_KEY, initiator=False)
    for _ in range(2):
        alice, message, sent_key = spqr.send(alice, RANDOM)
        bob, received_key = spqr.receive(bob, message)
        assert sent_key != received_key
    _, message, _ = spqr.send(alice, RANDOM)
    with pytest.raises(InvalidMessage):
        spqr.receive(bob, message)


def test_a_message_is_received_once() -> None:
    alice, bob = pair()
    alice, message, _ = spqr.send(alice, RANDOM)
    bob, _ = spqr.receive(bob, message)
    before = bob.serialize()
    with pytest.raises(DuplicateMessage):
        spqr.receive(bob, message)
    assert bob.serialize() == before


def test_messages_may_overtake_each_other_up_to_the_limit() -> None:
    alice, bob = pair()
    messages = []
    for _ in range(JUMP_MAX + 1):
        alice, message, key = spqr.send(alice, RANDOM)
        messages.append((message, key))
    with pytest.raises(TooFarAhead):
        spqr.receive(bob, messages[JUMP_MAX][0])
    for position in [JUMP_MAX - 1, 0, 1000, JUMP_MAX - 2, JUMP_MAX, 1]:
        message, key = messages[position]
        bob, received = spqr.receive(bob, message)
        assert received == key


def test_a_message_too_long_on_its_way_is_refused() -> None:
    alice, bob = pair()
    messages = []
    for _ in range(JUMP_MAX + 2):
        alice, message, key = spqr.send(alice, RANDOM)
        messages.append((message, key))
    bob, _ = spqr.receive(bob, messages[1000][0])
    bob, _ = spqr.receive(bob, messages[JUMP_MAX + 1][0])
    with pytest.raises(DuplicateMessage):
        spqr.receive(bob, messages[0][0])
    bob, received = spqr.receive(bob, messages[1][0])
    assert received == messages[1][1]


def test_the_key_of_the_handshake_must_have_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        spqr.start(bytes(31), initiator=True)


def test_a_step_leaves_the_given_state_alone() -> None:
    alice, bob = pair()
    for _ in range(100):
        before = alice.serialize(), bob.serialize()
        after, message, _ = spqr.send(alice, RANDOM)
        bob_after, _ = spqr.receive(bob, message)
        assert (alice.serialize(), bob.serialize()) == before
        alice, bob = bob_after, after


def test_a_state_stays_small_for_ever() -> None:
    alice, bob = pair()
    largest = 0
    for round_number in range(1500):
        for _ in range(3):
            alice, message, _ = spqr.send(alice, RANDOM)  # two of three are lost
        bob, _ = spqr.receive(bob, message)
        bob, alice, _ = pass_message(bob, alice)
        if round_number > 200:
            largest = max(largest, len(alice.serialize()), len(bob.serialize()))
    assert alice.epoch > 25
    assert largest < 20_000


def test_the_worst_a_state_can_grow_to_is_bounded() -> None:
    alice, bob = pair()
    burst_in, largest = set(), 0
    while alice.epoch < 5:
        if alice.epoch not in burst_in:
            burst_in.add(alice.epoch)
            for _ in range(JUMP_MAX - 1):
                alice, _, _ = spqr.send(alice, RANDOM)
        alice, bob, _ = pass_message(alice, bob)
        bob, alice, _ = pass_message(bob, alice)
        largest = max(largest, len(bob.serialize()))
    assert 36 * JUMP_MAX < largest < 3 * 36 * JUMP_MAX


def test_secrets_never_print() -> None:
    alice, bob = pair()
    for _ in range(60):
        for state in (alice, bob):
            saved = state._saved
            shown = f"{state!r} {state} {saved!r} {saved.chain!r} {saved.chain.chains!r} {saved.braid!r}"
            assert shown.startswith("<SpqrState epoch=")
            assert "b'" not in shown
            assert 'b"' not in shown
            assert len(shown) < 300
            with pytest.raises(AttributeError):
                state.unknown = 1  # type: ignore[attr-defined]  # slots: nothing can be added
        alice, bob, _ = pass_message(alice, bob)
        bob, alice, _ = pass_message(bob, alice)
