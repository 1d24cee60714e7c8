"""Writes docs/vectors/*.json: what every implementation of the Signal wire must reproduce byte for byte.

Run by hand (`python tools/e2ee_vectors.py`) when the protocol gains something, never to make a test pass. All is
drawn from fixed seeds but the encapsulation of Kyber, whose randomness the library draws itself.
"""

import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aparte.e2ee import fingerprint, group, handshake, prekeys, session
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.handshake import RecipientKeys
from aparte.e2ee.keys import KemKeyPair, KeyPair
from aparte.e2ee.messages import FirstMessage
from aparte.e2ee.prekeys import Prekeys
from aparte.e2ee.session import Parties, SessionRecord

FOLDER = Path(__file__).parents[1] / "docs" / "vectors"
NOW = 1_800_000_000_000
MESSAGES = 240

Random = Callable[[int], bytes]


class Draws:
    """Seeded randomness that remembers what was drawn since it was last asked."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311 - vectors must be repeatable
        self._drawn = b""

    def __call__(self, count: int) -> bytes:
        data = self._source.randbytes(count)
        self._drawn += data
        return data

    def taken(self) -> str:
        """What was drawn, as hex, in order."""
        drawn, self._drawn = self._drawn.hex(), b""
        return drawn


def xeddsa() -> list[dict[str, str]]:
    """Signatures with both signs of the Edwards point."""
    vectors = []
    for number in range(8):
        draw = Draws(number)
        pair, data = KeyPair.generate(draw), bytes(range(number * 9))
        draw.taken()
        signature = pair.sign(data, draw)
        vectors.append(
            {
                "private": pair.private.hex(),
                "public": pair.public.serialize().hex(),
                "data": data.hex(),
                "random": draw.taken(),
                "signature": signature.hex(),
            }
        )
    return vectors


def kyber1024() -> list[dict[str, str]]:
    """Key generation and decapsulation, with the last hash of round 3."""
    vectors = []
    for number in range(3):
        pair = KemKeyPair.generate(Draws(100 + number))
        secret, ciphertext = pair.public.encapsulate()
        vectors.append(
            {
                "seed": pair.seed.hex(),
                "public": pair.public.serialize().hex(),
                "ciphertext": ciphertext.hex(),
                "secret": secret.hex(),
            }
        )
    return vectors


def pqxdh() -> list[dict[str, Any]]:
    """Both sides' private keys and what they derive, with and without a one-time prekey."""
    vectors = []
    for number, has_one_time in enumerate((True, False)):
        draw = Draws(200 + number)
        alice, base, bob, signed, one_time = (KeyPair.generate(draw) for _ in range(5))
        kem = KemKeyPair.generate(draw)
        kem_secret, ciphertext = kem.public.encapsulate()
        keys = RecipientKeys(bob, signed, kem, one_time if has_one_time else None)
        secrets = handshake.respond(keys, alice.public, base.public, ciphertext)
        vectors.append(
            {
                "initiator_identity": alice.private.hex(),
                "base_key": base.private.hex(),
                "recipient_identity": bob.private.hex(),
                "signed_prekey": signed.private.hex(),
                "one_time_prekey": one_time.private.hex() if has_one_time else None,
                "kyber_seed": kem.seed.hex(),
                "kyber_ciphertext": ciphertext.hex(),
                "kyber_secret": kem_secret.hex(),
                "root": secrets.root.hex(),
                "chain": secrets.chain.hex(),
                "pq_auth_key": secrets.pq_auth_key.hex(),
            }
        )
    return vectors


class _Device:
    """One end of the conversation in session.json."""

    def __init__(self, number: int) -> None:
        self.draw = Draws(300 + number)
        self.own = OwnDevice(Address(uuid.UUID(int=number).bytes, number), 1_000 + number, KeyPair.generate(self.draw))
        self.prekeys: Prekeys = prekeys.create(self.own.identity, NOW, self.draw)
        self.record: SessionRecord | None = None
        self.draw.taken()

    def description(self) -> dict[str, Any]:
        signed, last_resort = self.prekeys.signed[0], self.prekeys.last_resort[0]
        return {
            "address": str(self.own.address),
            "registration_id": self.own.registration_id,
            "identity": self.own.identity.private.hex(),
            "signed_prekey": {"id": signed.id, "private": signed.pair.private.hex()},
            "kyber_prekey": {"id": last_resort.id, "seed": last_resort.pair.seed.hex()},
        }


