"""Every primitive answers the published vectors: Wycheproof, NIST, and the examples of the RFCs."""

import pytest
from tests.e2ee.wycheproof import nist, wycheproof

from aparte.e2ee import primitives
from aparte.e2ee.errors import InvalidKey, InvalidMessage, InvalidSignature

MLKEM = {
    "768": (
        primitives.mlkem768_public_key,
        primitives.mlkem768_encapsulate,
        primitives.mlkem768_decapsulate,
        primitives.MLKEM768_CIPHERTEXT_BYTES,
    ),
    "1024": (
        primitives.mlkem1024_public_key,
        primitives.mlkem1024_encapsulate,
        primitives.mlkem1024_decapsulate,
        primitives.MLKEM1024_CIPHERTEXT_BYTES,
    ),
}
RSP = "Cipher/AES/CBC{}256.rsp"


def test_x25519_agrees_and_refuses_points_of_low_order() -> None:
    refused = 0
    for _, test in wycheproof("Protocol/wycheproof/x25519_test.json"):
        private, public = bytes.fromhex(test["private"]), bytes.fromhex(test["public"])
        shared = bytes.fromhex(test["shared"])
        if shared == bytes(32):
            refused += 1
            with pytest.raises(InvalidKey):
                primitives.x25519(private, public)
        else:
            assert primitives.x25519(private, public) == shared
    assert refused > 10


def test_x25519_computes_the_keys_of_rfc_7748() -> None:
    private = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert primitives.x25519_public(private) == public


@pytest.mark.parametrize("length", [0, 31, 33])
def test_x25519_refuses_keys_of_another_length(length: int) -> None:
    with pytest.raises(InvalidKey):
        primitives.x25519(bytes([1]) * 32, bytes([9]) * length)


def test_hkdf_derives_what_wycheproof_expects() -> None:
    checked = 0
    for _, test in wycheproof("Protocol/wycheproof/hkdf_sha256_test.json"):
        arguments = (bytes.fromhex(test["salt"]), bytes.fromhex(test["ikm"]), bytes.fromhex(test["info"]))
        if test["result"] == "invalid":
            with pytest.raises(ValueError, match="8160"):
                primitives.hkdf(*arguments, test["size"])
        else:
            checked += 1
            assert primitives.hkdf(*arguments, test["size"]).hex() == test["okm"]
    assert checked > 50


def test_hkdf_yields_1_to_8160_bytes() -> None:
    assert len(primitives.hkdf(b"salt", b"key", b"info", 1)) == 1
    assert len(primitives.hkdf(b"salt", b"key", b"info", 8160)) == 8160
    for length in (-1, 0, 8161):
        with pytest.raises(ValueError, match="8160"):
            primitives.hkdf(b"salt", b"key", b"info", length)


def test_no_salt_is_the_salt_of_zeros() -> None:
    assert primitives.hkdf(b"", b"key", b"info", 42) == primitives.hkdf(primitives.NO_SALT, b"key", b"info", 42)


def test_ed25519_verification_agrees_with_wycheproof() -> None:
    counts = {"valid": 0, "invalid": 0}
    for group, test in wycheproof("Signature/wycheproof/ed25519_test.json"):
        public, data = bytes.fromhex(group["publicKey"]["pk"]), bytes.fromhex(test["msg"])
        signature = bytes.fromhex(test["sig"])
        is_valid = test["result"] == "valid"
        if test["result"] == "acceptable":  # verifiers differ: ours refuses keys of low order, as it should
            is_valid = "MixedOrderPublicKey" in test["flags"]
        counts["valid" if is_valid else "invalid"] += 1
        if is_valid:
            primitives.ed25519_verify(public, data, signature)
        else:
            with pytest.raises(InvalidSignature):
                primitives.ed25519_verify(public, data, signature)
    assert min(counts.values()) > 50


@pytest.mark.parametrize("size", MLKEM)
def test_mlkem_generates_the_keys_of_wycheproof(size: str) -> None:
    public_key, *_ = MLKEM[size]
    for _, test in wycheproof(f"Protocol/wycheproof/mlkem_{size}_keygen_seed_test.json"):
        assert public_key(bytes.fromhex(test["seed"])).hex() == test["ek"]


@pytest.mark.parametrize("size", MLKEM)
def test_mlkem_decapsulates_as_wycheproof_expects(size: str) -> None:
    *_, decapsulate, ciphertext_bytes = MLKEM[size]
    counts = {"valid": 0, "invalid": 0}
    for _, test in wycheproof(f"Protocol/wycheproof/mlkem_{size}_test.json"):
        seed, ciphertext = bytes.fromhex(test["seed"]), bytes.fromhex(test["c"])
        counts[test["result"]] += 1
        if test["result"] == "valid":
            assert decapsulate(seed, ciphertext).hex() == test["K"]
        else:
            assert len(seed) != primitives.MLKEM_SEED_BYTES or len(ciphertext) != ciphertext_bytes
            with pytest.raises(InvalidMessage):
                decapsulate(seed, ciphertext)
    assert min(counts.values()) > 10


