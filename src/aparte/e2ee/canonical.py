"""MessagePack in its one form: maps with text keys that every implementation reads alike, or not at all.

Whatever would be written again with other bytes is refused: long forms, a key that comes twice, floats, extensions.
So two readers never see two contents in the same bytes. Source: docs/protocol/e2ee.md, 3.1.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

VERSION = 1
DEPTH_MAX = 8
INTEGER_MAX = 2**53 - 1


class Malformed(ValueError):
    """These bytes are no map in its one form, or a field is not what it has to be."""


class Newer(ValueError):
    """The map has a higher version than we can read."""


class Map(msgspec.Struct, frozen=True, kw_only=True):
    """A map as a record. It may hold secrets, so its representation is its name alone."""

    v: int = VERSION

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


M = TypeVar("M", bound=Map)


def encode(record: Map) -> bytes:
    """Write a map: its version, and every field that is not at its default."""
    fields = {
        name: getattr(record, name)
        for name, default in _fields(type(record))
        if name == "v" or getattr(record, name) != default
    }
    return msgspec.msgpack.encode(fields)


def decode(data: bytes, record: type[M]) -> M:
    """Read a map of version 1, ignoring keys we do not know; Newer on a higher version, Malformed on anything else."""
    read(data)
    try:
        found: M = _decoder(record).decode(data)
    except msgspec.MsgspecError as error:
        raise Malformed("a field is missing, or is not what it has to be") from error
    return found


def read(data: bytes) -> dict[str, Any]:
    """Read a map without knowing its fields; Newer on a higher version, Malformed unless it is in its one form."""
    try:
        found = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Malformed("not MessagePack") from error
    if not isinstance(found, dict):
        raise Malformed("not a map")
    _check(found, 1)
    if msgspec.msgpack.encode(found) != data:
        raise Malformed("not in its one form")
    version = found.get("v")
    if type(version) is not int or version < VERSION:
        raise Malformed("a map needs its version")
    if version > VERSION:
        raise Newer("a higher version")
    return found


def _check(value: object, depth: int) -> None:
    """Let pass what every implementation can hold: nil, booleans, safe integers, text, bytes, arrays and maps."""
    if isinstance(value, dict | list):
        if depth > DEPTH_MAX:
            raise Malformed("too deep")
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            raise Malformed("a key that is no text")
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(item, depth + 1)
    elif isinstance(value, str):
        if "\0" in value:
            raise Malformed("a text with NUL")
    elif isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise Malformed("an integer that is not safe")
    elif value is not None and not isinstance(value, bytes):
        raise Malformed("a float or an extension")


@cache
def _fields(record: type[Map]) -> tuple[tuple[str, Any], ...]:
    """Name the fields of a record with their defaults, in order."""
    return tuple((field.name, field.default) for field in msgspec.structs.fields(record))


@cache
def _decoder(record: type[M]) -> msgspec.msgpack.Decoder[M]:
    return msgspec.msgpack.Decoder(record)
