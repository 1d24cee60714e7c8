"""Containers: whole or not at all, for one key and one purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.people import seeded

from aparte.e2ee import container
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import aes_gcm_encrypt, hkdf

KEY = b"k" * 32
HEAD = 69
CHUNK = 65_536 + 16
LENGTHS = [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 200_000]


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_sealed_opens(length: int) -> None:
    data = seeded(length)(length)
    sealed = container.seal(KEY, b"file", data, seeded(1))
    assert container.open_(KEY, b"file", sealed) == data
    assert len(sealed) == HEAD + length + 16 * max(1, -(-length // 65_536))


@given(st.binary(max_size=200), st.data())
def test_any_other_bit_and_anything_cut_off_is_refused(content: bytes, data: st.DataObject) -> None:
    sealed = container.seal(KEY, b"link", content, seeded(2))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    altered = bytearray(sealed)
    altered[bit // 8] ^= 1 << bit % 8
    for wrong in (bytes(altered), sealed[: data.draw(st.integers(0, len(sealed) - 1))]):
        with pytest.raises(InvalidMessage):
            container.open_(KEY, b"link", wrong)


def test_each_chunk_has_its_place() -> None:
    sealed = container.seal(KEY, b"file", seeded(3)(200_000), seeded(3))
    head, body = sealed[:HEAD], sealed[HEAD:]
    one, two, three, rest = (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    assert container.open_(KEY, b"file", head + one + two + three + rest)
    for wrong in (
        [two, one, three, rest],
        [one, three, rest],
        [one, two, three],
        [one],
        [one, two, three, three, rest],
        [one, two, three, rest, rest],
        [rest],
        [],
        [one, two, three, rest[:16]],
        [one, two, three, rest, bytes(1)],
    ):
        with pytest.raises(InvalidMessage):
            container.open_(KEY, b"file", head + b"".join(wrong))


def test_an_empty_chunk_after_others_is_refused_though_its_tag_holds() -> None:
    salt = bytes(32)
    derived = hkdf(salt, KEY, b"container-v1:file", 64)
    full = aes_gcm_encrypt(derived[:32], bytes(12), bytes(65_536))
    empty = aes_gcm_encrypt(derived[:32], (1).to_bytes(8, "big") + (1).to_bytes(4, "big"), b"")
    with pytest.raises(InvalidMessage):
        container.open_(KEY, b"file", b"APRT\x01" + salt + derived[32:] + full + empty)


@pytest.mark.parametrize(("key", "purpose"), [(b"x" * 32, b"file"), (KEY, b"link"), (KEY, b""), (KEY[:31], b"file")])
def test_another_key_or_purpose_opens_nothing(key: bytes, purpose: bytes) -> None:
    sealed = container.seal(KEY, b"file", b"data", seeded(4))
    with pytest.raises(InvalidMessage):
        container.open_(key, purpose, sealed)


def test_two_containers_of_the_same_share_nothing_but_the_front() -> None:
    random = seeded(5)
    one, two = (container.seal(KEY, b"file", bytes(100), random) for _ in range(2))
    assert one[:5] == two[:5]
    assert not {one[at : at + 16] for at in range(5, len(one) - 16)} & {
        two[at : at + 16] for at in range(5, len(two) - 16)
    }
