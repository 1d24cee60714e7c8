"""Bytes ↔ structs, the same for REST and gateway: JSON (RFC 8259) and MessagePack with UUIDs as 16 raw bytes.

Decoding is strict: unknown frames, wrong types and values past their limits are refused, strings never hold NUL or
lone surrogates (PostgreSQL and UTF-8 cannot store them), times have their zone, free JSON is bounded in depth and
numbers. Unknown fields are ignored, so that a newer client can talk to an older server.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec

from aparte.wire import limits
from aparte.wire.errors import Refusal

T = TypeVar("T")
Encoding = Literal["json", "msgpack"]

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder(uuid_format="bytes")

to_json: Callable[[Any], bytes] = _json.encode
to_msgpack: Callable[[Any], bytes] = _msgpack.encode

ENCODERS: dict[Encoding, Callable[[Any], bytes]] = {"json": to_json, "msgpack": to_msgpack}


class Decoder:
    """Decodes one type; build it once and keep it."""

    def __init__(self, wanted: Any, encoding: Encoding = "json") -> None:
        """Prepare for `wanted`, any type that msgspec knows."""
        decoder: Any = msgspec.json.Decoder(wanted) if encoding == "json" else msgspec.msgpack.Decoder(wanted)
        self._decode: Callable[[bytes], Any] = decoder.decode

    def __call__(self, data: bytes) -> Any:
        """Decode, or raise Refusal `malformed` or `invalid` saying where."""
        try:
            value = self._decode(data)
        except msgspec.ValidationError as error:
            raise Refusal("invalid", str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
            raise Refusal("malformed") from None
        check_free(value)
        return value


def check_free(value: Any, depth: int = 0) -> None:
    """Walk a decoded value and refuse what no store or client can hold. Structs nest as deep as they are written."""
    if isinstance(value, str):
        check_string(value)
    elif isinstance(value, msgspec.Struct):
        check_fields(value)
    elif isinstance(value, dict):
        check_nesting(depth)
        for key, item in value.items():
            check_free(key, depth + 1)
            check_free(item, depth + 1)
    elif isinstance(value, list | tuple):
        check_nesting(depth)
        for item in value:
            check_free(item, depth + 1)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is not itself
            raise Refusal("invalid", "a number is not finite")
    elif isinstance(value, int) and not -limits.SAFE_INTEGER <= value <= limits.SAFE_INTEGER:
        raise Refusal("invalid", "an integer is beyond 2^53 - 1")
    elif isinstance(value, datetime):
        check_moment(value)
    elif isinstance(value, bytes | bytearray | msgspec.msgpack.Ext):
        raise Refusal("invalid", "free values are JSON values")


def check_fields(value: msgspec.Struct) -> None:
    """Walk the fields of a struct. Bytes are as many as the struct allows."""
    for field in value.__struct_fields__:
        of_field = getattr(value, field)
        if not isinstance(of_field, bytes):
            check_free(of_field)


def check_nesting(depth: int) -> None:
    """Refuse free JSON that is nested deeper than allowed."""
    if depth >= limits.JSON_DEPTH:
        raise Refusal("invalid", f"nested deeper than {limits.JSON_DEPTH}")


def check_moment(value: datetime) -> None:
    """Refuse a time without its zone, which is another moment for everybody, and one beyond the calendar in UTC."""
    try:
        if value.tzinfo is not None and value.astimezone(UTC).year:
            return
    except OverflowError:
        pass
    raise Refusal("invalid", "a time needs its zone and a year from 1 to 9999")


def check_string(value: str) -> None:
    """Refuse NUL and lone surrogates."""
    if "\0" in value:
        raise Refusal("invalid", "a string contains NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal("invalid", "a string contains a lone surrogate") from None


def convert(value: Any, wanted: type[T]) -> T:
    """Turn decoded free JSON into a struct, for clients that read an entry's body by its kind."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", str(error)) from None
