"""What a text shows to who reads it: pure.

Tags inside of a word do not part it, what begins a line does. Of Markdown, which programs read each in their own way,
there are two readings: as it is written, and with what most of them take for marks taken out.
"""

import html
import re

import nh3

from aparte.wire.content import MessageContent

BLOCKS = {
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:[ \t]+\"[^\"]*\")?\)")
_MARK = re.compile(r"(?<!\\)(?:\*+|~~+|`+)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def readings(content: MessageContent) -> list[str]:
    """Give every text that a message may show."""
    if content.format == "html":
        return [shown(content.text)]
    if content.format == "markdown":
        return [content.text, unmarked(content.text)]
    return [content.text]


def shown(markup: str) -> str:
    """Read the words of HTML; what begins a line of its own stands apart."""
    blocks = nh3.clean(markup, tags=BLOCKS, attributes={}, clean_content_tags={"script", "style"})
    return html.unescape(_TAG.sub(" ", blocks))


def unmarked(text: str) -> str:
    """Read the words of Markdown: without emphasis, code, escapes and tags, of links and pictures the words."""
    plain = _MARK.sub("", _LINK.sub(r"\1", _TAG.sub("", text)))
    return html.unescape(_ESCAPED.sub(r"\1", plain))
