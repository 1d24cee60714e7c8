"""From text to words: the same for what is kept, what is asked, and the places that are shown. Pure.

Case, accents, widths and ligatures do not count. A word is a run of letters and digits; an ideograph and a pictograph
are words by themselves. What folds to several signs, or to none, keeps its place in the text.
"""

import re
import sys
import unicodedata
from dataclasses import dataclass

from aparte.server.kit.signs import SPELT, VIRAMA

WORD_SIGNS = 64
"""Longer words are cut: nobody types more to find one."""
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_PICTOGRAPHS = "\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff"


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and where it stands in the text, as offsets of characters."""

    text: str
    begin: int
    end: int


class _Table(dict[int, str]):
    """Folds one character; what was folded once is remembered."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(sign: str) -> str:
    kept = []
    for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sign).casefold()):
        spelt = SPELT.get(part, part)
        is_accent = unicodedata.combining(part) not in {0, VIRAMA}
        if not is_accent and unicodedata.category(part) not in {"Cf", "Me"} and not "\ufe00" <= part <= "\ufe0f":
            kept.append(spelt)
    return "".join(kept)


def _signs_of_words() -> str:
    """Marks that are part of a word and no letter (vowel signs), as a part of a class of characters."""
    marks = (chr(code) for code in range(0x300, sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Mn", "Mc"})
    return "".join(re.escape(mark) for mark in marks if _folded(mark))


_TABLE = _Table()
_FOREIGN = re.compile("[^\x00-\x7f]+")
_EUROPEAN = re.compile(r"[^\W_]+")
"""Where there are neither marks, ideographs nor pictographs: a tenth of the time."""
_WORD = re.compile(f"[{_IDEOGRAPHS}{_PICTOGRAPHS}]|(?:(?![_{_IDEOGRAPHS}])[\\w{_signs_of_words()}])+")


def fold(text: str) -> str:
    """Fold a text."""
    if text.isascii():
        return text.lower()
    return _FOREIGN.sub(lambda match: match.group().translate(_TABLE), text).lower()


def _pattern(folded: str) -> re.Pattern[str]:
    return _EUROPEAN if folded.isascii() or max(folded) < "\u0300" else _WORD


def words_in(text: str) -> list[str]:
    """The folded words of a text, in order."""
    folded = fold(text)
    return [word[:WORD_SIGNS] for word in _pattern(folded).findall(folded)]


def placed_words(text: str) -> list[Word]:
    """The folded words of a text with their places; a place holds whole characters, their accents with them."""
    folded = fold(text)
    begins: list[int] = []
    for at, sign in enumerate(text):
        begins.extend([at] * (1 if text.isascii() else len(_TABLE[ord(sign)])))
    found = []
    for match in _pattern(folded).finditer(folded):
        end = begins[match.end() - 1] + 1
        while end < len(text) and not _TABLE[ord(text[end])]:
            end += 1
        found.append(Word(match.group()[:WORD_SIGNS], begins[match.start()], end))
    return found
