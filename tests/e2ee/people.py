"""People with one device each, who keep everything a device keeps; and randomness that can be repeated."""

import random
import uuid
from dataclasses import dataclass, field

from aparte.e2ee import group, prekeys, session
from aparte.e2ee.bundle import Bundle
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.group import Distribution, OwnChain, SenderKeyMessage, SenderKeyRecord
from aparte.e2ee.keys import KeyPair, PublicKey
from aparte.e2ee.messages import MESSAGE_TYPE, FirstMessage
from aparte.e2ee.prekeys import OneTimeIds, Prekeys, Stock
from aparte.e2ee.primitives import Random
from aparte.e2ee.session import Parties, SessionRecord

NOW = 1_800_000_000_000
GROUP = uuid.UUID("99999999-9999-4999-8999-999999999999")


def seeded(seed: int) -> Random:
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes


@dataclass
class Person:
    """One device of one account."""

    own: OwnDevice
    prekeys: Prekeys
    random: Random
    records: dict[Address, SessionRecord] = field(default_factory=dict)
    chain: OwnChain | None = None
    sender_keys: dict[Address, SenderKeyRecord] = field(default_factory=dict)

    @classmethod
    def create(cls, number: int) -> "Person":
        """Alice is 1, Bob is 2, and so on."""
        draw = seeded(number)
        own = OwnDevice(Address(bytes([number]) * 16, number), number, KeyPair.generate(draw))
        return cls(own, prekeys.create(own.identity, NOW, draw), draw)

    @property
    def address(self) -> Address:
        return self.own.address

    @property
    def identity(self) -> PublicKey:
        return self.own.identity.public

    def bundle(self, *, one_time: bool = False) -> Bundle:
        """Hand out prekeys, one-time ones that are not handed out again."""
        if not one_time:
            return prekeys.bundle(self.prekeys, self.own, None)
        self.prekeys = prekeys.refill(self.prekeys, self.own.identity, Stock(19, 19), self.random)
        handed_out = OneTimeIds(self.prekeys.one_time[-1].id, self.prekeys.one_time_kem[-1].id)
        return prekeys.bundle(self.prekeys, self.own, handed_out)

    def parties(self, peer: "Person") -> Parties:
        return Parties(self.own, PeerDevice(peer.address, peer.identity))

    def set_up(self, peer: "Person", *, one_time: bool = False) -> None:
        record = self.records.get(peer.address)
        bundle = peer.bundle(one_time=one_time)
        self.records[peer.address] = session.initiate(record, self.parties(peer), bundle, self.random)

    def encrypt(self, peer: "Person", plaintext: bytes) -> tuple[int, bytes]:
        record, kind, body = session.encrypt(self.records[peer.address], plaintext, self.random)
        self.records[peer.address] = record
        return kind, body

    def decrypt(self, peer: "Person", message: tuple[int, bytes]) -> bytes:
        kind, body = message
        record = self.records.get(peer.address)
        if kind == MESSAGE_TYPE:
            record, plaintext = session.decrypt(record, body, self.random)
        else:
            first = FirstMessage.deserialize(body)
            record, plaintext, self.prekeys = session.accept(
                record, self.parties(peer), self.prekeys, first, self.random
            )
        self.records[peer.address] = record
        return plaintext

    def restart(self) -> None:
        """Everything goes through its bytes."""
        self.prekeys = Prekeys.deserialize(self.prekeys.serialize())
        self.records = {peer: SessionRecord.deserialize(r.serialize()) for peer, r in self.records.items()}
        self.sender_keys = {peer: SenderKeyRecord.deserialize(r.serialize()) for peer, r in self.sender_keys.items()}
        if self.chain is not None:
            self.chain = OwnChain.deserialize(self.chain.serialize())

    def saved(self) -> tuple[bytes, ...]:
        """All state as bytes, to see whether it changed."""
        parts = [self.prekeys.serialize(), *(record.serialize() for record in self.records.values())]
        return (*parts, *(record.serialize() for record in self.sender_keys.values()))

    def start_chain(self) -> None:
        self.chain = group.start(GROUP, NOW, self.random)

    def distribute(self) -> bytes:
        assert self.chain is not None
        return group.distribute(self.chain)

    def process(self, peer: "Person", distribution: bytes) -> None:
        record = self.sender_keys.get(peer.address)
        self.sender_keys[peer.address] = group.process(record, Distribution.deserialize(distribution))

    def encrypt_group(self, plaintext: bytes) -> bytes:
        assert self.chain is not None
        self.chain, body = group.encrypt(self.chain, plaintext, self.random)
        return body

    def decrypt_group(self, peer: "Person", body: bytes) -> bytes:
        record, plaintext = group.decrypt(self.sender_keys.get(peer.address), SenderKeyMessage.deserialize(body))
        self.sender_keys[peer.address] = record
        return plaintext


def conversation() -> tuple[Person, Person]:
    """Alice and Bob, who have spoken once each way."""
    alice, bob = Person.create(1), Person.create(2)
    alice.set_up(bob, one_time=True)
    assert bob.decrypt(alice, alice.encrypt(bob, b"hello")) == b"hello"
    assert alice.decrypt(bob, bob.encrypt(alice, b"hello yourself")) == b"hello yourself"
    return alice, bob
