"""How a text names people with `@`: the server reads it in what it can read, devices in what they seal. Pure."""

import re
from collections.abc import Iterator

from aparte.wire import limits
from aparte.wire.content import Format

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
NAMED = re.compile(r"(?<![\w.+/@-])@([\w-]+)")
SHORTEST_NAME, LONGEST_NAME = limits.USERNAME
NAME = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST_NAME},{LONGEST_NAME}}}")


def names_in(text: str, form: Format) -> list[list[str]]:
    """Find the names that a text mentions: for each place what it may mean, the longest first, in lower case.

    Code names nobody, nor do e-mail addresses. Names hold `-` and `_`, with which a sentence may go on too. Of HTML the
    caller gives the words that it shows, as `text`.
    """
    if "@" not in text or form == "code":
        return []
    if form == "markdown":
        text = SPAN.sub(" ", "".join(_outside_of_fences(text)))
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
