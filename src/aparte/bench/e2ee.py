"""`aparte bench e2ee`: what the cryptography costs on this machine, on one core, with states in memory.

Medians and 95th percentiles in microseconds, and operations a second. Saving and reading a state has rows of its
own, since a client does it with every message.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from statistics import median, quantiles
from typing import NamedTuple, TypeVar

import typer

from aparte.e2ee import entry, fingerprint, group, payload, prekeys, session
from aparte.e2ee.bundle import Bundle
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.entry import Head
from aparte.e2ee.group import Distribution, SenderKeyMessage
from aparte.e2ee.keys import KeyPair
from aparte.e2ee.messages import FirstMessage
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.primitives import sha256
from aparte.e2ee.session import Parties, SessionRecord

PLAINTEXT_BYTES = 100
OTHER_DEVICES = 5
_NOW = 1_800_000_000_000

Result = TypeVar("Result")


class Device(NamedTuple):
    """One end of the conversation that is measured."""

    own: OwnDevice
    prekeys: Prekeys

    @classmethod
    def create(cls, number: int) -> "Device":
        own = OwnDevice(Address(uuid.uuid4().bytes, number), number, KeyPair.generate(secrets.token_bytes))
        return cls(own, prekeys.create(own.identity, _NOW, secrets.token_bytes))

    def bundle(self) -> Bundle:
        return prekeys.bundle(self.prekeys, self.own, None)

    def parties(self, peer: "Device") -> Parties:
        return Parties(self.own, PeerDevice(peer.own.address, peer.own.identity.public))


class Stopwatch:
    """Times calls under a name, and prints the names in the order of their first use."""

    def __init__(self) -> None:
        self._samples: dict[str, list[float]] = {}

    def time(self, name: str, call: Callable[[], Result]) -> Result:
        """Do it, and remember how long it took."""
        before = time.perf_counter_ns()
        result = call()
        self._samples.setdefault(name, []).append((time.perf_counter_ns() - before) / 1_000)
        return result

    def print(self) -> None:
        """A table: name, median, 95th percentile, operations a second at the median."""
        typer.echo(f"{'':<40}{'median µs':>12}{'p95 µs':>12}{'per second':>14}")
        for name, samples in self._samples.items():
            middle, tail = median(samples), quantiles(samples, n=20)[-1]
            typer.echo(f"{name:<40}{middle:>12.1f}{tail:>12.1f}{1e6 / middle:>14,.0f}")


def run(rounds: int = 500) -> None:
    """Measure and print; 500 rounds take a few seconds."""
    watch = Stopwatch()
    alice, bob = Device.create(1), Device.create(2)
    for _ in range(max(rounds // 5, 2)):
        _set_up(watch, alice, bob)
    _ping_pong(watch, alice, bob, rounds)
    _one_way(watch, alice, bob, rounds)
    _one_to_many(watch, alice, rounds)
    _group(watch, rounds)
    _safety_number(watch, alice, bob)
    watch.print()


def _set_up(watch: Stopwatch, alice: Device, bob: Device) -> tuple[SessionRecord, SessionRecord]:
    """A session in both directions, with the last-resort prekeys."""
    bundle = watch.time("bundle: write", bob.bundle)
    watch.time("bundle: verify", bundle.verify)
    ours = watch.time(
        "set-up: initiate", lambda: session.initiate(None, alice.parties(bob), bundle, secrets.token_bytes)
    )
    ours, _, body = session.encrypt(ours, bytes(PLAINTEXT_BYTES), secrets.token_bytes)
    theirs, _, _ = watch.time(
        "set-up: accept, with the first message",
        lambda: session.accept(
            None, bob.parties(alice), bob.prekeys, FirstMessage.deserialize(body), secrets.token_bytes
        ),
    )
    theirs, _, body = session.encrypt(theirs, bytes(PLAINTEXT_BYTES), secrets.token_bytes)
    return session.decrypt(ours, body, secrets.token_bytes).record, theirs


def _ping_pong(watch: Stopwatch, alice: Device, bob: Device, rounds: int) -> None:
    """Every message turns the ratchet: the dearest kind of conversation."""
    records = list(_set_up(watch, alice, bob))
    for number in range(2 * rounds):
        sender, recipient = number % 2, 1 - number % 2
        records[sender], body = _encrypt(watch, "ping-pong: encrypt", records[sender])
        records[recipient] = _decrypt(watch, "ping-pong: decrypt", records[recipient], body)
        data = watch.time("session: write to bytes", records[recipient].serialize)
        watch.time("session: read from bytes", lambda: SessionRecord.deserialize(data))  # noqa: B023 - called at once


def _one_way(watch: Stopwatch, alice: Device, bob: Device, rounds: int) -> None:
    ours, theirs = _set_up(watch, alice, bob)
    for _ in range(rounds):
        ours, body = _encrypt(watch, "one way: encrypt", ours)
        theirs = _decrypt(watch, "one way: decrypt", theirs, body)


def _one_to_many(watch: Stopwatch, alice: Device, rounds: int) -> None:
    """An entry as a client sends it: sealed once, its key and hash in the session with each other device.

    The sessions are read from bytes and written to bytes, as a client keeps them; the disk is not counted.
    """
    others = [_set_up(Stopwatch(), alice, Device.create(2 + n))[0].serialize() for n in range(OTHER_DEVICES)]
    head = Head(
        kind=1,
        conversation=uuid.uuid4().bytes,
        account=alice.own.address.account,
        device=uuid.uuid4().bytes,
        epoch=1,
        roster=bytes(32),
        counter=1,
        client_id=uuid.uuid4().bytes,
    )
    for _ in range(rounds):
        others = watch.time(f"one message to {OTHER_DEVICES} devices", lambda: _send(head, others))  # noqa: B023


def _send(head: Head, others: list[bytes]) -> list[bytes]:
    key = secrets.token_bytes(entry.KEY_BYTES)
    sealed = entry.seal(head, bytes(PLAINTEXT_BYTES), key)
    plaintext = payload.encode(payload.Keys(((key, entry.entry_hash(head, sha256(sealed))),)))
    records = [SessionRecord.deserialize(data) for data in others]
    return [session.encrypt(record, plaintext, secrets.token_bytes).record.serialize() for record in records]


def _encrypt(watch: Stopwatch, name: str, record: SessionRecord) -> tuple[SessionRecord, bytes]:
    sent = watch.time(name, lambda: session.encrypt(record, bytes(PLAINTEXT_BYTES), secrets.token_bytes))
    return sent.record, sent.body


def _decrypt(watch: Stopwatch, name: str, record: SessionRecord, body: bytes) -> SessionRecord:
    return watch.time(name, lambda: session.decrypt(record, body, secrets.token_bytes)).record


def _group(watch: Stopwatch, rounds: int) -> None:
    chain = group.start(uuid.uuid4(), _NOW, secrets.token_bytes)
    record = group.process(None, Distribution.deserialize(group.distribute(chain)))
    for _ in range(rounds):
        chain, body = watch.time(
            "sender key: encrypt",
            lambda: group.encrypt(chain, bytes(PLAINTEXT_BYTES), secrets.token_bytes),  # noqa: B023 - called at once
        )
        record, _ = watch.time(
            "sender key: decrypt",
            lambda: group.decrypt(record, SenderKeyMessage.deserialize(body)),  # noqa: B023 - called at once
        )


def _safety_number(watch: Stopwatch, alice: Device, bob: Device) -> None:
    ours, theirs = (
        fingerprint.Identity(device.own.address.account, device.own.identity.public) for device in (alice, bob)
    )
    for _ in range(20):
        watch.time("safety number", lambda: fingerprint.compute(ours, theirs))