def conversation() -> dict[str, Any]:
    """A long talk with late messages, over several epochs of SPQR; every draw of either side is given."""
    alice, bob = _Device(1), _Device(2)
    devices = {"alice": alice, "bob": bob}
    described = {name: device.description() for name, device in devices.items()}
    parties = {
        "alice": Parties(alice.own, PeerDevice(bob.own.address, bob.own.identity.public)),
        "bob": Parties(bob.own, PeerDevice(alice.own.address, alice.own.identity.public)),
    }
    alice.record = session.initiate(None, parties["alice"], prekeys.bundle(bob.prekeys, bob.own, None), alice.draw)
    steps: list[dict[str, Any]] = [_initiated(alice, bob)]
    choice = random.Random(9)  # noqa: S311 - vectors must be repeatable
    on_the_way: list[tuple[str, str, int, bytes]] = []
    for number in range(MESSAGES):
        name = choice.choice(("alice", "bob")) if number else "alice"
        steps.append(_encrypt(devices[name], name, b"message %d" % number, on_the_way, number))
        while on_the_way and (number == 0 or choice.random() < 0.55):
            steps.append(_decrypt(devices, parties, on_the_way.pop(choice.randrange(min(4, len(on_the_way))))))
    steps += [_decrypt(devices, parties, entry) for entry in on_the_way]
    first = next(step for step in steps if step["op"] == "encrypt")
    refused = [
        {"why": "version 3", "type": 3, "message": "34" + first["message"][2:]},
        {"why": "repeated", "type": 3, "message": first["message"]},
        {"why": "cut short", "type": 3, "message": first["message"][:-2]},
    ]
    return {"devices": described, "steps": steps, "refused_by_bob_at_the_end": refused}


def _initiated(alice: _Device, bob: _Device) -> dict[str, Any]:
    """The set-up, with the Kyber secret: another encapsulation would lead to another conversation."""
    pending = alice.record.current.pending if alice.record else None
    if pending is None:
        raise ValueError("nothing was initiated")
    return {
        "who": "alice",
        "op": "initiate",
        "random": alice.draw.taken(),
        "kyber_ciphertext": pending.kem_ciphertext.hex(),
        "kyber_secret": bob.prekeys.last_resort[0].pair.decapsulate(pending.kem_ciphertext).hex(),
    }


def _encrypt(
    device: _Device, name: str, plaintext: bytes, on_the_way: list[tuple[str, str, int, bytes]], number: int
) -> dict[str, Any]:
    if device.record is None:
        raise ValueError("nobody has spoken yet")
    device.record, kind, body = session.encrypt(device.record, plaintext, device.draw)
    on_the_way.append((name, plaintext.hex(), kind, body))
    return {
        "who": name,
        "op": "encrypt",
        "number": number,
        "random": device.draw.taken(),
        "plaintext": plaintext.hex(),
        "type": kind,
        "message": body.hex(),
    }


def _decrypt(
    devices: dict[str, _Device], parties: dict[str, Parties], entry: tuple[str, str, int, bytes]
) -> dict[str, Any]:
    sender, plaintext, kind, body = entry
    name = "bob" if sender == "alice" else "alice"
    device = devices[name]
    if kind == 2:
        device.record, text = session.decrypt(device.record, body, device.draw)
    else:
        first = FirstMessage.deserialize(body)
        device.record, text, device.prekeys = session.accept(
            device.record, parties[name], device.prekeys, first, device.draw
        )
    if text.hex() != plaintext:
        raise ValueError("a message was not read as it was written")
    number = int(text.split()[-1])
    return {"who": name, "op": "decrypt", "number": number, "random": device.draw.taken()}


def sender_keys() -> dict[str, Any]:
    """A chain from its start, given away before its third message."""
    draw = Draws(400)
    distribution_id = uuid.UUID(int=7)
    chain = group.start(distribution_id, NOW, draw)
    private = chain.signing.private.hex()
    steps, distribution = [], b""
    draw.taken()
    for number in range(8):
        if number == 2:
            distribution = group.distribute(chain)
        plaintext = b"to all %d" % number
        chain, body = group.encrypt(chain, plaintext, draw)
        steps.append({"random": draw.taken(), "plaintext": plaintext.hex(), "message": body.hex()})
    return {
        "distribution_id": str(distribution_id),
        "signing_private": private,
        "distribution_before_message_2": distribution.hex(),
        "messages": steps,
    }


def safety_numbers() -> list[dict[str, str]]:
    """Two people, seen from both sides."""
    people = [fingerprint.Identity(bytes([n]) * 16, KeyPair.generate(Draws(500 + n)).public) for n in (1, 2)]
    vectors = []
    for local, remote in (people, people[::-1]):
        number = fingerprint.compute(local, remote)
        vectors.append(
            {
                "local_id": local.identifier.hex(),
                "local_key": local.key.serialize().hex(),
                "remote_id": remote.identifier.hex(),
                "remote_key": remote.key.serialize().hex(),
                "display": number.display,
                "scannable": number.scannable.hex(),
            }
        )
    return vectors


def main() -> None:
    """Write all files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in (xeddsa, kyber1024, pqxdh, sender_keys, safety_numbers):
        (FOLDER / f"{make.__name__}.json").write_text(json.dumps(make(), indent=1) + "\n")
    (FOLDER / "session.json").write_text(json.dumps(conversation(), indent=1) + "\n")


if __name__ == "__main__":
    main()
