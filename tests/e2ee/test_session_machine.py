"""Law: whatever the network and the devices do, a message is read once or refused, and a refusal changes nothing.

Two devices over a network that delays, reorders, repeats, loses and forges; that set up sessions at any time, at
once too; and that are restarted from their saved state at any time.
"""

from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.e2ee.people import Person

from aparte.e2ee.errors import DuplicateMessage, E2eeError, InvalidMessage
from aparte.e2ee.messages import MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.e2ee.ratchet import RECEIVING_CHAINS_MAX

Message = tuple[int, bytes]
SET_UPS_MAX = 18


class Sent(NamedTuple):
    """A message on its way, and the chain it belongs to: the session's base key and the ratchet key."""

    sender: int
    message: Message
    plaintext: bytes
    chain: tuple[bytes, bytes]


class TwoDevices(RuleBasedStateMachine):
    """Alice is 0, Bob is 1."""

    @initialize()
    def meet(self) -> None:
        self.people = (Person.create(1), Person.create(2))
        self.on_the_way: list[Sent] = []
        self.arrived: list[Sent] = []
        self.chains: tuple[list[tuple[bytes, bytes]], ...] = ([], [])
        self.number = self.set_ups = 0
        self.people[0].set_up(self.people[1], one_time=True)

    @precondition(lambda self: self.set_ups < SET_UPS_MAX)
    @rule(sender=st.integers(0, 1), one_time=st.booleans())
    def set_up(self, sender: int, one_time: bool) -> None:
        self.set_ups += 1
        self.people[sender].set_up(self.people[1 - sender], one_time=one_time)

    @rule(sender=st.integers(0, 1), text=st.binary(max_size=40), count=st.integers(1, 12))
    def send(self, sender: int, text: bytes, count: int) -> None:
        person, peer = self.people[sender], self.people[1 - sender]
        if peer.address not in person.records:
            return
        for _ in range(count):
            self.number += 1
            plaintext = text + b"/%d" % self.number
            message = person.encrypt(peer, plaintext)
            chain = (person.records[peer.address].current.base_key.u, ratchet_key(message))
            self.on_the_way.append(Sent(sender, message, plaintext, chain))

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), count=st.integers(1, 12))
    def deliver(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.on_the_way))):
            sent = self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))
            if self.is_too_old(sent):
                self.refused(sent.sender, sent.message, InvalidMessage)
                continue
            recipient = self.people[1 - sent.sender]
            assert recipient.decrypt(self.people[sent.sender], sent.message) == sent.plaintext
            self.arrived.append(sent)
            if sent.chain not in self.chains[sent.sender]:
                self.chains[sent.sender].append(sent.chain)

    def is_too_old(self, sent: Sent) -> bool:
        """Whether five newer chains of its session have been received since its own."""
        of_session = [chain for chain in self.chains[sent.sender] if chain[0] == sent.chain[0]]
        return sent.chain in of_session[:-RECEIVING_CHAINS_MAX]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        sender, (kind, body), *_ = data.draw(st.sampled_from(self.on_the_way))
        position = data.draw(st.integers(0, len(body) - 1))
        changed = bytearray(body)
        changed[position] ^= data.draw(st.integers(1, 255))
        if kind == MESSAGE_TYPE:
            self.refused(sender, (kind, bytes(changed)))
        self.refused(sender, (kind, bytes(changed[:position])))

    @precondition(lambda self: self.arrived)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.arrived))
        self.refused(sent.sender, sent.message, DuplicateMessage, InvalidMessage)

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.people[who].restart()

    def refused(self, sender: int, message: Message, *errors: type[E2eeError]) -> None:
        recipient = self.people[1 - sender]
        before = recipient.saved()
        with pytest.raises(errors or E2eeError):
            recipient.decrypt(self.people[sender], message)
        assert recipient.saved() == before


def ratchet_key(message: Message) -> bytes:
    kind, body = message
    inner = body if kind == MESSAGE_TYPE else FirstMessage.deserialize(body).message
    return SignalMessage.deserialize(inner).header.ratchet_key.u


class TestTwoDevices(TwoDevices.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(
        max_examples=40,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.long
@pytest.mark.timeout(7200)
class TestTwoDevicesForLong(TwoDevices.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(
        max_examples=3_000, stateful_step_count=150, deadline=None, suppress_health_check=list(HealthCheck)
    )
