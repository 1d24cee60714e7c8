"""From what somebody typed to what the index is asked, and from a message to what the index keeps: pure.

Every lexeme is quoted and made of folded words, which hold neither quotes nor backslashes: nothing that is typed can be
an operator of `tsquery` (B-034).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aparte.server.search.folding import placed_words, words_in
from aparte.server.search.model import LANGUAGES, Asked, Filters, Found, Piece, Question, Row, Stems
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent, SearchLanguage
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId
from aparte.wire.search import Has

SPAN = 4_096
"""Messages of one span: their words are read in about a millisecond."""
START = 3
"""Letters from which on the beginning of a word finds it."""
PLACES, LAST_PLACE = 255, 16_383
"""What a `tsvector` holds."""
HIGHLIGHTS = 50
_TYPED = re.compile(r'(?P<minus>-)?"(?P<quoted>[^"]*)"?|(?P<bare>\S+)')
_HIDDEN = re.compile(r"<[^>]*>|&(?:[a-z]{2,8}|#\d{1,7});", re.IGNORECASE)
_LINK = re.compile(r"https?://\S|\bwww\.\S|<a\s", re.IGNORECASE)
_CODE = re.compile(r"`[^`]+`|<(?:code|pre)\b", re.IGNORECASE)


# What is asked --------------------------------------------------------------------------------------------------------


def question_of(typed: str, filters: Filters) -> Question:
    """Read a question. Refuses with `invalid` one that asks for everything."""
    if not typed.strip() and not (filters.author or filters.has or filters.metadata):
        raise Refusal("invalid", "give q, from, has or metadata")
    return Question(read_typed(typed), filters)


def asks_nothing(typed: str, question: Question) -> bool:
    """Whether something was typed in which there is no word."""
    return bool(typed.strip()) and not question.groups


def read_typed(typed: str) -> tuple[tuple[Piece, ...], ...]:
    """Read words, "phrases", -exclusions and OR. What is left open at the end may go on."""
    groups: list[list[Piece]] = []
    is_choice = False
    for match in _TYPED.finditer(typed):
        if match["bare"] == "OR" and groups:
            is_choice = True
            continue
        piece = _piece(match, is_last=match.end() == len(typed))
        if piece.words:
            if is_choice:
                groups[-1].append(piece)
            else:
                groups.append([piece])
            is_choice = False
    return tuple(tuple(group) for group in groups)


def _piece(match: re.Match[str], *, is_last: bool) -> Piece:
    bare = match["bare"]
    if bare is None:
        return Piece(tuple(words_in(match["quoted"])), match["minus"] is not None, is_quoted=True)
    is_excluded = bare.startswith("-")
    words = tuple(words_in(bare))
    is_open = is_last and not is_excluded and bool(words) and len(words[-1]) >= START
    return Piece(words, is_excluded, is_open=is_open)


def ask(question: Question, stems: Stems) -> Asked:
    """Write a question as the index is asked, in each language."""
    marks = [*_marks_asked(question)]
    narrow, exact = [], []
    for language in LANGUAGES:
        tight = [part for group in question.groups if (part := _any(group, stems, language, _narrow))]
        narrow.append(" & ".join([*tight, *map(_quoted, marks)]))
        whole = [part for group in question.groups if (part := _any(group, stems, language, _whole))]
        exact.append(" & ".join(whole) if any(map(_is_more, question.groups)) else None)
    return Asked(narrow, exact)


def _marks_asked(question: Question) -> Iterable[str]:
    if question.filters.author is not None:
        yield mark_of_author(question.filters.author)
    yield from map(mark_of_having, question.filters.has)
    for key, value in question.filters.metadata.items():
        yield mark_of_metadata(key) if isinstance(value, dict | list) else mark_of_metadata(key, value)


def _any(group: tuple[Piece, ...], stems: Stems, language: SearchLanguage, write: Any) -> str:
    """One of the pieces; nothing is asked where one of them asks nothing."""
    parts = [write(piece, stems, language) for piece in group]
    return f"({' | '.join(parts)})" if all(parts) else ""


def _is_more(group: tuple[Piece, ...]) -> bool:
    """Whether the index alone does not decide."""
    return any(piece.is_excluded or piece.is_open or len(piece.words) > 1 for piece in group)


def _narrow(piece: Piece, stems: Stems, language: SearchLanguage) -> str:
    """What every row of a piece has."""
    if piece.is_excluded:
        return ""
    *first, last = piece.words
    forms = [last, *_stem(piece, stems, language)]
    if piece.is_open:
        forms.append(mark_of_start(last))
    return " & ".join([*map(_quoted, first), f"({' | '.join(map(_quoted, forms))})"])


def _whole(piece: Piece, stems: Stems, language: SearchLanguage) -> str:
    """Exactly what a piece means."""
    *first, last = piece.words
    end = _quoted(last) + (":*" if piece.is_open else "")
    phrase = " <-> ".join([*map(_quoted, first), end])
    whole = " | ".join([phrase, *map(_quoted, _stem(piece, stems, language))])
    return f"!({whole})" if piece.is_excluded else f"({whole})"


def _stem(piece: Piece, stems: Stems, language: SearchLanguage) -> list[str]:
    """The stem of a word that stands alone; a phrase is meant as it was typed."""
    if piece.is_quoted or len(piece.words) > 1:
        return []
    stem = stems.get(piece.words[0], {}).get(language)
    return [stem] if stem and stem != piece.words[0] else []


def _quoted(lexeme: str) -> str:
    return f"'{lexeme}'"


# What is kept ---------------------------------------------------------------------------------------------------------


def mark_of_author(account: AccountId) -> str:
    """Stand for who wrote it; searches compare the whole id beside."""
    return f"/a{str(account)[:13]}"


def mark_of_having(thing: Has) -> str:
    """Stand for something a message has."""
    return f"/h{thing}"


def mark_of_start(word: str) -> str:
    """Stand for every word that begins as this one."""
    return f"/p{word[:START]}"


def mark_of_metadata(key: str, *value: Any) -> str:
    """Stand for a key of the metadata, or for a key with a plain value."""
    text = "".join(f"={_plain(one)}" for one in value)
    return "/m" + hashlib.sha256(f"{key}{text}".encode()).hexdigest()[:12]


def _plain(value: Any) -> str:
    """Write what JSON holds so that equal numbers are written equally."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return to_json(value).decode()


