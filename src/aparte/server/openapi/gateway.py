"""Frames of the gateway → one JSON Schema, with who answers what and the codes that close a socket."""

import re
from dataclasses import dataclass
from typing import Any, get_args

from aparte.server.openapi.schemas import Schema, components, field_notes, struct_name, text_of
from aparte.wire import frames, limits

PATH = "/api/v1/gateway"
TEMPLATE = "#/$defs/{name}"


@dataclass(frozen=True)
class Described:
    """One frame: its `type` (`tag`), what its docstring says, and the frames that answer it."""

    tag: str
    struct: type[Any]
    about: str
    answers: tuple[str, ...]


def described(cls: type[Any]) -> Described:
    """Describe a frame. What answers a request stands in its docstring, `error` comes with every `ref`.

    A request that does not say what answers it is an error here, so that no frame stays undocumented.
    """
    about = text_of(cls)
    sentence = re.search(r"Answered by ([^.;]*)", about)
    answers = tuple(re.findall(r"`(\w+)`", sentence.group(1))) if sentence else ()
    tag: str = cls.__struct_config__.tag
    if cls in get_args(frames.FromClient) and "ref" in cls.__struct_fields__ and not answers:
        raise ValueError(f"the docstring of {cls.__name__} does not say what answers it")
    return Described(tag, cls, about, (*answers, "error") if answers else ())


def from_client() -> list[Described]:
    """Every frame that a device may send."""
    return [described(cls) for cls in get_args(frames.FromClient)]


def from_server() -> list[Described]:
    """Every frame that the server sends."""
    return [described(cls) for cls in get_args(frames.FromServer)]


def close_codes() -> dict[int, tuple[str, str]]:
    """Name and explain the codes that close a socket."""
    notes = field_notes(frames.Close)
    codes = {name: code for name, code in vars(frames.Close).items() if name.isupper()}
    return {code: (name.lower(), notes.get(name, "")) for name, code in sorted(codes.items(), key=lambda row: row[1])}


def schema() -> Schema:
    """Describe the gateway."""
    unions = [frames.FromClient, frames.FromServer]
    shapes, named = components(unions, TEMPLATE)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gateway frames of Aparté",
        "description": text_of(frames),
        "anyOf": [{"$ref": "#/$defs/FromClient"}, {"$ref": "#/$defs/FromServer"}],
        "x-path": PATH,
        "x-subprotocols": [frames.SUBPROTOCOL_JSON, frames.SUBPROTOCOL_MSGPACK],
        "x-protocol": limits.PROTOCOL,
        "x-answers": {frame.tag: list(frame.answers) for frame in from_client()},
        "x-close-codes": {str(code): {"name": name, "about": about} for code, (name, about) in close_codes().items()},
        "$defs": {"FromClient": shapes[0], "FromServer": shapes[1], **named},
    }


def fields_of(frame: Described) -> list[tuple[str, Schema, bool]]:
    """List the fields of a frame: name, schema, whether it must be there."""
    _, named = components([frame.struct], TEMPLATE)
    own = named[struct_name(frame.struct)]
    return [(name, shape, name in own["required"]) for name, shape in own["properties"].items() if name != "type"]
