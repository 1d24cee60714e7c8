"""Log lines: JSON, ids only. What a careless line hands over by name is struck out before it is written."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from aparte.server.kit.log import STRUCK, configure, redact

SECRET = "plum-pudding-7"
PRIVATE = {
    "token", "access_token", "password", "new_password", "secret_key", "Authorization", "content", "text", "body",
    "email", "cookie", "valkey_url", "DSN", "plaintext", "payload", "username", "display_name", "set-cookie",
}  # fmt: skip


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as it would stand on standard error."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    out = io.StringIO()
    configure("debug", out)
    yield out
    root.handlers[:], root.level = before[0], before[1]
    structlog.reset_defaults()


def last(lines: io.StringIO) -> dict[str, Any]:
    """The newest line."""
    line: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return line


def test_a_line_is_json_with_time_level_event_and_values(lines: io.StringIO) -> None:
    structlog.get_logger("here").info("sent", conversation="0f", seq=4, ms=1.5)
    line = last(lines)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "sent", "level": "info", "conversation": "0f", "seq": 4, "ms": 1.5}


@pytest.mark.parametrize("name", sorted(PRIVATE))
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"deep": [v]}])
def test_what_is_named_like_a_secret_is_struck_out(lines: io.StringIO, name: str, wrap: Any) -> None:
    structlog.get_logger("here").warning("careless", **{name: wrap(SECRET)})
    structlog.get_logger("here").warning("careless", details={"request": [{name: wrap(SECRET)}]})
    logging.getLogger("library").warning("careless", extra={name: wrap(SECRET)} if name != "name" else {})
    assert SECRET not in lines.getvalue()
    assert lines.getvalue().count(STRUCK) == 3


def test_bytes_are_counted_not_shown(lines: io.StringIO) -> None:
    structlog.get_logger("here").info("got", frame=SECRET.encode())
    assert last(lines)["frame"] == "[14 bytes]"


def test_an_exception_is_told_by_type_and_place_without_its_message(lines: io.StringIO) -> None:
    def ask() -> None:
        try:
            raise asyncpg.CheckViolationError(f"Failing row contains ({SECRET}).")
        except asyncpg.CheckViolationError as error:
            raise ValueError(SECRET) from error

    try:
        ask()
    except ValueError:
        structlog.get_logger("here").exception("broken")
        logging.getLogger("library").exception("broken too")
    assert SECRET not in lines.getvalue()
    for line in map(json.loads, lines.getvalue().splitlines()):
        outer, inner = line["exception"]
        assert outer["type"] == "builtins.ValueError"
        assert outer["where"][-1].endswith(" ask")
        assert inner["sqlstate"] == "23514"


def test_the_address_of_a_store_loses_its_password(lines: io.StringIO) -> None:
    logging.getLogger("library").error("cannot reach postgres://aparte:%s@db/aparte", SECRET)
    structlog.get_logger("here").error(f"cannot reach redis://:{SECRET}@valkey", place=f"redis://:{SECRET}@valkey")
    assert SECRET not in lines.getvalue()
    said = [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
    assert said == ["cannot reach postgres://aparte:…@db/aparte", "cannot reach redis://:…@valkey"]


async def test_debug_output_of_asyncio_and_libraries_stays_out(lines: io.StringIO) -> None:
    logging.getLogger("push_response").debug("Push response: %s", SECRET)
    logging.getLogger("asyncio").debug(SECRET)
    await asyncio.sleep(0)
    assert lines.getvalue() == ""


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_value_makes_the_redactor_fail(value: Any) -> None:
    redact(None, "info", {"event": "e", "value": value})
