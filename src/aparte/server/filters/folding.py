"""From a text to the words in it, as they look: pure.

Case, accents, widths, invisible signs and letters of another alphabet that look like Latin ones do not count. One sign
after the other is folded, so that the time is that of the text.
"""

import unicodedata

from aparte.server.kit.signs import FILLERS, SPELT, VIRAMA

_CYRILLIC = dict(zip("авекмнорстухіјѕԁһԛԝьӏү", "abekmhopctyxijsdhqwbly", strict=True))
_GREEK = dict(zip("αβεζηικμνορτυχϲϳ", "abezhikmvoptuxcj", strict=True))
ALIKE = _CYRILLIC | _GREEK
"""Letters that look like Latin ones, small or capital. Both the list and the text are folded: a Russian word is found
in a Russian text as ever, and a Latin one too that is written with some of these."""
_IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3134F))


class _Table(dict[int, str]):
    """Folds one sign; what was folded once is remembered."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = "".join(map(_folded, _parts(chr(code))))
        return folded


def _parts(sign: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sign).casefold())


def _folded(part: str) -> str:
    """Give what stands for a sign that is not taken apart further: space for what parts words, nothing for what does
    not show."""
    category = unicodedata.category(part)
    if _shows_nothing(part, category):
        return ""
    if category == "So" or any(first <= ord(part) <= last for first, last in _IDEOGRAPHS):
        return f" {part} "
    if part.isalnum() or category in {"Mn", "Mc"}:
        return SPELT.get(part) or ALIKE.get(part, part)
    return " "


def _shows_nothing(part: str, category: str) -> bool:
    if part in FILLERS or category in {"Cf", "Me"} or "\ufe00" <= part <= "\ufe0f":
        return True
    if category == "Cc":
        return not part.isspace()
    is_tone_of_skin = "\U0001f3fb" <= part <= "\U0001f3ff"
    return is_tone_of_skin or unicodedata.combining(part) not in {0, VIRAMA}


_TABLE = _Table()


def words_in(text: str) -> list[str]:
    """Give the folded words of a text, in order: runs of letters and digits; an ideograph or a picture is one alone."""
    return text.translate(_TABLE).split()
