"""Random but repeatable schedules: what is sent, delayed, lost, repeated, forged, and when sessions are set up anew.

A schedule is drawn from a seed alone, never from what the parties answer, so that any two pairs of implementations
live through exactly the same. The outcome is the list of which delivery was read and which was refused.
"""

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.interop.party_process import PartyProcess, Refused


@dataclass(frozen=True)
class Weather:
    """How rough the network is; each figure is a probability."""

    loss: float = 0.1
    repeat: float = 0.05
    forge: float = 0.03
    set_up: float = 0.01
    burst: float = 0.3
    delay: int = 20


@dataclass(frozen=True)
class Fate:
    """What happens to one message: the steps at which copies of it arrive, and whether a forged one comes first."""

    arrivals: tuple[int, ...]
    is_forged: bool
    where: float
    bit: int


@dataclass
class Pair:
    """Two devices, each of its own implementation, and the messages on their way."""

    processes: tuple[PartyProcess, PartyProcess]
    names: tuple[str, str]
    in_flight: list[tuple[int, int, int, dict[str, Any]]] = field(default_factory=list)
    outcome: list[tuple[int, bool]] = field(default_factory=list)

    @classmethod
    def create(cls, first: PartyProcess, second: PartyProcess) -> "Pair":
        names = (f"{uuid.uuid4()}.1", f"{uuid.uuid4()}.2")
        first.ask("new", name=names[0])
        second.ask("new", name=names[1])
        return cls((first, second), names)

    def set_up(self, sender: int, *, one_time: bool) -> None:
        bundle = self.processes[1 - sender].ask("bundle", name=self.names[1 - sender], otp=one_time)
        self.processes[sender].ask("process", name=self.names[sender], peer=self.names[1 - sender], b=bundle)

    def encrypt(self, sender: int, text: bytes) -> dict[str, Any]:
        return self.processes[sender].ask("encrypt", name=self.names[sender], peer=self.names[1 - sender], data=text)

    def decrypt(self, recipient: int, message: dict[str, Any]) -> bytes:
        answer = self.processes[recipient].ask(
            "decrypt", name=self.names[recipient], peer=self.names[1 - recipient], **message
        )
        plaintext: bytes = answer["data"]
        return plaintext

    def send(self, sender: int, number: int, fate: Fate) -> None:
        """Put a message on its way; one that cannot be sent for want of a session is written down too."""
        try:
            message = self.encrypt(sender, content(number))
        except Refused:
            self.outcome.append((number, False))
            return
        if fate.is_forged:
            self.deliver(number, sender, forged(message, fate.where, fate.bit))
        self.in_flight += [(step, number, sender, message) for step in fate.arrivals]

    def arrive(self, step: int, choice: random.Random) -> None:
        """Deliver everything that is due, in random order."""
        due = [entry for entry in self.in_flight if entry[0] <= step]
        self.in_flight = [entry for entry in self.in_flight if entry[0] > step]
        choice.shuffle(due)
        for _, number, sender, message in due:
            self.deliver(number, sender, message)

    def deliver(self, number: int, sender: int, message: dict[str, Any]) -> None:
        """Hand a message over and write down whether it was read; what was read must be what was sent."""
        try:
            plaintext = self.decrypt(1 - sender, message)
        except Refused:
            self.outcome.append((number, False))
        else:
            assert plaintext == content(number)
            self.outcome.append((number, True))


def content(number: int) -> bytes:
    """The text of a message: of every length up to a few blocks."""
    return b"%d" % number + b"." * (number % 70)


def forged(message: dict[str, Any], where: float, bit: int) -> dict[str, Any]:
    """The message with one bit changed: anywhere in a message, in the KEM ciphertext that ends a first message."""
    body = bytearray(message["body"])
    span = len(body) if message["type"] == 2 else 1_500
    body[-1 - int(where * span)] ^= 1 << bit
    return message | {"body": bytes(body)}


def run(pair: Pair, seed: int, steps: int, weather: Weather) -> list[tuple[int, bool]]:
    """Live through a schedule; at its end everything still on its way arrives, in random order."""
    choice = random.Random(seed)
    talking = 0
    for step in range(steps):
        if choice.random() > weather.burst:
            talking = choice.randrange(2)
        if choice.random() < weather.set_up or step == 0:
            pair.set_up(talking, one_time=choice.random() < 0.7)
        pair.send(talking, step, _fate(choice, step, weather))
        pair.arrive(step, choice)
    pair.arrive(steps + weather.delay, choice)
    return pair.outcome


def _fate(choice: random.Random, step: int, weather: Weather) -> Fate:
    copies = 0 if choice.random() < weather.loss else 1 + (choice.random() < weather.repeat)
    arrivals = tuple(step + int(choice.random() ** 3 * weather.delay) for _ in range(copies))
    is_forged = choice.random() < weather.forge
    return Fate(arrivals, is_forged, choice.random(), choice.randrange(8))