@pytest.mark.parametrize("size", MLKEM)
def test_mlkem_encapsulates_to_sound_keys_only(size: str) -> None:
    _, encapsulate, _, ciphertext_bytes = MLKEM[size]
    counts = {"valid": 0, "invalid": 0}
    for _, test in wycheproof(f"Protocol/wycheproof/mlkem_{size}_encaps_test.json"):
        public = bytes.fromhex(test["ek"])
        counts[test["result"]] += 1
        if test["result"] == "valid":
            secret, ciphertext = encapsulate(public)
            assert len(secret) == primitives.MLKEM_SECRET_BYTES
            assert len(ciphertext) == ciphertext_bytes
        else:
            with pytest.raises(InvalidKey):
                encapsulate(public)
    assert min(counts.values()) > 10


def test_mlkem1024_check_refuses_what_encapsulation_refuses() -> None:
    for _, test in wycheproof("Protocol/wycheproof/mlkem_1024_encaps_test.json"):
        if test["result"] == "valid":
            primitives.mlkem1024_check_public_key(bytes.fromhex(test["ek"]))
        else:
            with pytest.raises(InvalidKey):
                primitives.mlkem1024_check_public_key(bytes.fromhex(test["ek"]))


@pytest.mark.parametrize("kind", ["GFSbox", "KeySbox", "VarKey", "VarTxt", "MMT"])
def test_aes_cbc_encrypts_and_decrypts_the_vectors_of_nist(kind: str) -> None:
    checked = 0
    for record in nist(RSP.format(kind)):
        if "PLAINTEXT" not in record:
            continue
        key, iv = bytes.fromhex(record["KEY"]), bytes.fromhex(record["IV"])
        plaintext, expected = bytes.fromhex(record["PLAINTEXT"]), bytes.fromhex(record["CIPHERTEXT"])
        ciphertext = primitives.aes_cbc_encrypt(key, iv, plaintext)
        assert ciphertext[:-16] == expected  # NIST's vectors have no padding: ours is the block after them
        assert primitives.aes_cbc_decrypt(key, iv, ciphertext) == plaintext
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize("padding", [b"\x00", b"\x11", b"\x01\x02", b"\x02\x03\x03", b"\xff" * 16])
def test_aes_cbc_refuses_bad_padding(padding: bytes) -> None:
    key, iv = bytes(32), bytes(16)
    block = padding.rjust(16, b"x")
    ciphertext = primitives.aes_cbc_encrypt(key, iv, block)[:16]
    with pytest.raises(InvalidMessage):
        primitives.aes_cbc_decrypt(key, iv, ciphertext)


@pytest.mark.parametrize("length", [0, 1, 15, 17])
def test_aes_cbc_refuses_what_is_no_whole_number_of_blocks(length: int) -> None:
    with pytest.raises(InvalidMessage):
        primitives.aes_cbc_decrypt(bytes(32), bytes(16), bytes(length))


def test_aes_ctr_is_the_one_of_nist_sp_800_38a() -> None:
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    plaintext = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    ciphertext = "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"  # F.5.5, CTR-AES256.Encrypt
    assert primitives.aes_ctr(key, counter, plaintext).hex() == ciphertext
    assert primitives.aes_ctr(key, counter, bytes.fromhex(ciphertext)) == plaintext


@pytest.mark.parametrize(
    ("key", "data", "tag"),
    [  # RFC 4231, test cases 1, 2 and 6
        ("0b" * 20, b"Hi There".hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".hex(),
            b"what do ya want for nothing?".hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "aa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First".hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_hmac_sha256_is_the_one_of_rfc_4231(key: str, data: str, tag: str) -> None:
    assert primitives.hmac_sha256(bytes.fromhex(key), bytes.fromhex(data)).hex() == tag


def test_sha512_answers_the_vectors_of_nist() -> None:
    records = [record for record in nist("Hash/SHA2/SHA512ShortMsg.rsp") if "Len" in record]
    assert len(records) > 50
    for record in records:
        message = bytes.fromhex(record["Msg"])[: int(record["Len"]) // 8]
        assert primitives.sha512(message).hex() == record["MD"].lower()


@pytest.mark.parametrize("name", ["SHA3-256", "SHA3-512", "SHAKE128", "SHAKE256"])
def test_keccak_answers_the_vectors_of_its_authors(name: str) -> None:
    checked = 0
    for record in nist(f"Hash/SHA3/ShortMsgKAT_{name}.txt"):
        if "MD" not in record or int(record["Len"]) % 8:
            continue
        message, expected = bytes.fromhex(record["Msg"])[: int(record["Len"]) // 8], bytes.fromhex(record["MD"])
        digest = {
            "SHA3-256": primitives.sha3_256(message),
            "SHA3-512": primitives.sha3_512(message),
            "SHAKE128": primitives.shake128(message, len(expected)),
            "SHAKE256": primitives.shake256(message, len(expected)),
        }[name]
        assert digest == expected
        checked += 1
    assert checked > 50


def test_sha256_is_the_one_of_fips_180() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert primitives.sha256(b"abc").hex() == expected


def test_constant_time_equal_compares() -> None:
    assert primitives.constant_time_equal(b"same", b"same")
    assert not primitives.constant_time_equal(b"same", b"sane")
    assert not primitives.constant_time_equal(b"same", b"same longer")
