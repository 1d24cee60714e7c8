"""Two parties over a network that loses, reorders, repeats and forges, restarting from saved state as they go.

Every genuine message is received with the sender's key, unless its epoch is over; what is refused leaves the
state as it was; and once the network behaves again, epochs advance.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.e2ee.spqr.seeded import seeded

from aparte.e2ee import spqr
from aparte.e2ee.errors import DuplicateMessage, E2eeError

ALICE, BOB = 0, 1
PARTIES = st.sampled_from([ALICE, BOB])


@dataclass(frozen=True)
class Sent:
    """A message on its way, or once on its way."""

    epoch: int
    data: bytes
    key: bytes


class Network(RuleBasedStateMachine):
    """The model: what was sent, what was received, and the epoch in which each party last sent."""

    def __init__(self) -> None:
        super().__init__()
        self.random = seeded(b"network")
        key = self.random(32)
        self.states = [spqr.start(key, initiator=True), spqr.start(key, initiator=False)]
        self.on_the_way: list[list[Sent]] = [[], []]  # by receiver
        self.received: list[list[Sent]] = [[], []]  # by receiver
        self.last_sent_epoch = [0, 0]
        self.keys: set[bytes] = set()

    def send(self, party: int) -> Sent:
        """One message to the other party, as yet in nobody's hands."""
        epoch = self.states[party].epoch
        self.states[party], data, key = spqr.send(self.states[party], self.random)
        assert key not in self.keys
        self.keys.add(key)
        self.last_sent_epoch[party] = epoch
        return Sent(epoch, data, key)

    def deliver(self, party: int, message: Sent) -> None:
        """Hand a genuine message over; it must work, unless it is of an epoch before the last."""
        before = self.states[party].serialize()
        if message.epoch < self.last_sent_epoch[party] - 1:
            self.refused(party, message)
            return
        state, key = spqr.receive(self.states[party], message.data)
        assert key == message.key
        assert self.states[party].serialize() == before
        self.states[party] = state
        self.received[party].append(message)

    def refused(self, party: int, message: Sent) -> None:
        """Hand over a message that is too late."""
        before = self.states[party].serialize()
        try:
            spqr.receive(self.states[party], message.data)
        except DuplicateMessage:
            assert self.states[party].serialize() == before
        else:
            raise AssertionError("a message was received twice, or much too late")

    @rule(party=PARTIES, count=st.integers(1, 40), lost=st.sets(st.integers(0, 39)))
    def send_burst(self, party: int, count: int, lost: set[int]) -> None:
        """Send, and lose some."""
        for number in range(count):
            message = self.send(party)
            if number not in lost:
                self.on_the_way[1 - party].append(message)

    @precondition(lambda self: any(self.on_the_way))
    @rule(party=PARTIES, count=st.integers(1, 40), data=st.data())
    def deliver_some(self, party: int, count: int, data: st.DataObject) -> None:
        """Deliver in order from some place on: what is left behind comes later, or never."""
        queue = self.on_the_way[party]
        if not queue:
            return
        start = data.draw(st.integers(0, len(queue) - 1))
        for message in queue[start : start + count]:
            self.deliver(party, message)
        del queue[start : start + count]

    @rule(rounds=st.integers(1, 60), loss=st.sampled_from([0, 2, 3, 7]))
    def talk(self, rounds: int, loss: int) -> None:
        """Take turns, every so manieth message being lost."""
        for number in range(1, 2 * rounds + 1):
            party = number % 2
            message = self.send(party)
            if not loss or number % loss:
                self.deliver(1 - party, message)

    @precondition(lambda self: any(self.received))
    @rule(party=PARTIES, data=st.data())
    def repeat(self, party: int, data: st.DataObject) -> None:
        """Deliver something a second time."""
        if self.received[party]:
            self.refused(party, data.draw(st.sampled_from(self.received[party])))

    @precondition(lambda self: any(self.on_the_way))
    @rule(party=PARTIES, data=st.data())
    def forge(self, party: int, data: st.DataObject) -> None:
        """Deliver something changed: the state that this may yield is dropped, as no MAC above would hold."""
        if not self.on_the_way[party]:
            return
        genuine = bytearray(data.draw(st.sampled_from(self.on_the_way[party])).data)
        for place in data.draw(st.sets(st.integers(0, len(genuine) - 1), min_size=1, max_size=3)):
            genuine[place] = data.draw(st.integers(0, 255))
        self.receive_anything(party, bytes(genuine[: data.draw(st.integers(0, len(genuine)))]))
        self.receive_anything(party, bytes(genuine))

    @rule(party=PARTIES, data=st.binary(max_size=60))
    def babble(self, party: int, data: bytes) -> None:
        """Deliver what nobody has sent."""
        self.receive_anything(party, data)

    def receive_anything(self, party: int, data: bytes) -> None:
        """Typed errors only, and the state as it was."""
        before = self.states[party].serialize()
        try:
            _, key = spqr.receive(self.states[party], data)
        except E2eeError:
            pass
        else:
            assert len(key) == 32
        assert self.states[party].serialize() == before

    @rule(party=PARTIES)
    def restart(self, party: int) -> None:
        """Go on from what was saved."""
        saved = self.states[party].serialize()
        self.states[party] = spqr.SpqrState.deserialize(saved)
        assert self.states[party].serialize() == saved

    @invariant()
    def parties_are_never_more_than_one_epoch_apart(self) -> None:
        """The one who ends an epoch waits for the other."""
        assert abs(self.states[ALICE].epoch - self.states[BOB].epoch) <= 1

    def teardown(self) -> None:
        """The network behaves again: two epochs go by in no more than 120 rounds."""
        epoch = self.states[ALICE].epoch
        for _ in range(120):
            for party in (ALICE, BOB):
                self.deliver(1 - party, self.send(party))
        assert self.states[ALICE].epoch >= epoch + 2


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
