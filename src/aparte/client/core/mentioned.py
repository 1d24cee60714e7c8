"""Whom a text mentions with `@`, by the rules by which the server reads what it can read: pure."""

import html
import re
from collections.abc import Iterator, Mapping

from aparte.wire.content import Format
from aparte.wire.ids import AccountId

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
CODE_ELEMENT = re.compile(r"<(code|pre|samp|kbd|script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
TAG = re.compile(r"<[^<>]*>")
NAMED = re.compile(r"(?<![\w.+/@-])@([\w-]+)")
NAME = re.compile(r"[A-Za-z0-9_-]{3,50}")
LONGEST_NAME = 50


def mentioned(text: str, form: Format, people: Mapping[str, AccountId]) -> list[AccountId]:
    """Give whom of some people a text mentions, in its order; `people` by their names in lower case."""
    found = (next((people[name] for name in names if name in people), None) for names in names_in(text, form))
    return list(dict.fromkeys(account for account in found if account is not None))


def names_in(text: str, form: Format) -> list[list[str]]:
    """Find the names that a text mentions: for each place what it may mean, the longest first, in lower case.

    Code names nobody, nor do e-mail addresses. Names hold `-` and `_`, with which a sentence may go on too.
    """
    if "@" not in text or form == "code":
        return []
    if form == "markdown":
        text = SPAN.sub(" ", "".join(_outside_of_fences(text)))
    elif form == "html":
        text = html.unescape(TAG.sub("", CODE_ELEMENT.sub(" ", text)))
    return [names for names in map(_readings, NAMED.findall(text)) if names]


def _outside_of_fences(text: str) -> Iterator[str]:
    """Give the parts of Markdown that are in no fenced block; one that is never closed goes on to the end."""
    at = 0
    while opening := FENCE.search(text, at):
        yield text[at : opening.start()] + "\n"
        mark = opening[1]
        end = re.compile(rf"^ {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        closing = end.search(text, opening.end())
        if closing is None:
            return
        at = closing.end()
    yield text[at:]


def _readings(token: str) -> list[str]:
    """What a word after `@` may name: itself, or what stands in front of a hyphen or of a mark at its end."""
    hyphens = [at for at in range(min(len(token) - 1, LONGEST_NAME), 0, -1) if token[at] in "-_"]
    return [token[:end].lower() for end in (len(token), *hyphens) if NAME.fullmatch(token[:end])]
