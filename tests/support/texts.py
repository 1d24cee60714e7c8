"""Things to say, in many scripts: texts that ship with Python and with the packages of the tests."""

import pydoc_data.topics
import random
import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hypothesis.internal.conjecture import providers

from aparte.wire import limits

SCRIPTS = [
    "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "SYRIAC", "DEVANAGARI", "BENGALI", "TAMIL", "THAI",
    "TIBETAN", "GEORGIAN", "ETHIOPIC", "CHEROKEE", "KHMER", "MONGOLIAN", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE",
    "CJK UNIFIED IDEOGRAPH", "EGYPTIAN HIEROGLYPH", "LINEAR B SYLLABLE", "MUSICAL SYMBOL",
]  # fmt: skip


@cache
def letters(script: str) -> list[str]:
    """The letters and signs of a script, at most 300 of them."""
    found = []
    for code in range(0x41, sys.maxunicode):
        sign = chr(code)
        if unicodedata.name(sign, "").startswith(script) and unicodedata.category(sign)[0] in "LMSN":
            found.append(sign)
            if len(found) == 300:
                break
    return found


@cache
def prose() -> list[str]:
    """Paragraphs of Python's own documentation, its samples of East Asian text, and strings that broke programs."""
    paragraphs = [p for topic in pydoc_data.topics.topics.values() for p in re.split(r"\n\s*\n", topic)]
    for file in sorted(Path(re.__file__).parents[1].glob("test/cjkencodings/*-utf8.txt")):
        paragraphs += file.read_text("utf-8").split("\n")
    return [*paragraphs, *sorted(providers.GLOBAL_CONSTANTS.strings)]


def texts(seed: int) -> Iterator[str]:
    """Texts that may be sent, for ever: prose and words in every script."""
    rng = random.Random(seed)
    said = [p[: limits.TEXT] for p in prose() if sendable(p[: limits.TEXT])]
    alphabets = [letters(script) for script in SCRIPTS]
    while True:
        if rng.random() < 0.5:
            yield rng.choice(said)
        else:
            alphabet = rng.choice(alphabets)
            words = ("".join(rng.choices(alphabet, k=rng.randint(1, 12))) for _ in range(rng.randint(1, 30)))
            yield " ".join(words)


def sendable(text: str) -> bool:
    """Not blank, no NUL, no half of a surrogate pair."""
    return bool(text.strip()) and "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
