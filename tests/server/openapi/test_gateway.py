"""The description of the frames is the frames: what the codec writes fits it, what it refuses does not."""

import json
from typing import Any, get_args
from uuid import uuid4

import jsonschema
import msgspec
import pytest

from aparte.server.openapi import gateway
from aparte.wire import frames
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.ids import Position
from aparte.wire.messages import SendMessage

SCHEMA = gateway.schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)
ANY: Any = uuid4()


@pytest.mark.parametrize(
    "frame",
    [
        frames.Hello("token"),
        frames.Changes(1),
        frames.Send(2, ANY, SendMessage(ANY, MessageContent("hello"))),
        frames.Ack(ANY, Position(3, ANY)),
        frames.Watch([ANY]),
        frames.Sent(1, ANY, 1, ANY, msgspec.convert("2026-01-01T00:00:00Z", type=frames.datetime)),
        frames.Error("not_member", 4),
        frames.Presence(ANY, "unknown"),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_as_it_is_written_fits(frame: Any) -> None:
    CHECK.validate(json.loads(to_json(frame)))


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "hello"},
        {"type": "nonsense"},
        {"type": "state", "ref": -1},
        {"type": "ack"},
    ],
    ids=["no token", "unknown", "ref below 0", "fields missing"],
)
def test_what_is_no_frame_does_not(frame: dict[str, Any]) -> None:
    assert not CHECK.is_valid(frame)


def test_every_frame_is_there_and_every_request_has_an_answer() -> None:
    tags = {cls.__struct_config__.tag for cls in get_args(frames.FromServer)}
    for frame in gateway.from_client():
        assert frame.struct.__name__ in SCHEMA["$defs"]
        assert bool(frame.answers) == ("ref" in frame.struct.__struct_fields__ or frame.tag == "hello")
        assert set(frame.answers) <= tags


def test_a_request_that_does_not_say_what_answers_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames.Changes, "__doc__", "Which moved?")
    with pytest.raises(ValueError, match="what answers it"):
        gateway.described(frames.Changes)


def test_close_codes_say_when() -> None:
    codes = gateway.close_codes()
    assert codes[4009] == ("replaced", "Another gateway of the same device took over.")
    assert {code for code, _ in codes.items()} == {1012, 1013, 4001, 4002, 4009}
