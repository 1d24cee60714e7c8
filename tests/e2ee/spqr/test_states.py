"""The eleven states: every row of the table of the specification, every way through it, and what is refused."""

import pytest
from tests.e2ee.spqr.seeded import seeded

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.spqr import states
from aparte.e2ee.spqr.authenticator import first_authenticator
from aparte.e2ee.spqr.erasure import Chunk
from aparte.e2ee.spqr.message import Kind, Message
from aparte.e2ee.spqr.states import State

RANDOM = seeded(b"states")
AUTHENTICATOR = first_authenticator(bytes(32))


class Braid:
    """Two parties without key chains: alice makes the keys of epoch 1, bob encapsulates."""

    def __init__(self) -> None:
        self.alice: State = states.KeysUnsampled(1, AUTHENTICATOR)
        self.bob: State = states.no_header_received(1, AUTHENTICATOR)
        self.secrets: dict[str, bytes] = {}

    def _send(self, name: str) -> Message:
        state: State = getattr(self, name)
        sent = state.send(RANDOM)
        setattr(self, name, sent.state)
        if sent.secret is not None:
            self.secrets[name] = sent.secret
        return Message(state.epoch, 1, sent.kind, sent.chunk)

    def _receive(self, name: str, message: Message) -> None:
        received = states.receive(getattr(self, name), message)
        setattr(self, name, received.state)
        if received.secret is not None:
            self.secrets[name] = received.secret

    def alice_sends(self, count: int = 1, *, lost: bool = False) -> Message:
        """Messages from alice to bob; the last one."""
        for _ in range(count):
            message = self._send("alice")
            if not lost:
                self._receive("bob", message)
        return message

    def bob_sends(self, count: int = 1, *, lost: bool = False) -> Message:
        """Messages from bob to alice; the last one."""
        for _ in range(count):
            message = self._send("bob")
            if not lost:
                self._receive("alice", message)
        return message

    def alice_sends_until_bob_is(self, state: type) -> int:
        """How many messages from alice it takes."""
        count = 0
        while not self.bob_is(state):
            self.alice_sends()
            count += 1
        return count

    def bob_sends_until_alice_is(self, state: type) -> int:
        """How many messages from bob it takes."""
        count = 0
        while not self.alice_is(state):
            self.bob_sends()
            count += 1
        return count

    def alice_is(self, state: type) -> bool:
        """Is alice in this state?"""
        return type(self.alice) is state

    def bob_is(self, state: type) -> bool:
        """Is bob in this state?"""
        return type(self.bob) is state


@pytest.fixture
def braid() -> Braid:
    """Both parties at the beginning of epoch 1."""
    return Braid()


def header_arrives(braid: Braid) -> None:
    """To the states HeaderSent and Ct1Sampled."""
    assert braid.alice_sends_until_bob_is(states.HeaderReceived) == 3
    assert braid.bob_sends().kind is Kind.CT1


def ciphertext_arrives(braid: Braid) -> None:
    """From Ct2Sampled to the end of the epoch, the parties having changed places."""
    assert braid.bob_sends().kind is Kind.CT2
    assert braid.alice_is(states.EkSentCt1Received)
    assert braid.alice_sends().kind is Kind.ACK
    assert braid.bob_sends_until_alice_is(states.NoHeaderReceived) == 4
    assert braid.alice.epoch == 2
    assert braid.alice_sends().kind is Kind.NONE
    assert braid.bob_is(states.KeysUnsampled)
    assert braid.bob.epoch == 2
    assert braid.secrets["alice"] == braid.secrets["bob"]
    assert braid.alice.authenticator == braid.bob.authenticator != AUTHENTICATOR


