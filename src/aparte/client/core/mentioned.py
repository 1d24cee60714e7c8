"""Whom a text mentions with `@`, by the rules by which the server reads what it can read: pure."""

import html
import re
from collections.abc import Mapping

from aparte.wire import mentions
from aparte.wire.content import Format
from aparte.wire.ids import AccountId

CODE_ELEMENT = re.compile(r"<(code|pre|samp|kbd|script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")


def mentioned(text: str, form: Format, people: Mapping[str, AccountId]) -> list[AccountId]:
    """Give whom of some people a text mentions, in its order; `people` by their names in lower case."""
    found = (next((people[name] for name in names if name in people), None) for names in names_in(text, form))
    return list(dict.fromkeys(account for account in found if account is not None))


def names_in(text: str, form: Format) -> list[list[str]]:
    """Find the names that a text mentions, as `wire.mentions` reads them; what HTML shows as code names nobody."""
    if "@" in text and form == "html":
        text = html.unescape(TAG.sub("", CODE_ELEMENT.sub(" ", text)))
    return mentions.names_in(text, form)
