"""Text becomes words in one way only: what holds for every text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from aparte.server.search.folding import fold, placed_words, words_in

TEXTS = st.text(max_size=60) | st.text("aàâÀœŒﬁßİıée\u0301\u0308🎉👩\u200d-_ '日本語नमस्ते\u05e9\u05b8½①", max_size=60)


@given(TEXTS)
def test_places_are_those_of_the_words(text: str) -> None:
    """The same words in the same order, and each place holds its word: two in one only where one sign is both (½)."""
    placed = placed_words(text)
    assert [word.text for word in placed] == words_in(text)
    begins, ends = [word.begin for word in placed], [word.end for word in placed]
    assert begins == sorted(begins)
    assert ends == sorted(ends)
    for word in placed:
        assert word.begin < word.end <= len(text)
        assert word.text in fold(text[word.begin : word.end])


@given(TEXTS)
def test_case_accents_and_forms_of_unicode_do_not_count(text: str) -> None:
    folded = words_in(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert words_in(unicodedata.normalize(form, text)) == folded  # type: ignore[arg-type]


@given(TEXTS)
def test_words_hold_nothing_that_means_something_to_a_query(text: str) -> None:
    """B-034: they are put between quotes, and no mark begins as one of them."""
    assert not set("".join(words_in(text))) & set("'\\/:*&|!<>() \0")


@given(TEXTS)
def test_folding_twice_is_folding_once(text: str) -> None:
    for word in words_in(text):
        assert words_in(word) == [word]


def test_words_people_type() -> None:
    assert words_in("L’Œuvre d'ÉLAN, ﬁn_de Straße — 3.14!") == [
        "l",
        "oeuvre",
        "d",
        "elan",
        "fin",
        "de",
        "strasse",
        "3",
        "14",
    ]
    assert words_in("日本 🎉🎉 नमस्ते שָׁלוֹם") == ["日", "本", "🎉", "🎉", "नमस्ते", "שלום"]
    assert words_in("\u200b \ufeff …") == []


def test_a_place_holds_whole_characters() -> None:
    text = "(e\u0301te\u0301) ﬁn"
    assert [text[word.begin : word.end] for word in placed_words(text)] == ["e\u0301te\u0301", "ﬁn"]


def test_longer_words_are_cut() -> None:
    assert [len(word) for word in words_in("a" * 64 + " " + "b" * 65)] == [64, 64]