def row_of(found: Found, content: MessageContent) -> Row:
    """Lay out a message for the index."""
    words = words_in(visible(content))
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words[:LAST_PLACE], 1):
        places.setdefault(word, []).append(place)
    vector = " ".join(f"'{word}':{','.join(map(str, at[:PLACES]))}" for word, at in places.items())
    marks = {mark_of_author(found.account), *map(mark_of_having, [*found.has, *_has(content)])}
    marks |= {mark_of_start(word) for word in places if len(word) > START}
    for key, value in content.metadata.items():
        marks |= {mark_of_metadata(key)} | (
            {mark_of_metadata(key, value)} if not isinstance(value, dict | list) else set()
        )
    return Row(found.id, (found.ordinal - 1) // SPAN, found.expires_at, vector, " ".join(places), tuple(sorted(marks)))


def visible(content: MessageContent) -> str:
    """The words of a text without its mark-up, every character in its place."""
    if content.format != "html":
        return content.text
    return _HIDDEN.sub(lambda match: " " * len(match.group()), content.text)


def _has(content: MessageContent) -> Iterable[Has]:
    if _LINK.search(content.text):
        yield "link"
    if content.format == "code" or (content.format != "text" and _CODE.search(content.text)):
        yield "code"
    if content.mentions:
        yield "mention"
    if content.reply is not None:
        yield "reply"


# What is shown --------------------------------------------------------------------------------------------------------


class _Spoken(NamedTuple):
    """The words of a text, where each stands, and which have the same stem: a question is compared with these, however
    often it says the same."""

    words: list[str]
    places: dict[str, list[int]]
    of_stem: dict[str, list[str]]


def highlights(
    question: Question, content: MessageContent, stems: Stems, language: SearchLanguage
) -> list[tuple[int, int]]:
    """The places in a text that answer a question, as offsets of characters."""
    placed = placed_words(visible(content))
    spoken = _spoken([word.text for word in placed], stems, language)
    pieces = dict.fromkeys(piece for group in question.groups for piece in group if not piece.is_excluded)
    found = {
        (placed[at].begin, placed[at + len(piece.words) - 1].end)
        for piece in pieces
        for at in _places(piece, spoken, stems, language)
    }
    return _apart(found)[:HIGHLIGHTS]


def _spoken(words: list[str], stems: Stems, language: SearchLanguage) -> _Spoken:
    spoken = _Spoken(words, {}, {})
    for at, word in enumerate(words):
        spoken.places.setdefault(word, []).append(at)
    for word in spoken.places:
        stem = stems.get(word, {}).get(language)
        if stem is not None:
            spoken.of_stem.setdefault(stem, []).append(word)
    return spoken


def _places(piece: Piece, spoken: _Spoken, stems: Stems, language: SearchLanguage) -> Iterable[int]:
    """Where what a piece means begins."""
    *first, last = piece.words
    if first:
        size = len(piece.words)
        for at in spoken.places.get(first[0], ()):
            begun = spoken.words[at : at + size]
            if begun[:-1] == first and (begun[-1] == last or (piece.is_open and begun[-1].startswith(last))):
                yield at
        return
    forms = [last, *_stem(piece, stems, language)]
    words = {word for form in forms for word in (form, *([] if piece.is_quoted else spoken.of_stem.get(form, ())))}
    if piece.is_open:
        words |= {word for word in spoken.places if word.startswith(last)}
    for word in words:
        yield from spoken.places.get(word, ())


def _apart(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join places that overlap."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(places):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


# Names ----------------------------------------------------------------------------------------------------------------


def weighted(names: Iterable[str], about: str) -> str:
    """Write the words of names (weight A) and of what is said beside them (B), as text of a `tsvector`."""
    words = [(word, "A") for name in names for word in words_in(name)] + [(word, "B") for word in words_in(about)]
    return " ".join(f"'{word}':{place}{weight}" for place, (word, weight) in enumerate(words[:LAST_PLACE], 1))


def folded_name(name: str) -> str:
    """The form by which names are compared: their words, one space between."""
    return " ".join(words_in(name))


def all_words(words: Sequence[str], stems: Stems | None = None) -> str:
    """Ask for all of some words, in any language; the last one may go on."""
    asked = []
    for at, word in enumerate(words):
        is_open = at == len(words) - 1 and len(word) >= START
        forms = dict.fromkeys([word, *(stems or {}).get(word, {}).values()])
        asked.append(" | ".join([_quoted(word) + (":*" if is_open else ""), *map(_quoted, list(forms)[1:])]))
    return " & ".join(f"({one})" for one in asked)


def rank_of_names(names: Iterable[str], words: Sequence[str]) -> int | None:
    """How well names fit what was typed: 0 a name itself, 1 the beginning of one, 2 its words; None: not at all."""
    typed = " ".join(words)
    ranks = []
    for name in names:
        own = words_in(name)
        if own == list(words):
            ranks.append(0)
        elif " ".join(own).startswith(typed):
            ranks.append(1)
        elif all(any(one.startswith(word) for one in own) for word in words):
            ranks.append(2)
    return min(ranks, default=None)
