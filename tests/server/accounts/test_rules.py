"""The pure rules of accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.accounts import rules
from aparte.server.accounts.model import Attempts
from aparte.server.accounts.rules import Login
from aparte.server.kit.names import check_name, check_text
from aparte.wire.errors import Refusal


@pytest.mark.parametrize(
    ("given_number", "stored"),
    [
        ("+33612345678", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("0033 (6) 12-34.56/78", "+33612345678"),
        ("+123456", "+123456"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_g_26_phone_numbers_are_e_164(given_number: str, stored: str) -> None:
    assert rules.normal_phone(given_number) == stored


@pytest.mark.parametrize(
    "number",
    ["", "+", "612345678", "0612345678", "+0612345678", "+12345", "+1234567890123456", "+33a612345", "+٣٣٦١٢٣٤"],
)
def test_g_26_what_is_no_e_164_is_refused(number: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        rules.normal_phone(number)


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("Alice", Login("username", "alice")),
        ("ＡＬＩＣＥ", Login("username", "alice")),
        ("A@B.org", Login("email", "a@b.org")),
        ("+33 6", Login("phone", "+336")),
        ("0033612345678", Login("username", "0033612345678")),
        ("12345", Login("username", "12345")),
        ("", Login("username", "")),
    ],
)
def test_variants_of_a_login_are_one_login(text: str, login: Login) -> None:
    assert rules.read_login(text) == login


@given(st.integers(0, 50))
def test_g_01_a_lock_lasts_twice_as_long_as_the_one_before_and_at_most_a_day(locks: int) -> None:
    before = Attempts(rules.FAILURES - 1, locks)
    after = rules.after_failure(before)
    assert (after.failed, after.locks) == (0, locks + 1)
    assert after.locked_seconds == min(900.0 * 2**locks, 86_400.0)


@given(st.integers(0, rules.FAILURES - 2), st.integers(0, 50))
def test_g_01_fewer_than_five_failures_lock_nothing(failed: int, locks: int) -> None:
    assert rules.after_failure(Attempts(failed, locks)) == Attempts(failed + 1, locks, 0.0)


@given(st.text(max_size=60))
def test_a_name_that_is_let_in_is_let_in_unchanged_again(text: str) -> None:
    try:
        name = check_name(text, 50, "a name")
    except Refusal:
        return
    assert check_name(name, 50, "a name") == name
    assert name == name.strip() != ""
    assert ":" not in name


@pytest.mark.parametrize(
    "sign", ["\u202a", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u2028", "\x00", "\x7f", "\ue000", ":"]
)
def test_names_hold_no_bidi_control_and_nothing_invisible(sign: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        check_name(f"a{sign}b", 50, "a name")


def test_names_and_texts_are_at_most_so_long_after_composing() -> None:
    assert check_name("e\u0301" * 50, 50, "a name") == "é" * 50
    assert check_text("e\u0301" * 50, 50, "a text") == "é" * 50
    for check in (check_name, check_text):
        with pytest.raises(Refusal, match="longer"):
            check("é" * 51, 50, "it")


def test_texts_keep_their_lines() -> None:
    assert check_text("one\n\ttwo", 50, "a text") == "one\n\ttwo"
    with pytest.raises(Refusal, match="control"):
        check_text("one\rtwo", 50, "a text")
