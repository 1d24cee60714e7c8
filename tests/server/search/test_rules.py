"""What is typed, as it is read; what is found, as it is shown: rules alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aparte.server.search import rules
from aparte.server.search.model import Filters, Piece, Question
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, new_id

STEMS = {"maisons": {"fr": "maison"}, "maison": {"fr": "maison"}, "bleue": {"fr": "bleu"}}


def question(typed: str) -> Question:
    """What somebody typed."""
    return rules.question_of(typed, Filters())


@pytest.mark.parametrize(
    ("typed", "pieces"),
    [
        ("un deux", [Piece(("un",)), Piece(("deux",), is_open=True)]),
        ("deux ", [Piece(("deux",))]),
        ("du", [Piece(("du",))]),
        ('"un deux"', [Piece(("un", "deux"), is_quoted=True)]),
        ('-"un deux', [Piece(("un", "deux"), is_quoted=True, is_excluded=True)]),
        ("-deux", [Piece(("deux",), is_excluded=True)]),
        ("demi-heure", [Piece(("demi", "heure"), is_open=True)]),
        ("- -- !", []),
    ],
)
def test_what_is_typed_is_read(typed: str, pieces: list[Piece]) -> None:
    assert [piece for group in rules.read_typed(typed) for piece in group] == pieces


def test_or_joins_what_is_beside_it_and_is_a_word_in_small_letters() -> None:
    assert [len(group) for group in rules.read_typed("a OR b c")] == [2, 1]
    assert [len(group) for group in rules.read_typed("a or b")] == [1, 1, 1]
    assert [len(group) for group in rules.read_typed("OR a OR")] == [1, 1]


def test_the_index_is_asked_for_what_it_can_decide_and_the_rest_is_compared() -> None:
    asked = rules.ask(question('maisons "deux mots" -bleue '), STEMS)
    assert asked.narrow[0] == "(('maisons' | 'maison')) & ('deux' & ('mots'))"
    assert asked.exact[0] == "(('maisons' | 'maison')) & (('deux' <-> 'mots')) & (!('bleue' | 'bleu'))"
    assert asked.narrow[2] == "(('maisons')) & ('deux' & ('mots'))"
    assert rules.ask(question("maisons "), STEMS).exact == [None, None, None]


@pytest.mark.parametrize(
    ("typed", "text", "shown"),
    [
        ("maison", "Maisons, MAISON et maisonnette", ["Maisons", "MAISON", "maisonnette"]),
        ("maison ", "Maisons et maisonnette", ["Maisons"]),
        ('"grand mère"', "grand-mère, grand père", ["grand-mère"]),
        ('"maison"', "maisons maison", ["maison"]),
        ("oui -non", "oui ou non", ["oui"]),
        ("a OR b", "b a c", ["b", "a"]),
        ("été", "l’e\u0301te\u0301 🎉 ete", ["e\u0301te\u0301", "ete"]),
        ("fin", "ﬁn ﬁnale", ["ﬁn", "ﬁnale"]),
        ("🎉", "a🎉🎉b", ["🎉", "🎉"]),
        ('"a b" "b c"', "a b c", ["a b c"]),
    ],
)
def test_places_are_shown(typed: str, text: str, shown: list[str]) -> None:
    places = rules.highlights(question(typed), MessageContent(text), STEMS, "fr")
    assert [text[begin:end] for begin, end in places] == shown


WORDS = ["maison", "maisons", "bleu", "bleue", "ma", "a"]
PIECES = st.builds(
    lambda words, quoted, excluded, begun: Piece(tuple(words), excluded, quoted, begun and not excluded),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.lists(PIECES, min_size=1, max_size=3).map(tuple), max_size=4), st.lists(st.sampled_from(WORDS)))
def test_places_are_those_that_looking_everywhere_finds(groups: list[tuple[Piece, ...]], words: list[str]) -> None:
    """A long question and a long text are compared in one go; this is what one asks of it, piece by piece and word by
    word."""
    inside: set[int] = set()
    begins = [len(" ".join(words[:at])) + (at > 0) for at in range(len(words))]
    for piece in (piece for group in groups for piece in group if not piece.is_excluded):
        *first, last = piece.words
        stem = None if first or piece.is_quoted else STEMS.get(last, {}).get("fr")
        for at in range(len(words) - len(first)):
            end = words[at + len(first)]
            is_same = end in {last, stem} or (piece.is_open and end.startswith(last))
            is_of_stem = not first and not piece.is_quoted and STEMS.get(end, {}).get("fr") in {last, stem} - {None}
            if words[at : at + len(first)] == first and (is_same or is_of_stem):
                inside |= set(range(begins[at], begins[at + len(first)] + len(end)))
    places = rules.highlights(Question(tuple(groups), Filters()), MessageContent(" ".join(words)), STEMS, "fr")
    found = {at for begin, end in places for at in range(begin, end)}
    assert found == inside or len(places) == rules.HIGHLIGHTS


def test_so_many_places_are_shown_and_no_more() -> None:
    for count in (rules.HIGHLIGHTS, rules.HIGHLIGHTS + 1):
        places = rules.highlights(question("mot "), MessageContent("mot " * count), {}, "fr")
        assert len(places) == rules.HIGHLIGHTS


def test_mark_up_keeps_every_character_in_its_place() -> None:
    content = MessageContent('<a href="https://x.org">là</a> &eacute;t', format="html")
    seen = rules.visible(content)
    assert len(seen) == len(content.text)
    assert seen.split() == ["là", "t"]
    assert rules.visible(MessageContent("a <b> c")) == "a <b> c"


def test_equal_numbers_have_one_mark() -> None:
    assert rules.mark_of_metadata("k", 1) == rules.mark_of_metadata("k", 1.0)
    assert len({rules.mark_of_metadata("k", value) for value in (1, True, "1", None)}) == 4


def test_an_author_s_mark_is_no_word() -> None:
    assert rules.mark_of_author(AccountId(new_id())).startswith("/a")


@pytest.mark.parametrize(
    ("names", "typed", "rank"),
    [
        (["jean"], ["jean"], 0),
        (["Jean Dupont"], ["jean", "dup"], 1),
        (["Marie Dupont"], ["dup"], 2),
        (["Jean"], ["paul"], None),
        (["autre", "Jean"], ["jean"], 0),
    ],
)
def test_names_of_a_book_are_ranked(names: list[str], typed: list[str], rank: int | None) -> None:
    assert rules.rank_of_names(names, typed) == rank


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(Refusal, match="invalid"):
        rules.question_of(" ", Filters())
    assert rules.asks_nothing("!!", rules.question_of("!!", Filters()))