def test_the_header_goes_out_until_ct1_answers(braid: Braid) -> None:
    assert braid.alice_is(states.KeysUnsampled)
    message = braid.alice_sends(lost=True)
    assert braid.alice_is(states.KeysSampled)
    assert message.kind is Kind.HEADER
    assert braid.bob_is(states.NoHeaderReceived)
    assert braid.bob_sends().kind is Kind.NONE
    assert braid.alice_sends_until_bob_is(states.HeaderReceived) == 3
    assert braid.alice_sends(7).kind is Kind.HEADER
    assert "bob" not in braid.secrets
    assert braid.bob_sends(lost=True).kind is Kind.CT1
    assert braid.bob_is(states.Ct1Sampled)
    assert "bob" in braid.secrets
    assert braid.alice_is(states.KeysSampled)
    braid.bob_sends()
    assert braid.alice_is(states.HeaderSent)


def test_vector_complete_first_then_ct1(braid: Braid) -> None:
    header_arrives(braid)
    assert braid.alice_sends().kind is Kind.EK
    assert braid.alice_sends_until_bob_is(states.EkReceivedCt1Sampled) == 35
    assert braid.alice_sends(3).kind is Kind.EK
    assert braid.bob_sends_until_alice_is(states.Ct1Received) == 29
    assert braid.bob_sends(3).kind is Kind.CT1
    assert braid.alice_sends().kind is Kind.EK_ACK
    assert braid.bob_is(states.Ct2Sampled)
    ciphertext_arrives(braid)


def test_ct1_complete_first_then_the_vector(braid: Braid) -> None:
    header_arrives(braid)
    late = braid.alice_sends(lost=True)
    assert braid.bob_sends_until_alice_is(states.Ct1Received) == 29
    assert braid.alice_sends().kind is Kind.EK_ACK
    assert braid.bob_is(states.Ct1Acknowledged)
    assert braid.bob_sends(2).kind is Kind.NONE
    assert late.kind is Kind.EK
    braid._receive("bob", late)
    assert braid.alice_sends_until_bob_is(states.Ct2Sampled) == 34
    ciphertext_arrives(braid)


def test_the_last_piece_of_the_vector_acknowledges_ct1(braid: Braid) -> None:
    header_arrives(braid)
    braid.alice_sends(35)
    braid.bob_sends_until_alice_is(states.Ct1Received)
    assert braid.bob_is(states.Ct1Sampled)
    assert braid.alice_sends().kind is Kind.EK_ACK
    assert braid.bob_is(states.Ct2Sampled)
    ciphertext_arrives(braid)


def test_an_acknowledgement_without_a_piece_suffices_once_the_vector_is_here(braid: Braid) -> None:
    header_arrives(braid)
    braid.alice_sends_until_bob_is(states.EkReceivedCt1Sampled)
    braid._receive("bob", Message(1, 1, Kind.ACK))
    assert braid.bob_is(states.Ct2Sampled)


def every_state() -> dict[type, State]:
    """One of each: where alice talks more the vector is complete first, where bob does ct1 is."""
    found: dict[type, State] = {}
    for from_alice, from_bob in ((2, 1), (1, 2)):
        braid = Braid()
        for send in 40 * [*from_alice * [braid.alice_sends], *from_bob * [braid.bob_sends]]:
            found |= {type(braid.alice): braid.alice, type(braid.bob): braid.bob}
            send()
    return found


def test_what_each_state_sends() -> None:
    sends = {
        kind: {found.send(RANDOM).kind for found in every_state().values() if type(found).__name__ in names}
        for kind, names in {
            Kind.HEADER: {"KeysUnsampled", "KeysSampled"},
            Kind.EK: {"HeaderSent"},
            Kind.EK_ACK: {"Ct1Received"},
            Kind.ACK: {"EkSentCt1Received"},
            Kind.NONE: {"NoHeaderReceived", "Ct1Acknowledged"},
            Kind.CT1: {"HeaderReceived", "Ct1Sampled", "EkReceivedCt1Sampled"},
            Kind.CT2: {"Ct2Sampled"},
        }.items()
    }
    assert len(every_state()) == 11
    assert sends == {kind: {kind} for kind in Kind}


