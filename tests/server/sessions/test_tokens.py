"""Tokens: derived, verified, and of one spelling."""

import base64
import os
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.sessions.tokens import Tokens, stored
from aparte.wire.errors import Refusal

KEY = bytes(range(32))
KEYS = Tokens(KEY)


@given(st.uuids(), st.integers(1, 2**31 - 1))
def test_a_refresh_token_says_what_it_was_made_of(session: UUID, generation: int) -> None:
    token = KEYS.refresh(session, generation)
    assert KEYS.read_refresh(token) == (session, generation)
    assert KEYS.refresh(session, generation) == token
    assert token.isascii()
    assert "=" not in token


@given(st.uuids(), st.uuids(), st.integers(0, 63), st.integers(1, 255))
def test_one_changed_byte_spoils_a_token(session: UUID, access: UUID, place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(KEYS.access(session, access) + "=="))
    raw[place] ^= change
    with pytest.raises(Refusal, match="unauthenticated"):
        KEYS.read_access(base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(st.text(max_size=200))
def test_what_is_no_token_is_refused_and_nothing_else(text: str) -> None:
    for read in (KEYS.read_access, KEYS.read_refresh):
        with pytest.raises(Refusal, match="unauthenticated"):
            read(text)


def test_no_token_passes_for_the_other_kind_or_under_another_key() -> None:
    refresh, access = KEYS.refresh(uuid4(), 1), KEYS.access(uuid4(), uuid4())
    other = Tokens(os.urandom(32))
    for read, token in (
        (KEYS.read_access, refresh),
        (KEYS.read_refresh, access),
        (other.read_access, access),
        (other.read_refresh, refresh),
    ):
        with pytest.raises(Refusal, match="unauthenticated"):
            read(token)


def test_a_token_has_one_spelling() -> None:
    token = KEYS.refresh(uuid4(), 1)
    for other in (token + "=", token + "==", " " + token, token + "\n", token[:10] + "!" + token[10:], token[:-1]):
        with pytest.raises(Refusal, match="unauthenticated"):
            KEYS.read_refresh(other)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Tokens(bytes(31))


def test_stored_is_sha256_in_hex() -> None:
    assert stored("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
