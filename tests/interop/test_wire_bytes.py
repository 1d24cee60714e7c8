"""What the official library writes, we would have written: reading and writing again yields the same bytes."""

from tests.interop.group_schedule import Group
from tests.interop.party_process import PartyProcess
from tests.interop.schedule import Pair

from aparte.e2ee.devices import Address, address_pair
from aparte.e2ee.group import Distribution
from aparte.e2ee.messages import MAC_BYTES, FirstMessage, Sealed, SignalMessage


def written_again(body: bytes) -> bytes:
    """A SignalMessage without its MAC, from its parts."""
    message = SignalMessage.deserialize(body)
    parts = Sealed(message.header, message.ciphertext, message.spqr_message, message.addresses)
    return parts.serialize(bytes(32), b"")[:-MAC_BYTES]


def test_first_messages_and_messages_are_the_same_bytes(oracle: PartyProcess) -> None:
    for one_time in (True, False):
        pair = Pair.create(oracle, oracle)
        pair.set_up(0, one_time=one_time)
        envelope = pair.encrypt(0, b"hello")
        first = FirstMessage.deserialize(envelope["body"])
        assert first.serialize() == envelope["body"]
        assert (first.one_time_id is None) != one_time
        assert written_again(first.message) == first.message[:-MAC_BYTES]
        sender, recipient = (Address.parse(name) for name in pair.names)
        assert SignalMessage.deserialize(first.message).addresses == address_pair(sender, recipient)
        pair.decrypt(1, envelope)
        for number in range(200):
            envelope = pair.encrypt(1 - number % 2, b"message %d" % number)
            assert envelope["type"] == 2
            assert written_again(envelope["body"]) == envelope["body"][:-MAC_BYTES]
            pair.decrypt(number % 2, envelope)


def test_distributions_are_the_same_bytes(oracle: PartyProcess) -> None:
    group = Group.create(oracle)
    for _ in range(3):
        body = group.ask(0, "skdm", dist=group.dist)["body"]
        assert Distribution.deserialize(body).serialize() == body
        group.ask(0, "gencrypt", dist=group.dist, data=b"on")
