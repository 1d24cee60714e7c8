"""Safety numbers are the same digits and codes everywhere; signatures of either side hold on the other."""

import base64
import secrets

import pytest
from tests.interop.party_process import PartyProcess

from aparte.e2ee import fingerprint
from aparte.e2ee.fingerprint import Identity
from aparte.e2ee.keys import KeyPair, PublicKey


def random_identity() -> Identity:
    return Identity(secrets.token_bytes(16), KeyPair.generate(secrets.token_bytes).public)


@pytest.mark.parametrize("_", range(5))
def test_safety_numbers_are_the_official_ones(aparte: PartyProcess, oracle: PartyProcess, _: int) -> None:
    alice, bob = random_identity(), random_identity()
    numbers = []
    for local, remote in ((alice, bob), (bob, alice)):
        question = {
            "iterations": 5200,
            "version": 2,
            "lid": local.identifier,
            "lkey": local.key.serialize(),
            "rid": remote.identifier,
            "rkey": remote.key.serialize(),
        }
        ours = aparte.ask("fingerprint", **question)
        assert ours == oracle.ask("fingerprint", **question)
        numbers.append(ours)
    assert numbers[0]["display"] == numbers[1]["display"]
    scanned = base64.b64decode(numbers[1]["scannable"])
    assert fingerprint.compute(alice, bob).matches(scanned)


def test_prekey_signatures_hold_on_the_other_side(aparte: PartyProcess, oracle: PartyProcess) -> None:
    for number in range(20):  # half of all signatures carry the sign bit
        for signer, verifier in ((aparte, oracle), (oracle, aparte)):
            name = f"00000000-0000-4000-8000-{number:012}.1"
            signer.ask("new", name=name)
            bundle = signer.ask("bundle", name=name, otp=False)
            for key, signature in (("spk", "spkSig"), ("pq", "pqSig")):
                question = {"key": bundle["identity"], "data": bundle[key], "sig": bundle[signature]}
                assert verifier.ask("verify", **question) == {"ok": True}
                other = {**question, "data": bundle["spkSig"]}
                assert verifier.ask("verify", **other) == {"ok": False}


def test_either_side_reads_the_keys_of_the_other(oracle: PartyProcess) -> None:
    identity = base64.b64decode(oracle.ask("new", name="00000000-0000-4000-8000-000000000001.1")["identity"])
    assert PublicKey.deserialize(identity).serialize() == identity
