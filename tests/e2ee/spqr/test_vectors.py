"""docs/vectors/spqr.json holds: what another implementation must reproduce, ours reproduces.

The file was written by `python -m tests.e2ee.spqr.test_vectors` once the official library had agreed with this
implementation; it changes only with the wire.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2ee.spqr.seeded import seeded

from aparte.e2ee import spqr
from aparte.e2ee.errors import DuplicateMessage
from aparte.e2ee.primitives import Random, mlkem768_decapsulate, mlkem768_public_key
from aparte.e2ee.spqr import mlkem_split
from aparte.e2ee.spqr.erasure import Chunk, Decoder, chunk_at
from aparte.e2ee.spqr.message import decode

FILE = Path(__file__).parents[3] / "docs" / "vectors" / "spqr.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
NAMES = ("initiator", "recipient")


def encapsulation(seed: bytes, m: bytes) -> dict[str, str]:
    """One key pair and both halves of an encapsulation for it."""
    public = mlkem768_public_key(seed)
    header, vector = mlkem_split.split_public_key(public)
    ct1, secret = mlkem_split.encapsulate_first(header, m)
    values = {
        "seed": seed,
        "m": m,
        "header": header,
        "vector": vector,
        "ct1": ct1,
        "ct2": mlkem_split.encapsulate_second(header, m, vector),
        "secret": secret,
    }
    return {name: value.hex() for name, value in values.items()}


def erasure_code(data: bytes, numbers: list[int]) -> dict[str, Any]:
    """Data, and some chunks of it that suffice."""
    return {"data": data.hex(), "chunks": {str(number): chunk_at(data, number).hex() for number in numbers}}


def conversation() -> dict[str, Any]:
    """Some 400 messages, a third of them lost; at the end the lost ones arrive after all, where they still can."""
    states = {name: spqr.start(bytes(range(32)), initiator=name == "initiator") for name in NAMES}
    random, steps = seeded(b"conversation"), []
    for number in range(400):
        sender = NAMES[number // 3 % 2]
        recipient = NAMES[1 - NAMES.index(sender)]
        drawn: list[bytes] = []

        def draw(count: int, drawn: list[bytes] = drawn) -> bytes:
            drawn.append(random(count))
            return drawn[-1]

        states[sender], message, key = spqr.send(states[sender], draw)
        arrives = number * number % 7 not in (2, 3)
        if arrives:
            states[recipient], _ = spqr.receive(states[recipient], message)
        steps.append(
            {
                "from": sender,
                "random": b"".join(drawn).hex(),
                "message": message.hex(),
                "key": key.hex(),
                "arrives": arrives,
            }
        )
    return {"auth_key": bytes(range(32)).hex(), "steps": steps, "too_late": too_late(states, steps)}


def drawn_before(text: str) -> Random:
    """Randomness that gives exactly these bytes."""

    def random(count: int) -> bytes:
        drawn = bytes.fromhex(text)
        assert len(drawn) == count
        return drawn

    return random


def too_late(states: dict[str, spqr.SpqrState], steps: list[dict[str, Any]]) -> list[int]:
    """Deliver what was lost: the numbers of the steps whose messages are refused by now."""
    refused = []
    for number, step in enumerate(steps):
        recipient = NAMES[1 - NAMES.index(step["from"])]
        if step["arrives"]:
            continue
        try:
            _, key = spqr.receive(states[recipient], bytes.fromhex(step["message"]))
            assert key.hex() == step["key"]
        except DuplicateMessage:
            refused.append(number)
    return refused


def vectors() -> dict[str, Any]:
    """Everything in the file."""
    random = seeded(b"vectors")
    return {
        "encapsulation": [encapsulation(random(64), random(32)) for _ in range(3)],
        "erasure_code": [
            erasure_code(random(96), [2, 7, 65535]),
            erasure_code(random(160), [100, 5, 0, 3, 2000]),
            erasure_code(random(960), list(range(20, 50))),
            erasure_code(random(1152), list(range(36, 72))),
        ],
        "conversation": conversation(),
    }


@pytest.mark.parametrize("vector", VECTORS.get("encapsulation", []))
def test_encapsulation(vector: dict[str, str]) -> None:
    assert encapsulation(bytes.fromhex(vector["seed"]), bytes.fromhex(vector["m"])) == vector
    secret = mlkem768_decapsulate(bytes.fromhex(vector["seed"]), bytes.fromhex(vector["ct1"] + vector["ct2"]))
    assert secret.hex() == vector["secret"]


@pytest.mark.parametrize("vector", VECTORS.get("erasure_code", []))
def test_erasure_code(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    assert erasure_code(data, [int(number) for number in vector["chunks"]]) == vector
    decoder = Decoder(len(data))
    for number, chunk in vector["chunks"].items():
        decoder = decoder.add(Chunk(int(number), bytes.fromhex(chunk)))
    assert decoder.decode() == data


def test_conversation() -> None:
    """The file is played from its bytes alone: with the randomness it names, each side sends and receives them."""
    vector = VECTORS["conversation"]
    auth_key = bytes.fromhex(vector["auth_key"])
    states = {name: spqr.start(auth_key, initiator=name == "initiator") for name in NAMES}
    for step in vector["steps"]:
        recipient = NAMES[1 - NAMES.index(step["from"])]
        states[step["from"]], message, key = spqr.send(states[step["from"]], drawn_before(step["random"]))
        assert (message.hex(), key.hex()) == (step["message"], step["key"])
        if step["arrives"]:
            states[recipient], key = spqr.receive(states[recipient], message)
            assert key.hex() == step["key"]
    assert too_late(states, vector["steps"]) == vector["too_late"]


def test_the_conversation_has_what_can_go_wrong() -> None:
    steps = VECTORS["conversation"]["steps"]
    messages = [decode(bytes.fromhex(step["message"])) for step in steps if step["arrives"]]
    assert max(message.epoch for message in messages) >= 4
    beyond = {1: 3, 2: 36, 3: 36, 5: 30, 6: 5}
    assert any(message.chunk and message.chunk.number >= beyond[message.kind] for message in messages)
    lost = sum(not step["arrives"] for step in steps)
    assert 0 < len(VECTORS["conversation"]["too_late"]) < lost


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
