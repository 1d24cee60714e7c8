"""Law: whatever the network does, a group message is read once by whom its chain was given to, and by nobody else."""

from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.e2ee.people import Person

from aparte.e2ee.errors import DuplicateMessage, E2eeError, NoSenderKey
from aparte.e2ee.group import CHAINS_MAX, Distribution


class Sent(NamedTuple):
    """A message on its way to one reader."""

    reader: int
    chain_id: int
    iteration: int
    body: bytes
    plaintext: bytes


class OneSpeaker(RuleBasedStateMachine):
    """Alice speaks to three readers, who are given her chains at different times, late, and again."""

    @initialize()
    def meet(self) -> None:
        self.alice = Person.create(1)
        self.readers = [Person.create(number) for number in (2, 3, 4)]
        self.alice.start_chain()
        self.given: list[Distribution] = []
        self.known: list[dict[int, int]] = [{}, {}, {}]  # chain id → first iteration that can be read, oldest first
        self.on_the_way: list[Sent] = []
        self.arrived: list[Sent] = []
        self.number = 0

    @rule()
    def start_chain(self) -> None:
        self.alice.start_chain()

    @rule()
    def write_distribution(self) -> None:
        self.given.append(Distribution.deserialize(self.alice.distribute()))

    @precondition(lambda self: self.given)
    @rule(data=st.data(), reader=st.integers(0, 2))
    def give(self, data: st.DataObject, reader: int) -> None:
        distribution = data.draw(st.sampled_from(self.given))
        self.readers[reader].process(self.alice, distribution.serialize())
        known = self.known[reader]
        first = known.pop(distribution.chain_id, distribution.iteration)
        known[distribution.chain_id] = first
        if len(known) > CHAINS_MAX:
            self.forget(reader, next(iter(known)))

    def forget(self, reader: int, chain_id: int) -> None:
        """The oldest chain goes, and with it the memory of what was read: only its owner can give it again."""
        del self.known[reader][chain_id]
        self.arrived = [sent for sent in self.arrived if (sent.reader, sent.chain_id) != (reader, chain_id)]

    @rule(text=st.binary(max_size=40), count=st.integers(1, 5))
    def send(self, text: bytes, count: int) -> None:
        for _ in range(count):
            assert self.alice.chain is not None
            self.number += 1
            plaintext = text + b"/%d" % self.number
            chain_id, iteration = self.alice.chain.chain_id, self.alice.chain.chain.index
            body = self.alice.encrypt_group(plaintext)
            self.on_the_way += [Sent(reader, chain_id, iteration, body, plaintext) for reader in range(3)]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), count=st.integers(1, 12))
    def deliver(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.on_the_way))):
            sent = self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))
            first = self.known[sent.reader].get(sent.chain_id)
            if first is None:
                self.refused(sent.reader, sent.body, NoSenderKey)
            elif sent.iteration < first:
                self.refused(sent.reader, sent.body, DuplicateMessage)
            else:
                assert self.readers[sent.reader].decrypt_group(self.alice, sent.body) == sent.plaintext
                self.arrived.append(sent)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.on_the_way))
        changed = bytearray(sent.body)
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        self.refused(sent.reader, bytes(changed), E2eeError)

    @precondition(lambda self: self.arrived)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.arrived))
        self.refused(sent.reader, sent.body, DuplicateMessage)

    @rule(reader=st.integers(0, 2))
    def restart(self, reader: int) -> None:
        self.readers[reader].restart()
        self.alice.restart()

    def refused(self, reader: int, body: bytes, *errors: type[E2eeError]) -> None:
        before = self.readers[reader].saved()
        with pytest.raises(errors):
            self.readers[reader].decrypt_group(self.alice, body)
        assert self.readers[reader].saved() == before


class TestOneSpeaker(OneSpeaker.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(
        max_examples=40,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.long
@pytest.mark.timeout(7200)
class TestOneSpeakerForLong(OneSpeaker.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(
        max_examples=3_000, stateful_step_count=150, deadline=None, suppress_health_check=list(HealthCheck)
    )
