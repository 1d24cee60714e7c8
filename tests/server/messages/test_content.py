"""What a message may say, and whom its words name: rules without a database."""

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.messages import content
from aparte.wire import limits
from aparte.wire.content import Forwarded, MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, new_id

MARKUP = st.lists(
    st.sampled_from(
        ["<b>", "</b>", "<script>", "</script>", "<a href='javascript:x'>", "</a>", "<img src=x onerror=y>"]
    )
    | st.sampled_from(
        ["<svg/onload=x>", "<!--", "-->", "<style>", "&lt;", "&", "@bob", "word", '"', "'", "<", ">", "\n"]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize("text", [" ", "\n\t", "\u2003\u00a0", "\u200b\u200d\ufeff", "\u3164\u2800 \ufe0f", "\x01\x02"])
def test_what_shows_nothing_is_refused(text: str) -> None:
    """B-106: a message of newlines and tabs passed."""
    with pytest.raises(Refusal, match="blank"):
        content.check(MessageContent(text))


@pytest.mark.parametrize("text", ["a", " .\n", "\u200bx", "👍🏽", "\u0301e", "한", "٣", "\u202e!"])
def test_what_shows_anything_is_said(text: str) -> None:
    content.check(MessageContent(text))


def test_text_is_kept_as_typed_in_composed_form() -> None:
    kept, source = content.cleaned(MessageContent("  caf\u0065\u0301 \n<b>**x**</b>\n", "markdown"))
    assert (kept.text, source) == ("  caf\u00e9 \n<b>**x**</b>\n", None)
    code = MessageContent("<script>if (a && b) {}</script>", "code")
    assert content.cleaned(code).content is code


def test_html_is_cut_down_to_what_shows_words_and_its_source_is_kept() -> None:
    typed = '<b onclick="x">hey</b><script>alert(1)</script><a href="javascript:x">y</a><img src=//spy>'
    kept, source = content.cleaned(MessageContent(typed, "html"))
    assert kept.text == '<b>hey</b><a rel="noopener noreferrer">y</a>'
    assert source == typed
    clean = MessageContent("<p>a <em>b</em></p>", "html")
    assert content.cleaned(clean) == (clean, None)


@pytest.mark.parametrize("text", ["<p> </p>", "<script>x</script>", "&nbsp;<br>", "<!-- hi -->", "<img src=x>"])
def test_html_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="blank"):
        content.cleaned(MessageContent(text, "html"))


def test_html_is_as_long_as_text_may_be_once_it_is_clean() -> None:
    fits = "x" * (limits.TEXT - len("&amp;")) + "&amp;"
    assert content.cleaned(MessageContent(fits, "html")).content.text == fits
    with pytest.raises(Refusal, match="longer"):
        content.cleaned(MessageContent("x" * (limits.TEXT - 4) + "&", "html"))


@given(MARKUP)
def test_clean_html_is_clean_and_stays_as_it_is(text: str) -> None:
    try:
        kept = content.cleaned(MessageContent(text or " ", "html")).content
    except Refusal:
        return
    for bad in ("<script", "<style", "<svg", "<img", "onerror=", "javascript:"):
        assert bad not in kept.text.replace("&lt;", "")
    assert content.cleaned(kept) == (kept, None)
    assert nh3.is_html(kept.text) or "<" not in kept.text


def test_what_a_client_says_of_mentions_and_forwarding_is_not_taken() -> None:
    claimed = MessageContent("hi", mentions=[AccountId(new_id())], forwarded=Forwarded())
    assert content.as_given(claimed) == MessageContent("hi")


@pytest.mark.parametrize(
    ("text", "form", "named"),
    [
        ("hi @bob, @Ann_B.", "text", ["bob", "ann_b"]),
        ("(@bob) '@bob' @bob's @bob", "text", ["bob"] * 4),
        ("mail a.b@bob.org, +@bob, https://m.example/@bob, @@bob, x@bob", "text", []),
        ("@ab @" + "x" * 51, "text", []),
        ("@" + "x" * 50, "text", ["x" * 50]),
        ("@bob-même", "text", ["bob"]),
        ("`@bob` ``a ` @bob`` @eve", "markdown", ["eve"]),
        ("`@bob` @eve", "text", ["bob", "eve"]),
        ("```\n@bob\n```\n@eve\n~~~~\n@bob\n~~~\n@bob", "markdown", ["eve"]),
        ("~~~\n@bob\n~~~\n@eve `open @ann", "markdown", ["eve", "ann"]),
        ("@bob", "code", []),
        ("<b>@bob</b><code>@ann</code><pre>@ann</pre> @eve <a href='/@ann'>x</a>", "html", ["bob", "eve"]),
    ],
)
def test_names_are_found_where_somebody_is_addressed(text: str, form: content.Format, named: list[str]) -> None:
    assert [readings[0] for readings in content.names_in(text, form)] == named


def test_a_word_may_name_its_beginning() -> None:
    assert content.names_in("@jean-luc-", "text") == [["jean-luc-", "jean-luc", "jean"]]
    assert content.names_in("@__x", "text") == [["__x"]]


@given(st.text(alphabet="@ab-_`~.é\n \u00e9", max_size=200), st.sampled_from(["text", "markdown", "html", "code"]))
def test_every_reading_could_be_a_name(text: str, form: content.Format) -> None:
    for readings in content.names_in(text, form):
        assert readings
        assert all(content.NAME.fullmatch(name) and f"@{name}" in text.lower() for name in readings)
        assert readings == sorted(readings, key=len, reverse=True)
