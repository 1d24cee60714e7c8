"""What a list finds in a text: whole words, phrases, beginnings; against a slow reference, and as it is shown."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aparte.server.filters import rules
from aparte.server.filters.folding import words_in
from aparte.wire import limits
from aparte.wire.content import Format, MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.moderation import Word


def finds(entry: str, text: str, form: Format = "text") -> bool:
    """Whether a list of one entry finds something."""
    return bool(rules.hits([(Word(entry),)], MessageContent(text, form)))


@pytest.mark.parametrize(
    ("entry", "text", "is_found"),
    [
        ("spam", "this is SPAM!", True),
        ("spam", "spamming", False),
        ("spam", "antispam", False),
        ("spam*", "spamming", True),
        ("spam*", "spam", True),
        ("spam*", "antispam", False),
        ("ass", "classic assets", False),
        ("buy now", "Buy, now", True),
        ("buy now", "buy it now", False),
        ("buy no*", "buy nothing", True),
        ("buy no*", "buy", False),
        ("élève", "les ELEVES", False),
        ("élève*", "les ELEVES", True),
        ("don't", "I don’t", True),
        ("spam", "ѕраm", True),
        ("spam", "s\u200bpam", True),
        ("坏话", "他说坏话了", True),
        ("🖕", "you 🖕🏿", True),
        ("a a b", "a a a b", True),
    ],
)
def test_an_entry_finds_whole_words_as_they_look(entry: str, text: str, is_found: bool) -> None:
    assert finds(entry, text) is is_found


@pytest.mark.parametrize(
    ("form", "text", "is_found"),
    [
        ("html", "<b>sp</b>am", True),
        ("html", "sp&#97;m", True),
        ("html", "<p>sp</p><p>am</p>", False),
        ("html", "sp<br>am", False),
        ("html", "<p>no</p><p>spam</p>", True),
        ("html", '<a href="https://example.org/spam">here</a>', False),
        ("html", "<script>spam</script>ok", False),
        ("html", "<!-- spam -->ok", False),
        ("html", "&lt;b&gt;spam", True),
        ("markdown", "sp**a**m", True),
        ("markdown", "*spam*", True),
        ("markdown", "_spam_", True),
        ("markdown", "sp`a`m", True),
        ("markdown", "[sp](https://example.org)am", True),
        ("markdown", "![spam](https://example.org/x.png)", True),
        ("markdown", "sp&#97;m", True),
        ("markdown", "sp<!-- -->am and <i>spam</i>", True),
        ("markdown", "# spam", True),
        ("text", "sp**a**m", False),
        ("text", "<b>spam</b>", True),
        ("text", "<b>sp</b>am", False),
        ("code", "spam = 1", True),
    ],
)
def test_what_is_shown_counts(form: Format, text: str, is_found: bool) -> None:
    assert finds("spam", text, form) is is_found


@pytest.mark.parametrize("text", ["", " ", "...", "*", "\u200b", "a*b", "*a", "a**"])
def test_an_entry_says_something_and_has_its_star_at_the_end(text: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        rules.clean_list([Word(text)])


@pytest.mark.parametrize("other", ["spam", "SPAM", "ѕраm", "s.pam", " spam "])
def test_an_entry_is_there_once(other: str) -> None:
    entries = [Word("spam*"), Word("spam"), Word(other, "refuse")]
    if other == "s.pam":
        assert len(rules.clean_list(entries)) == 3
        return
    with pytest.raises(Refusal, match="invalid"):
        rules.clean_list(entries)


def test_entries_are_named_in_the_order_of_the_lists() -> None:
    own, server = (Word("b"), Word("a", "refuse")), (Word("c"), Word("b"))
    found = rules.hits([own, server], MessageContent("c a b"))
    assert found == [Word("b"), Word("a", "refuse"), Word("c"), Word("b")]
    assert rules.named(found) == ["b", "a", "c"]
    with pytest.raises(Refusal, match="filtered"):
        rules.check_hits(found)
    rules.check_hits(found[:1])


def slow(entry: Word, words: list[str]) -> bool:
    """Whether an entry is found, looked for at every place."""
    parts, is_stem = rules.parts_of(entry.text)
    for at in range(len(words) - len(parts) + 1):
        there = words[at : at + len(parts)]
        is_same = there == list(parts)
        is_begun = is_stem and there[:-1] == list(parts[:-1]) and there[-1].startswith(parts[-1])
        if is_same or is_begun:
            return True
    return False


SIGNS = st.sampled_from("aab é-х *")


def is_entry(text: str) -> bool:
    try:
        rules.parts_of(text)
    except Refusal:
        return False
    return True


@given(
    st.lists(st.text(SIGNS, min_size=1, max_size=8).filter(is_entry), max_size=12, unique_by=rules.parts_of),
    st.text(SIGNS, max_size=60),
)
@example(["a a b", "a*"], "a a a b")
def test_all_at_once_as_one_by_one(entries: list[str], text: str) -> None:
    words = tuple(Word(entry) for entry in entries)
    said = words_in(text)
    assert rules.found(rules.compiled(words), said) == {word for word in words if slow(word, said)}


def test_the_longest_list_and_the_longest_text_take_their_words_times_a_phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst that somebody can do: phrases that begin as the text goes on, to their last word."""
    phrase = "a " * (limits.WORD // 2 - 1)
    entries = tuple(Word(f"{phrase}{chr(0x4E00 + n)}") for n in range(limits.WORDS))
    looked: list[str] = []
    monkeypatch.setattr(rules, "_begun", lambda _, word: looked.append(word) or ())
    said = words_in("a " * (limits.TEXT // 2))
    assert rules.found(rules.compiled(entries), said) == set()
    assert len(looked) <= len(said) * limits.WORD // 2
