"""Messages with anything changed are refused, and leave no trace: 3,000 in every run, 1,000,000 by hand."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.e2ee.people import Person, conversation

from aparte.e2ee.errors import E2eeError, InvalidMessage
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage

Mutation = Callable[[bytearray, random.Random], None]


def flip_a_bit(body: bytearray, choice: random.Random) -> None:
    body[choice.randrange(len(body))] ^= 1 << choice.randrange(8)


def change_a_byte(body: bytearray, choice: random.Random) -> None:
    body[choice.randrange(len(body))] ^= choice.randrange(1, 256)


def cut_out(body: bytearray, choice: random.Random) -> None:
    start = choice.randrange(len(body))
    del body[start : start + 1 + choice.randrange(40)]


def put_in(body: bytearray, choice: random.Random) -> None:
    start = choice.randrange(len(body) + 1)
    body[start:start] = choice.randbytes(1 + choice.randrange(40))


def repeat_a_part(body: bytearray, choice: random.Random) -> None:
    start = choice.randrange(len(body))
    body[start:start] = body[start : start + 1 + choice.randrange(40)]


MUTATIONS: list[Mutation] = [flip_a_bit, change_a_byte, cut_out, put_in, repeat_a_part]


def mutated(body: bytes, choice: random.Random) -> bytes:
    """`body` with one to three mutations, and never as it was."""
    changed = bytearray(body)
    while bytes(changed) == body or not changed:
        changed = bytearray(body)
        for _ in range(choice.choice((1, 1, 1, 2, 3))):
            choice.choice(MUTATIONS)(changed, choice)
            changed = changed or bytearray(1)
    return bytes(changed)


def mutated_first(body: bytes, choice: random.Random) -> bytes:
    """A mutated first message that is another one: the registration id is under no MAC."""
    while True:
        changed = mutated(body, choice)
        try:
            ours, theirs = FirstMessage.deserialize(body), FirstMessage.deserialize(changed)
        except InvalidMessage:
            return changed
        if replace(theirs, registration_id=ours.registration_id) != ours:
            return changed


def bombard(count: int, seed: int) -> Counter[str]:
    """Send mutated messages of all three kinds to Bob; count how they were refused."""
    choice = random.Random(seed)
    alice, bob = conversation()
    alice.start_chain()
    bob.process(alice, alice.distribute())
    carol = Person.create(3)
    carol.set_up(bob, one_time=True)
    message, first, to_all = alice.encrypt(bob, b"hello"), carol.encrypt(bob, b"hello"), alice.encrypt_group(b"hello")
    before, kept = bob.saved(), (bob.prekeys, dict(bob.records), dict(bob.sender_keys))
    outcome: Counter[str] = Counter()
    deliver: list[Callable[[], object]] = [
        lambda: bob.decrypt(alice, (MESSAGE_TYPE, mutated(message[1], choice))),
        lambda: bob.decrypt(carol, (FIRST_MESSAGE_TYPE, mutated_first(first[1], choice))),
        lambda: bob.decrypt_group(alice, mutated(to_all, choice)),
    ]
    for _ in range(count):
        with pytest.raises(E2eeError) as refusal:
            choice.choice(deliver)()
        outcome[refusal.type.__name__] += 1
        assert (bob.prekeys, bob.records, bob.sender_keys) == kept
    assert bob.saved() == before
    return outcome


def test_mutated_messages_are_refused_without_a_trace() -> None:
    outcome = bombard(3_000, 1)
    assert outcome["InvalidMessage"] > 2_000


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_million_mutated_messages_are_refused_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = bombard(1_000_000, 2)
    with capsys.disabled():
        print(f"\n{dict(outcome)}")  # noqa: T201 - the figure is what this test is run for by hand
    assert outcome["InvalidMessage"] > 500_000
