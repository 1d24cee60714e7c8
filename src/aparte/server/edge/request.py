"""What came: headers, query and body of one request, checked before anybody looks at their meaning."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from aparte.server.kit.door import Nothing
from aparte.wire import limits
from aparte.wire.codec import Decoder, check_free, check_string
from aparte.wire.errors import Refusal

BODY_SECONDS = 10.0
USER_AGENT = 300
JSON_TYPES = ("application/json", "application/*", "*/*")
"""From the most to the least specific: the first that Accept names decides (RFC 9110, 12.5.1)."""


def check_accept(accept: str | None) -> None:
    """Refuse who does not take JSON."""
    if not accept or not accept.strip():
        return
    qualities: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        qualities.setdefault(kind, _quality(parameters))
    named = next((qualities[kind] for kind in JSON_TYPES if kind in qualities), 0.0)
    if named <= 0:
        raise Refusal("not_acceptable")


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def bearer(request: web.Request) -> str:
    """Read the access token (RFC 6750, header alone: never from the URL or the body)."""
    headers = request.headers.getall("Authorization", [])
    if len(headers) != 1:
        raise Refusal("unauthenticated")
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > 512 or not token.isascii():
        raise Refusal("unauthenticated")
    return token


def user_agent(request: web.Request) -> str:
    """Read the program's name, as much of it as is kept."""
    raw = request.headers.get("User-Agent", "").encode("utf-8", "replace").decode()
    return "".join(sign for sign in raw if sign.isprintable())[:USER_AGENT]


def path_values(request: web.Request) -> dict[str, str]:
    """Read the variables of the path; one that cannot be stored names nothing."""
    values = dict(request.match_info)
    for value in values.values():
        try:
            check_string(value)
        except Refusal:
            raise Refusal("not_found") from None
    return values


def query(request: web.Request, wanted: Any) -> Any:
    """Convert the query string into its struct; fields that it does not name are ignored."""
    if wanted is Nothing:
        return Nothing()
    return convert_query(request.query, wanted)


def convert_query(given: Mapping[str, str], wanted: Any) -> Any:
    """Convert strings to the struct's types. A field given twice is a mistake somewhere, and is said so."""
    names = {field.encode_name: field.name for field in msgspec.structs.fields(wanted)}
    values: dict[str, str] = {}
    for name, value in given.items():
        if name in values:
            raise Refusal("invalid", f"{name} is given more than once")
        if name in names:
            check_string(value)
            values[name] = value
    try:
        converted = msgspec.convert(values, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise Refusal("invalid", str(error)) from None
    except (ValueError, OverflowError):
        raise Refusal("invalid") from None
    if any(getattr(converted, names[name]) is None for name in values):
        raise Refusal("invalid", "null is no value of a query: leave the field out")
    check_free(converted)
    return converted


async def body(request: web.Request, wanted: Any, decoder: Decoder | None) -> Any:
    """Read and decode the body, if the route has one."""
    if wanted is Nothing or decoder is None:
        return Nothing()
    check_content_type(request.content_type, request.charset, request.headers.get("Content-Encoding"))
    if (request.content_length or 0) > limits.BODY_BYTES:
        raise Refusal("too_large")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise Refusal("too_slow") from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise Refusal("malformed") from None
    return decoder(data)


def check_content_type(content_type: str, charset: str | None, encoding: str | None) -> None:
    """Refuse anything but plain JSON in UTF-8. Compressed bodies are not taken at all: nothing to inflate, no bomb."""
    utf8 = charset is None or charset.lower() in ("utf-8", "utf8")
    if content_type.lower() != "application/json" or not utf8 or (encoding or "identity").lower() != "identity":
        raise Refusal("unsupported_media_type")
