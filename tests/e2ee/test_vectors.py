"""docs/vectors hold: what another implementation must reproduce, ours reproduces."""

import json
import uuid
from pathlib import Path
from typing import Any, Self

import pytest

from aparte.e2ee import fingerprint, group, handshake, prekeys, session
from aparte.e2ee.devices import Address, OwnDevice, PeerDevice
from aparte.e2ee.errors import E2eeError
from aparte.e2ee.fingerprint import Identity
from aparte.e2ee.group import Distribution, OwnChain, SenderKeyMessage
from aparte.e2ee.handshake import RecipientKeys
from aparte.e2ee.kdf_chain import KdfChain
from aparte.e2ee.keys import KemKeyPair, KemPublicKey, KeyPair, PublicKey
from aparte.e2ee.messages import FIRST_MESSAGE_TYPE, MESSAGE_TYPE, FirstMessage, SignalMessage
from aparte.e2ee.prekeys import LastResortPrekey, Prekeys, SignedPrekey
from aparte.e2ee.session import Parties, SessionRecord

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


class Drawn:
    """Randomness that hands out exactly the given bytes, in order."""

    def __init__(self, data: str) -> None:
        self._left = bytes.fromhex(data)

    def __call__(self, count: int) -> bytes:
        assert len(self._left) >= count, "more was drawn than the vector says"
        drawn, self._left = self._left[:count], self._left[count:]
        return drawn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert not self._left, "less was drawn than the vector says"


def private_key(text: str) -> KeyPair:
    return KeyPair.from_private(bytes.fromhex(text))


@pytest.mark.parametrize("vector", load("xeddsa"))
def test_signatures(vector: dict[str, str]) -> None:
    pair, data = private_key(vector["private"]), bytes.fromhex(vector["data"])
    assert pair.public.serialize().hex() == vector["public"]
    with Drawn(vector["random"]) as random:
        assert pair.sign(data, random).hex() == vector["signature"]
    pair.public.verify(data, bytes.fromhex(vector["signature"]))


def test_signatures_have_both_signs() -> None:
    assert {vector["signature"][-2] > "7" for vector in load("xeddsa")} == {True, False}


@pytest.mark.parametrize("vector", load("kyber1024"))
def test_kyber(vector: dict[str, str]) -> None:
    pair = KemKeyPair(bytes.fromhex(vector["seed"]))
    assert pair.public.serialize().hex() == vector["public"]
    assert pair.decapsulate(bytes.fromhex(vector["ciphertext"])).hex() == vector["secret"]


@pytest.mark.parametrize("vector", load("pqxdh"))
def test_handshake(vector: dict[str, str]) -> None:
    one_time = private_key(vector["one_time_prekey"]) if vector["one_time_prekey"] else None
    kem = KemKeyPair(bytes.fromhex(vector["kyber_seed"]))
    keys = RecipientKeys(private_key(vector["recipient_identity"]), private_key(vector["signed_prekey"]), kem, one_time)
    identity, base_key = private_key(vector["initiator_identity"]).public, private_key(vector["base_key"]).public
    ciphertext = bytes.fromhex(vector["kyber_ciphertext"])
    assert kem.decapsulate(ciphertext).hex() == vector["kyber_secret"]
    secrets = handshake.respond(keys, identity, base_key, ciphertext)
    assert [secrets.root.hex(), secrets.chain.hex(), secrets.pq_auth_key.hex()] == [
        vector["root"],
        vector["chain"],
        vector["pq_auth_key"],
    ]


