"""What Aparté says to people, in French and English: the data files beside this one are the only place of its words.

A file is a section (`errors`, `phrases`, `events`, `help`, `usage`); each of its keys has a text in both languages,
with named placeholders, or two forms of one that is counted (`one`, `other`). Whatever shows words looks them up here:
it knows codes and keys, no sentences.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Tongue = Literal["fr", "en"]
Section = Literal["errors", "phrases", "events", "help", "usage"]
Words = str | dict[str, str]
"""A text, or its forms by number."""

TONGUES: tuple[Tongue, ...] = ("en", "fr")


def language_of(environ: Mapping[str, str]) -> Tongue:
    """Read the language off LC_ALL, LC_MESSAGES or LANG; English if none says French."""
    chosen = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "fr" if chosen.lower().startswith("fr") else "en"


@cache
def section(name: Section) -> dict[str, dict[Tongue, Words]]:
    """Read a section: for each key its words in each language."""
    found: dict[str, dict[Tongue, Words]] = json.loads(files(__name__).joinpath(f"{name}.json").read_bytes())
    return found


def text(name: Section, key: str, tongue: Tongue, /, **values: Any) -> str:
    """Give the words of a key with values in its places; of counted ones, `count` chooses the form."""
    words = section(name)[key][tongue]
    if isinstance(words, dict):
        words = words[form(values["count"], tongue)]
    return words.format(**values)


def form(count: int, tongue: Tongue) -> Literal["one", "other"]:
    """Choose between singular and plural: in French nothing is singular too."""
    return "one" if count == 1 or (tongue == "fr" and count == 0) else "other"
