"""Whom a text mentions: by the same rules on a device as on the server."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aparte.client.core.mentioned import mentioned, names_in
from aparte.server.messages import content
from aparte.wire.content import Format
from aparte.wire.ids import AccountId

ANN, BOB = (AccountId(UUID(int=n)) for n in (1, 2))
PEOPLE = {"ann": ANN, "bob-by": BOB}
PIECES = st.sampled_from(
    ["@ann", "@Bob-by", "@bob-by-the-way", "a@ann", "`", "``", "```\n", "~~~\n", "\n", " ", ",", "é"]
)


@given(
    st.lists(PIECES, max_size=12).map("".join) | st.text("@ab-_` \n", max_size=40),
    st.sampled_from(["text", "markdown"]),
)
def test_a_device_reads_names_as_the_server_does(text: str, form: Format) -> None:
    assert names_in(text, form) == content.names_in(text, form)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("<p>@ann</p>", "html"),
        ("<code>@ann</code> @bob-by", "html"),
        ("<pre>@ann\n</pre>", "html"),
        ("&#64;ann", "html"),
        ("<a href='x'>@bob-by</a>", "html"),
        ("@ann", "code"),
    ],
)
def test_markup_is_read_as_the_server_reads_it(text: str, form: Format) -> None:
    assert names_in(text, form) == content.names_in(text, form)


def test_each_is_mentioned_once_in_the_order_of_the_text() -> None:
    assert mentioned("@bob-by, @ANN and @bob-by-the-way, @nobody", "text", PEOPLE) == [BOB, ANN]
    assert mentioned("nobody", "text", PEOPLE) == []
