"""Keys on the wire, and the signatures and secrets they make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.people import seeded

from aparte.e2ee.errors import InvalidKey, InvalidMessage, InvalidSignature
from aparte.e2ee.keys import KemKeyPair, KemPublicKey, KeyPair, PublicKey

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493


@given(st.binary(min_size=32, max_size=32))
def test_a_key_pair_agrees_with_any_other_and_is_clamped(scalar: bytes) -> None:
    ours, theirs = KeyPair.from_private(scalar), KeyPair.generate(seeded(1))
    assert ours.agree(theirs.public) == theirs.agree(ours.public)
    assert PublicKey.deserialize(ours.public.serialize()) == ours.public
    assert ours.private[0] & 7 == 0
    assert ours.private[31] & 0xC0 == 0x40
    assert KeyPair.from_private(ours.private) == ours


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_private_key_has_32_bytes(length: int) -> None:
    with pytest.raises(InvalidKey):
        KeyPair.from_private(bytes(length))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x05",
        b"\x05" + bytes([9]) * 31,
        b"\x05" + bytes([9]) * 33,
        b"\x06" + bytes([9]) * 32,
        b"\x05" + (FIELD + 9).to_bytes(32, "little"),
        b"\x05" + FIELD.to_bytes(32, "little"),
        b"\x05" + (2**255 + 9).to_bytes(32, "little"),
        b"\x05" + bytes(32),
        b"\x05" + (1).to_bytes(32, "little"),
        b"\x05" + (FIELD - 1).to_bytes(32, "little"),
        bytes.fromhex("05e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("055f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ],
)
def test_unsound_public_keys_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidKey):
        PublicKey.deserialize(data)


def test_the_greatest_coordinates_are_keys() -> None:
    assert PublicKey.deserialize(b"\x05" + (FIELD - 2).to_bytes(32, "little")).u[31] == 0x7F


@given(st.binary(max_size=300), st.integers(0, 2**64))
def test_a_signature_holds_for_its_key_and_data_alone(data: bytes, seed: int) -> None:
    random = seeded(seed)
    signer, other = KeyPair.generate(random), KeyPair.generate(random)
    signature = signer.sign(data, random)
    signer.public.verify(data, signature)
    for public, text in ((other.public, data), (signer.public, data + b".")):
        with pytest.raises(InvalidSignature):
            public.verify(text, signature)


@pytest.mark.parametrize("position", range(64))
def test_no_bit_of_a_signature_can_be_changed(position: int) -> None:
    signer = KeyPair.generate(seeded(3))
    signature = signer.sign(b"data", seeded(4))
    for bit in range(8):
        changed = bytearray(signature)
        changed[position] ^= 1 << bit
        with pytest.raises(InvalidSignature):
            signer.public.verify(b"data", bytes(changed))


def test_the_sign_of_the_edwards_point_travels_in_the_last_byte() -> None:
    signs = {KeyPair.generate(seeded(n)).sign(b"data", seeded(n))[63] >> 7 for n in range(16)}
    assert signs == {0, 1}


def test_a_signature_has_one_form_only() -> None:
    """s + L would be the same number mod L: libsodium refuses it."""
    signer = KeyPair.generate(seeded(3))
    signature = signer.sign(b"data", seeded(4))
    sign_bit = signature[63] & 0x80
    s = int.from_bytes(signature[32:63] + bytes([signature[63] & 0x7F]), "little") + ORDER
    assert s < 2**255
    other = bytearray(signature[:32] + s.to_bytes(32, "little"))
    other[63] |= sign_bit
    with pytest.raises(InvalidSignature):
        signer.public.verify(b"data", bytes(other))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_has_64_bytes(length: int) -> None:
    with pytest.raises(InvalidSignature):
        KeyPair.generate(seeded(1)).public.verify(b"data", bytes(length))


@pytest.mark.parametrize("u", [FIELD - 1, FIELD, 2**255 - 1, 2**256 - 1])
def test_nothing_is_signed_by_a_coordinate_outside_the_curve(u: int) -> None:
    with pytest.raises(InvalidSignature):
        PublicKey(u.to_bytes(32, "little")).verify(b"data", bytes(64))


def test_two_signatures_of_the_same_data_differ_by_their_randomness() -> None:
    signer = KeyPair.generate(seeded(3))
    assert signer.sign(b"data", seeded(1)) != signer.sign(b"data", seeded(2))
    assert signer.sign(b"data", seeded(1)) == signer.sign(b"data", seeded(1))


def test_kyber_secrets_agree() -> None:
    pair = KemKeyPair.generate(seeded(5))
    secret, ciphertext = KemPublicKey.deserialize(pair.public.serialize()).encapsulate()
    assert pair.decapsulate(ciphertext) == secret
    changed = bytearray(ciphertext)
    changed[-1] ^= 1
    assert pair.decapsulate(bytes(changed)) != secret


@pytest.mark.parametrize("change", [slice(0, 1), slice(1, 2)], ids=["no type", "short"])
def test_kyber_ciphertexts_have_their_type_and_length(change: slice) -> None:
    pair = KemKeyPair.generate(seeded(5))
    ciphertext = bytearray(pair.public.encapsulate()[1])
    del ciphertext[change]
    with pytest.raises(InvalidMessage):
        pair.decapsulate(bytes(ciphertext))
    with pytest.raises(InvalidMessage):
        pair.decapsulate(b"\x0a" + bytes(ciphertext)[-1568:])


def test_unsound_kyber_public_keys_are_refused() -> None:
    encoded = KemKeyPair.generate(seeded(5)).public.serialize()
    for data in (b"", encoded[:-1], encoded + b"\x00", b"\x0a" + encoded[1:], b"\x08" + b"\xff" * 1568):
        with pytest.raises(InvalidKey):
            KemPublicKey.deserialize(data)
