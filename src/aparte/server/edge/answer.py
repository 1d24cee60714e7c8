"""What goes out: JSON answers, problems (RFC 9457), and the headers of every response."""

import math
import traceback
from pathlib import PurePath

import asyncpg
from aiohttp import web
from multidict import CIMultiDict

from aparte.wire import codec
from aparte.wire.errors import Refusal

PROBLEM_TYPE = "application/problem+json"
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
WAITING = frozenset({423, 429, 503})
"""Statuses that always say when to come back."""
CLOSING = frozenset({"too_large", "too_slow", "malformed", "unsupported_media_type"})
"""Refusals that may leave part of a body unread: the connection is not used again."""
BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def answered(value: object, status: int) -> web.Response:
    """Encode an answer; None is 204."""
    if value is None:
        return web.Response(status=204)
    return web.Response(body=codec.to_json(value), status=status, content_type="application/json")


def refused(refusal: Refusal, reference: str | None = None) -> web.Response:
    """Encode a refusal as a problem."""
    headers: CIMultiDict[str] = CIMultiDict()
    if refusal.status in WAITING:
        refusal.retry_after = refusal.retry_after or 1.0
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after)))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    problem = codec.to_json(refusal.problem(reference))
    response = web.Response(body=problem, status=refusal.status, headers=headers, content_type=PROBLEM_TYPE)
    if refusal.code in CLOSING:
        response.force_close()
    return response


def translated(error: web.HTTPException) -> web.Response:
    """Turn the server library's own errors into problems; redirects stay what they are."""
    if error.status < 400:
        raise error
    response = refused(Refusal(BY_STATUS.get(error.status, "malformed")))
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response


async def set_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every response, also of those that another handler wrote; what is set there stays."""
    response.headers["Server"] = "aparte"
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def described(error: BaseException) -> dict[str, object]:
    """Describe a bug for the log by its type and place. Messages of exceptions may quote what people wrote."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    what: dict[str, object] = {
        "error": type(error).__name__,
        "where": [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, asyncpg.PostgresError):
        what["sqlstate"] = error.sqlstate
        what["constraint"] = error.constraint_name
    return what
