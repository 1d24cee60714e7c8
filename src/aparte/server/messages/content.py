"""What a message may say, and whom its words name: pure. Sources: R-184, B-106 (blank), R-183 (formats), R-213, G-08.

Text is kept as it was typed, in Unicode's composed form. HTML is cut down to what shows words: it is the one format
that a reader's program might run.
"""

import html
import unicodedata
from typing import NamedTuple

import nh3
from msgspec.structs import replace

from aparte.server.kit.signs import FILLERS
from aparte.wire import limits, mentions
from aparte.wire.codec import to_json
from aparte.wire.content import Format, MessageContent
from aparte.wire.errors import Refusal

TEXT_TAGS = {
    "a",
    "abbr",
    "b",
    "br",
    "code",
    "del",
    "em",
    "i",
    "ins",
    "kbd",
    "q",
    "s",
    "samp",
    "strong",
    "sub",
    "sup",
    "u",
}
BLOCK_TAGS = {"blockquote", "dd", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
TABLE_TAGS = {"table", "tbody", "td", "th", "thead", "tr"}
TAGS = TEXT_TAGS | BLOCK_TAGS | TABLE_TAGS
"""Nothing that loads from elsewhere: a picture in a message would tell its owner who reads it."""
ATTRIBUTES = {"a": {"href", "title"}, "abbr": {"title"}, "ol": {"start"}, "td": {"colspan"}, "th": {"colspan"}}
SCHEMES = {"http", "https", "mailto"}
UNSHOWN = {"script", "style"}
NAMES = 1_000
"""Names of one text that are looked up; most of them are nobody's."""


class Cleaned(NamedTuple):
    """Content as it is stored, and what was typed where that is something else."""

    content: MessageContent
    source: str | None = None


def check(content: MessageContent) -> None:
    """Refuse text that shows nothing, and metadata that is too large."""
    if is_blank(content.text):
        raise Refusal("invalid", "text is blank")
    if content.metadata and len(to_json(content.metadata)) > limits.METADATA_BYTES:
        raise Refusal("invalid", f"metadata is larger than {limits.METADATA_BYTES} bytes")


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: white space of any kind, and signs that show nothing."""
    if text[:1].isascii() and text[:1].isalnum():
        return False
    return all(s.isspace() or s in FILLERS or unicodedata.category(s) in {"Cf", "Cc"} for s in text)


def as_given(content: MessageContent) -> MessageContent:
    """Leave out what a client may not say: whom it mentions, and what was forwarded."""
    if content.mentions or content.forwarded is not None:
        return replace(content, mentions=[], forwarded=None)
    return content


def cleaned(content: MessageContent) -> Cleaned:
    """Give content as it is stored. Refuses HTML that shows nothing, or is too long once it is written properly."""
    text = content.text
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if content.format == "html":
        text = nh3.clean(text, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, clean_content_tags=UNSHOWN)
        if is_blank(shown(text)):
            raise Refusal("invalid", "text is blank")
    if len(text) > limits.TEXT:
        raise Refusal("invalid", f"text is longer than {limits.TEXT} characters")
    source = content.text if content.format == "html" and text != content.text else None
    return Cleaned(content if text == content.text else replace(content, text=text), source)


def shown(markup: str, *, without: frozenset[str] = frozenset()) -> str:
    """Read the words of HTML, perhaps without those inside of some elements."""
    return html.unescape(nh3.clean(markup, tags=set(), clean_content_tags=UNSHOWN | without))


def names_in(text: str, form: Format) -> list[list[str]]:
    """Find the names that a text mentions, as `wire.mentions` reads them; what HTML shows as code names nobody."""
    if "@" in text and form == "html":
        text = shown(text, without=frozenset({"code", "pre", "samp", "kbd"}))
    return mentions.names_in(text, form)
