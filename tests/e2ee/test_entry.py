"""Entries: what is sealed opens again in its place, and nowhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.e2ee.people import seeded

from aparte.e2ee import entry
from aparte.e2ee.entry import CONTENT_BYTES_MAX, Head
from aparte.e2ee.errors import InvalidMessage
from aparte.e2ee.primitives import NO_SALT, aes_ctr, hkdf, hmac_sha256, sha256

KEY = bytes(range(32))
HEAD = Head(1, b"\xc0" * 16, b"\xa0" * 16, b"\xd0" * 16, 7, b"\x11" * 32, 1, b"\x22" * 16)
near_blocks = st.builds(
    lambda blocks, more: max(0, blocks * 160 + more), st.integers(0, 4), st.integers(-2, 2)
) | st.sampled_from([CONTENT_BYTES_MAX - 1, CONTENT_BYTES_MAX])


@given(near_blocks, st.integers())
def test_what_is_sealed_opens_and_shows_its_size_in_steps_of_160(length: int, seed: int) -> None:
    content = seeded(seed)(length)
    sealed = entry.seal(HEAD, content, KEY)
    assert entry.open_(HEAD, sealed, KEY) == content
    assert len(sealed) == (length // 160 + 1) * 160 + 32


@given(st.sampled_from([b"\x80", b"\x80\0", b"\0", b"\x80" * 160, b"\0" * 160, b"a\x80\0\0"]))
def test_content_that_looks_like_padding_opens_again(content: bytes) -> None:
    assert entry.open_(HEAD, entry.seal(HEAD, content, KEY), KEY) == content


def test_content_has_at_most_65_000_bytes() -> None:
    with pytest.raises(ValueError, match="too long"):
        entry.seal(HEAD, bytes(CONTENT_BYTES_MAX + 1), KEY)


@given(st.integers(0, 192 * 8 - 1))
def test_any_other_bit_is_refused(bit: int) -> None:
    sealed = bytearray(entry.seal(HEAD, b"\x81\xa1v\x01", KEY))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidMessage):
        entry.open_(HEAD, bytes(sealed), KEY)


@given(st.integers(0, 351))
def test_anything_cut_off_is_refused(length: int) -> None:
    with pytest.raises(InvalidMessage):
        entry.open_(HEAD, entry.seal(HEAD, bytes(170), KEY)[:length], KEY)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": 2},
        {"conversation": b"\xc1" * 16},
        {"account": b"\xa1" * 16},
        {"device": b"\xd1" * 16},
        {"epoch": 8},
        {"roster": b"\x12" * 32},
        {"counter": 2},
        {"client_id": b"\x23" * 16},
        {"prev": b"\x01" * 32},
        {"target": b"\x01" * 32},
    ],
    ids=lambda other: next(iter(other)),
)
def test_every_field_of_the_head_is_authenticated_and_in_the_hash(other: dict[str, int | bytes]) -> None:
    sealed = entry.seal(HEAD, b"content", KEY)
    moved = replace(HEAD, **other)  # type: ignore[arg-type]
    with pytest.raises(InvalidMessage):
        entry.open_(moved, sealed, KEY)
    assert entry.entry_hash(moved, sha256(sealed)) != entry.entry_hash(HEAD, sha256(sealed))


def test_another_key_opens_nothing_and_a_key_has_32_bytes() -> None:
    sealed = entry.seal(HEAD, b"content", KEY)
    for key in (bytes(32), KEY[:31], KEY + b"\0"):
        with pytest.raises(InvalidMessage):
            entry.open_(HEAD, sealed, key)


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(160),
        b"x" * 160,
        b"\x80" + bytes(158) + b"\x01",
        b"\x80" + bytes(319),
        b"x" * 159,
        b"x" + b"\x80" * 200,
    ],
    ids=["nothing", "no end", "no padding", "not zeros", "a block too many", "no full block", "an odd length"],
)
def test_an_honest_tag_over_wrong_padding_is_refused(padded: bytes) -> None:
    derived = hkdf(NO_SALT, KEY, b"aparte-content-v1", 80)
    ciphertext = aes_ctr(derived[:32], derived[64:], padded)
    sealed = ciphertext + hmac_sha256(derived[32:64], HEAD.serialize() + ciphertext)
    with pytest.raises(InvalidMessage):
        entry.open_(HEAD, sealed, KEY)


def test_a_head_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidMessage):
        replace(HEAD, device=b"short").serialize()
    with pytest.raises(InvalidMessage):
        entry.entry_hash(HEAD, b"short")
