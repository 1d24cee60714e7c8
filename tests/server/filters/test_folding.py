"""What looks the same is the same word; what parts words parts them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.filters.folding import ALIKE, words_in


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Spam", ["spam"]),
        ("ÉLÈVE élève", ["eleve", "eleve"]),
        ("e\u0301le\u0300ve", ["eleve"]),
        ("ｓｐａｍ 𝐬𝐩𝐚𝐦 ⓢⓟⓐⓜ", ["spam", "spam", "spam"]),
        ("ﬁne", ["fine"]),
        ("sp\u200bam s\u00adpam spa\u2060m \ufeffspam", ["spam"] * 4),
        ("sp\u034fam sp\u3164am sp\x08am", ["spam"] * 3),
        ("ѕраm ΒΑΝΚ", ["spam", "bavk"]),
        ("Straße ŒUVRE Łódź", ["strasse", "oeuvre", "lodz"]),
        ("l'idiot, co-op; snake_case", ["l", "idiot", "co", "op", "snake", "case"]),
        ("坏话 ok", ["坏", "话", "ok"]),
        ("🖕🏿🖕", ["🖕", "🖕"]),
        ("❤️", ["❤"]),
        ("½ litre", ["1", "2", "litre"]),
        ("नमस्ते", ["नमस्ते"]),
        ("", []),
        (" \u200b .,! ", []),
    ],
)
def test_words_are_read_as_they_look(written: str, read: list[str]) -> None:
    assert words_in(written) == read


def test_a_russian_word_is_the_same_in_both_cases() -> None:
    assert words_in("ВОДА") == words_in("вода")
    assert words_in("СПАМ") == words_in("спам")


def test_letters_that_look_alike_become_one_latin_letter() -> None:
    assert all(len(latin) == 1 and latin.isascii() and latin.islower() for latin in ALIKE.values())
    assert all(unicodedata.name(letter).split()[0] in {"CYRILLIC", "GREEK"} for letter in ALIKE)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    once = words_in(text)
    assert words_in(" ".join(once)) == once
    assert not any(word.isspace() for word in once)


@given(st.text(), st.text())
def test_texts_side_by_side_are_their_words_side_by_side(one: str, other: str) -> None:
    assert words_in(f"{one} {other}") == words_in(one) + words_in(other)