EXPECTED = {
    states.KeysUnsampled: set(),
    states.KeysSampled: {Kind.CT1},
    states.HeaderSent: {Kind.CT1},
    states.Ct1Received: {Kind.CT2},
    states.EkSentCt1Received: {Kind.CT2},
    states.NoHeaderReceived: {Kind.HEADER},
    states.HeaderReceived: set(),
    states.Ct1Sampled: {Kind.EK, Kind.EK_ACK},
    states.EkReceivedCt1Sampled: {Kind.EK_ACK, Kind.ACK},
    states.Ct1Acknowledged: {Kind.EK, Kind.EK_ACK},
    states.Ct2Sampled: set(),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_each_state_reacts_to_what_it_waits_for_and_to_nothing_else(kind: Kind) -> None:
    for state in every_state().values():
        chunk = None if kind in {Kind.NONE, Kind.ACK} else Chunk(60_000, bytes(32))
        message = Message(state.epoch, 1, kind, chunk)
        try:
            changed = states.receive(state, message).state != state
        except InvalidMessage:
            changed = True  # the chunk was the last one, and forged
        assert changed == (kind in EXPECTED[type(state)]), type(state)


def test_an_old_message_changes_nothing() -> None:
    for state in every_state().values():
        later = type(state)(**{**{name: getattr(state, name) for name in state.__struct_fields__}, "epoch": 5})
        for kind in Kind:
            chunk = None if kind in {Kind.NONE, Kind.ACK} else Chunk(0, bytes(32))
            received = states.receive(later, Message(4, 1, kind, chunk))
            assert received.state is later
            assert received.secret is None


def test_a_message_of_an_epoch_to_come_is_refused_but_of_the_next_after_ct2() -> None:
    for state in every_state().values():
        message = Message(state.epoch + 1, 1, Kind.NONE)
        if type(state) is states.Ct2Sampled:
            assert type(states.receive(state, message).state) is states.KeysUnsampled
        else:
            with pytest.raises(InvalidMessage):
                states.receive(state, message)
        with pytest.raises(InvalidMessage):
            states.receive(state, Message(state.epoch + 2, 1, Kind.NONE))


def forge(message: Message) -> Message:
    """The same message with one bit of its chunk changed."""
    assert message.chunk is not None
    data = bytes([message.chunk.data[0] ^ 1]) + message.chunk.data[1:]
    return Message(message.epoch, message.index, message.kind, Chunk(message.chunk.number, data))


def test_a_forged_header_is_refused(braid: Braid) -> None:
    braid.alice_sends(2)
    with pytest.raises(InvalidMessage):
        braid._receive("bob", forge(braid.alice_sends(lost=True)))


def test_a_forged_vector_is_refused(braid: Braid) -> None:
    header_arrives(braid)
    braid.alice_sends(35)
    with pytest.raises(InvalidMessage):
        braid._receive("bob", forge(braid.alice_sends(lost=True)))


def test_a_forged_vector_is_refused_after_the_acknowledgement_too(braid: Braid) -> None:
    header_arrives(braid)
    braid.bob_sends_until_alice_is(states.Ct1Received)
    braid.alice_sends(35)
    assert braid.bob_is(states.Ct1Acknowledged)
    with pytest.raises(InvalidMessage):
        braid._receive("bob", forge(braid.alice_sends(lost=True)))


@pytest.mark.parametrize("part", [Kind.CT1, Kind.CT2])
def test_a_forged_ciphertext_is_refused_and_makes_no_secret(braid: Braid, part: Kind) -> None:
    header_arrives(braid)
    braid.alice_sends_until_bob_is(states.EkReceivedCt1Sampled)
    while not braid.alice_is(states.NoHeaderReceived):
        message = braid.bob_sends(lost=True)
        assert message.chunk is not None
        try:
            braid._receive("alice", forge(message) if (message.kind, message.chunk.number) == (part, 2) else message)
        except InvalidMessage:
            break
        braid.alice_sends()
    assert braid.alice_is(states.EkSentCt1Received)
    assert "alice" not in braid.secrets