class Conversation:
    """Plays docs/vectors/session.json again; the encapsulation of Kyber is put in the place of a fresh one."""

    def __init__(self, vectors: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.own: dict[str, OwnDevice] = {}
        self.prekeys: dict[str, Prekeys] = {}
        self.records: dict[str, SessionRecord | None] = {"alice": None, "bob": None}
        for name, device in vectors["devices"].items():
            self._add(name, device)
        initiated = vectors["steps"][0]
        encapsulated = bytes.fromhex(initiated["kyber_secret"]), bytes.fromhex(initiated["kyber_ciphertext"])
        monkeypatch.setattr(KemPublicKey, "encapsulate", lambda _: encapsulated)

    def _add(self, name: str, device: dict[str, Any]) -> None:
        own = OwnDevice(Address.parse(device["address"]), device["registration_id"], private_key(device["identity"]))
        signed, kem = (
            private_key(device["signed_prekey"]["private"]),
            KemKeyPair(bytes.fromhex(device["kyber_prekey"]["seed"])),
        )
        signatures = [own.identity.sign(key.serialize(), bytes) for key in (signed.public, kem.public)]
        self.own[name] = own
        self.prekeys[name] = Prekeys(
            100,
            (SignedPrekey(device["signed_prekey"]["id"], signed, signatures[0], 0),),
            (LastResortPrekey(device["kyber_prekey"]["id"], kem, signatures[1], 0),),
            (),
            (),
        )

    def parties(self, name: str) -> Parties:
        peer = self.own["bob" if name == "alice" else "alice"]
        return Parties(self.own[name], PeerDevice(peer.address, peer.identity.public))

    def initiate(self, random: Drawn) -> None:
        bundle = prekeys.bundle(self.prekeys["bob"], self.own["bob"], None)
        self.records["alice"] = session.initiate(None, self.parties("alice"), bundle, random)

    def encrypt(self, name: str, plaintext: bytes, random: Drawn) -> tuple[int, bytes]:
        record = self.records[name]
        assert record is not None
        self.records[name], kind, body = session.encrypt(record, plaintext, random)
        return kind, body

    def decrypt(self, name: str, kind: int, body: bytes, random: Drawn) -> bytes:
        if kind == MESSAGE_TYPE:
            self.records[name], plaintext = session.decrypt(self.records[name], body, random)
            return plaintext
        accepted = session.accept(
            self.records[name], self.parties(name), self.prekeys[name], FirstMessage.deserialize(body), random
        )
        self.records[name], plaintext, self.prekeys[name] = accepted
        return plaintext


def test_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = load("session")
    conversation = Conversation(vectors, monkeypatch)
    sent: dict[int, dict[str, Any]] = {}
    for step in vectors["steps"]:
        with Drawn(step["random"]) as random:
            if step["op"] == "initiate":
                conversation.initiate(random)
            elif step["op"] == "encrypt":
                kind, body = conversation.encrypt(step["who"], bytes.fromhex(step["plaintext"]), random)
                assert (kind, body.hex()) == (step["type"], step["message"]), step["number"]
                sent[step["number"]] = step
            else:
                message = sent[step["number"]]
                body = bytes.fromhex(message["message"])
                assert conversation.decrypt(step["who"], message["type"], body, random).hex() == message["plaintext"]
    for refusal in vectors["refused_by_bob_at_the_end"]:
        with pytest.raises(E2eeError):
            conversation.decrypt("bob", refusal["type"], bytes.fromhex(refusal["message"]), Drawn("00" * 200))


def test_the_conversation_has_everything_in_it() -> None:
    steps = load("session")["steps"]
    types = {step["type"] for step in steps if step["op"] == "encrypt"}
    later = [bytes.fromhex(step["message"]) for step in steps if step.get("type") == MESSAGE_TYPE]
    epochs = {SignalMessage.deserialize(body).spqr_message[1] for body in later}
    assert types == {MESSAGE_TYPE, FIRST_MESSAGE_TYPE}
    order = [step["number"] for step in steps if step["op"] == "decrypt"]
    assert order != sorted(order)
    assert len(epochs) >= 3


def test_sender_keys() -> None:
    vectors = load("sender_keys")
    record = group.process(None, Distribution.deserialize(bytes.fromhex(vectors["distribution_before_message_2"])))
    given = Distribution.deserialize(bytes.fromhex(vectors["distribution_before_message_2"]))
    signing = private_key(vectors["signing_private"])
    chain = OwnChain(
        uuid.UUID(vectors["distribution_id"]).bytes, given.chain_id, KdfChain(given.key, given.iteration), signing, 0
    )
    for number, message in enumerate(vectors["messages"]):
        body = bytes.fromhex(message["message"])
        if number < 2:
            with pytest.raises(E2eeError):
                group.decrypt(record, SenderKeyMessage.deserialize(body))
            continue
        with Drawn(message["random"]) as random:
            chain, ours = group.encrypt(chain, bytes.fromhex(message["plaintext"]), random)
        assert ours == body
        record, plaintext = group.decrypt(record, SenderKeyMessage.deserialize(body))
        assert plaintext.hex() == message["plaintext"]


@pytest.mark.parametrize("vector", load("safety_numbers"))
def test_safety_numbers(vector: dict[str, str]) -> None:
    local, remote = (
        Identity(bytes.fromhex(vector[f"{side}_id"]), PublicKey.deserialize(bytes.fromhex(vector[f"{side}_key"])))
        for side in ("local", "remote")
    )
    number = fingerprint.compute(local, remote)
    assert (number.display, number.scannable.hex()) == (vector["display"], vector["scannable"])
