"""Names and short texts that people give: one form in Unicode, nothing invisible, nothing that turns the line round."""

import unicodedata

from aparte.wire.errors import Refusal

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""General categories: controls, formats (bidi controls, zero width), surrogates, private use, line separators."""


def check_name(text: str, most: int, what: str) -> str:
    """Return a name as it is stored (NFC, no space around it). Refuses what could pass for another name.

    A colon is kept free for `@name:server`.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise Refusal("invalid", f"{what} is empty")
    if len(name) > most:
        raise Refusal("invalid", f"{what} is longer than {most}")
    if ":" in name or any(unicodedata.category(sign) in INVISIBLE for sign in name):
        raise Refusal("invalid", f"{what} contains a colon, a control or an invisible character")
    return name


def check_text(text: str, most: int, what: str) -> str:
    """Return a text of several lines as it is stored (NFC). Refuses controls other than line feed and tab."""
    kept = unicodedata.normalize("NFC", text)
    if len(kept) > most:
        raise Refusal("invalid", f"{what} is longer than {most}")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t" for sign in kept):
        raise Refusal("invalid", f"{what} contains a control character")
    return kept
