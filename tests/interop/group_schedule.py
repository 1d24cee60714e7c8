"""Random but repeatable schedules in a group: chains given away, renewed, lost; messages late, lost, twice, forged."""

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.interop.party_process import PartyProcess, Refused
from tests.interop.schedule import content


@dataclass(frozen=True)
class Delivery:
    """Something on its way from one member to another: a chain, or a message."""

    due: int
    number: int
    op: str
    sender: int
    recipient: int
    body: bytes


@dataclass
class Group:
    """A group of devices, each of its own implementation."""

    processes: tuple[PartyProcess, ...]
    names: tuple[str, ...]
    dist: str
    in_flight: list[Delivery] = field(default_factory=list)
    outcome: list[tuple[int, int, bool]] = field(default_factory=list)

    @classmethod
    def create(cls, *processes: PartyProcess) -> "Group":
        names = tuple(f"{uuid.uuid4()}.{i + 1}" for i in range(len(processes)))
        for process, name in zip(processes, names, strict=True):
            process.ask("new", name=name)
        return cls(processes, names, str(uuid.uuid4()))

    def ask(self, member: int, op: str, **arguments: Any) -> dict[str, Any]:
        return self.processes[member].ask(op, name=self.names[member], **arguments)

    def takes(self, recipient: int, op: str, sender: int, body: bytes) -> bool:
        """Whether a member takes a chain or reads a message of another."""
        try:
            self.ask(recipient, op, peer=self.names[sender], body=body)
        except Refused:
            return False
        return True

    def deliver(self, delivery: Delivery) -> None:
        """Hand a chain or a message over and write down whether it was taken."""
        try:
            answer = self.ask(delivery.recipient, delivery.op, peer=self.names[delivery.sender], body=delivery.body)
        except Refused:
            self.outcome.append((delivery.number, delivery.recipient, False))
        else:
            if delivery.op == "gdecrypt":
                assert answer["data"] == content(delivery.number)
            self.outcome.append((delivery.number, delivery.recipient, True))

    def arrive(self, step: int, choice: random.Random) -> None:
        """Deliver everything that is due, in random order."""
        due = [delivery for delivery in self.in_flight if delivery.due <= step]
        self.in_flight = [delivery for delivery in self.in_flight if delivery.due > step]
        choice.shuffle(due)
        for delivery in due:
            self.deliver(delivery)


def run(group: Group, seed: int, steps: int, delay: int) -> list[tuple[int, int, bool]]:
    """Live through a schedule; at its end everything still on its way arrives, in random order."""
    choice = random.Random(seed)
    members = range(len(group.processes))
    for step in range(steps):
        sender = choice.randrange(len(members))
        if choice.random() < 0.08:
            group.ask(sender, "rekey", dist=group.dist)
        gives_away = choice.random() < 0.15 or step < len(members)
        chain = group.ask(sender, "skdm", dist=group.dist)["body"]
        message = group.ask(sender, "gencrypt", dist=group.dist, data=content(step))["body"]
        for recipient in members:
            if recipient != sender:
                fates = [_fate(choice, step, delay) for _ in range(4)]
                if gives_away and fates[0] is not None:
                    group.in_flight.append(Delivery(step, step, "skprocess", sender, recipient, chain))
                group.in_flight += [
                    Delivery(due, step, "gdecrypt", sender, recipient, body)
                    for due, body in zip(fates[1:], (message, message, _forged(message, choice)), strict=True)
                    if due is not None and (body is message or choice.random() < 0.1)
                ]
        group.arrive(step, choice)
    group.arrive(steps + delay, choice)
    return group.outcome


def _fate(choice: random.Random, step: int, delay: int) -> int | None:
    due = step + int(choice.random() ** 3 * delay)
    return due if choice.random() > 0.3 else None


def _forged(message: bytes, choice: random.Random) -> bytes:
    body = bytearray(message)
    body[-1 - int(choice.random() * len(body))] ^= 1 << choice.randrange(8)
    return bytes(body)
