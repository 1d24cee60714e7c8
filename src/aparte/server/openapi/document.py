"""Route table → OpenAPI 3.1.

Every status that a route may answer is in the document, with the codes it may stand for: those of the route's row, and
those that the edge answers for every route, every route with a body, with a query, or with somebody signed in.
"""

import inspect
import re
import sys
from collections.abc import Sequence
from typing import Any, get_args

import msgspec

import aparte
from aparte.server.kit.door import Nothing, Route
from aparte.server.openapi.schemas import Schema, components, text_of
from aparte.wire.errors import CODES, Problem

PREFIX = "/api/v1"
TEMPLATE = "#/components/schemas/{name}"
ALWAYS = ("not_acceptable", "forbidden_origin", "rate_limited", "unavailable", "storage_full", "internal")
SIGNED_IN = ("unauthenticated",)
LISTED = ("link_needed",)
WITH_BODY = ("malformed", "invalid", "too_slow", "too_large", "unsupported_media_type")
WITH_QUERY = ("invalid",)
WITH_PATH = ("not_found",)
ADMIN = ("forbidden",)
WAITING = frozenset({423, 429, 503})
"""Statuses that always say in Retry-After when to come back."""
ABOUT = """The REST interface of one Aparté server.

Bodies and answers are JSON in UTF-8. Ids are UUIDs; clients make those of accounts, devices and messages. Times are
UTC. Every answer has an `X-Request-Id`. Errors are problems (RFC 9457) with a stable `code`. Unknown fields are
ignored. What can be sent here can be sent over the gateway (`/api/v1/gateway`, described in `/api/frames.json`) with
the same structs and the same outcome."""


def document(routes: Sequence[Route]) -> Schema:
    """Describe the routes."""
    types = {shape: None for route in routes for shape in _shapes(route)}
    shapes, named = components([*types, Problem], TEMPLATE)
    known = dict(zip(types, shapes, strict=False))
    problems: dict[str, Schema] = {}
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known, problems)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aparté",
            "version": aparte.__version__,
            "description": "\n\n".join(" ".join(paragraph.split()) for paragraph in ABOUT.split("\n\n")),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"bearer": []}],
        "tags": _tags(routes),
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "The access token."}},
            "schemas": named,
            "responses": dict(sorted(problems.items())),
        },
    }


def codes_of(route: Route) -> dict[int, list[str]]:
    """Tell the error codes that a route may answer, by status."""
    codes = {*ALWAYS, *route.errors.split()}
    codes.update(SIGNED_IN if route.access != "open" else ())
    codes.update(LISTED if route.access in {"signed_in", "admin"} else ())
    codes.update(ADMIN if route.access == "admin" else ())
    codes.update(WITH_BODY if route.body is not Nothing else ())
    codes.update(WITH_QUERY if route.query is not Nothing else ())
    codes.update(WITH_PATH if "{" in route.path else ())
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes, key=list(CODES).index):
        by_status.setdefault(CODES[code].status, []).append(code)
    return dict(sorted(by_status.items()))


def name_of(route: Route) -> tuple[str, str]:
    """Tell the slice of a route and the name of its handler."""
    *_, slice_name, _ = route.handler.__module__.split(".")
    return slice_name, getattr(route.handler, "__name__", "handler")


def _shapes(route: Route) -> list[Any]:
    """List the types that a route speaks of."""
    query = [] if route.query is Nothing else [field.type for field in msgspec.structs.fields(route.query)]
    body = [] if route.body is Nothing else [route.body]
    return [*query, *body, *answer_of(route)]


def answer_of(route: Route) -> list[Any]:
    """List the one struct of the answer, if there is one."""
    parts = [part for part in get_args(route.answer) or (route.answer,) if part not in {Nothing, type(None)}]
    if len(parts) > 1:
        raise ValueError(f"{route.method} {route.path} answers more than one struct")
    return parts


def _operation(route: Route, known: dict[Any, Schema], problems: dict[str, Schema]) -> Schema:
    slice_name, name = name_of(route)
    summary, _, more = text_of(route.handler).partition("\n\n")
    about = [more.strip(), "" if route.query is Nothing else text_of(route.query)]
    operation: Schema = {
        "operationId": f"{slice_name}_{name}",
        "tags": [slice_name],
        "summary": " ".join(summary.split()).rstrip("."),
        "description": "\n\n".join(part for part in about if part),
        "parameters": [*_path_parameters(route), *_query_parameters(route, known)],
        "responses": {**_answers(route, known), **_problems(route, problems)},
        "x-rate-limit": route.limit,
    }
    if route.access == "open":
        operation["security"] = []
    if route.body is not Nothing:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": known[route.body]}}}
    return {key: value for key, value in operation.items() if value not in ("", None) or key == "security"}


def _path_parameters(route: Route) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route, known: dict[Any, Schema]) -> list[Schema]:
    parameters: list[Schema] = []
    for field in msgspec.structs.fields(route.query) if route.query is not Nothing else ():
        schema = _without_null(known[field.type])
        if field.default is not None and field.default is not msgspec.NODEFAULT:
            schema["default"] = msgspec.to_builtins(field.default)
        parameters.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    return parameters


def _without_null(schema: Schema) -> Schema:
    """Leave None out: a query string leaves a parameter out instead."""
    parts = [part for part in schema.get("anyOf", []) if part != {"type": "null"}]
    return dict(parts[0]) if len(parts) == 1 else dict(schema)


def _answers(route: Route, known: dict[Any, Schema]) -> Schema:
    answers: Schema = {}
    for shape in answer_of(route):
        content = {"application/json": {"schema": known[shape]}}
        answers[str(route.status)] = {"description": text_of(shape).split("\n\n")[0], "content": content}
    if not answers or type(None) in get_args(route.answer):
        answers["204"] = {"description": "Done; there is nothing to say."}
    return answers


def _problems(route: Route, problems: dict[str, Schema]) -> Schema:
    found: Schema = {}
    for status, codes in codes_of(route).items():
        name = f"{status}.{'-'.join(codes)}"
        problems.setdefault(name, _problem(status, codes))
        found[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return found


def _problem(status: int, codes: list[str]) -> Schema:
    said = {"properties": {"status": {"const": status}, "code": {"type": "string", "enum": codes}}}
    schema = {"allOf": [{"$ref": TEMPLATE.format(name="Problem")}, said]}
    headers: Schema = {}
    if status in WAITING:
        seconds = {"type": "integer", "minimum": 1}
        headers["Retry-After"] = {"description": "Seconds to wait.", "required": True, "schema": seconds}
    if status == 401:
        headers["WWW-Authenticate"] = {"required": True, "schema": {"type": "string"}}
    described = "\n".join(f"- `{code}`: {CODES[code].title}" for code in codes)
    response: Schema = {"description": described, "content": {"application/problem+json": {"schema": schema}}}
    return response | ({"headers": headers} if headers else {})


def _tags(routes: Sequence[Route]) -> list[Schema]:
    tags: dict[str, str] = {}
    for route in routes:
        package = sys.modules[route.handler.__module__.rpartition(".")[0]]
        tags[name_of(route)[0]] = inspect.cleandoc(package.__doc__ or "").split("\n\n")[0]
    return [{"name": name, "description": about} for name, about in tags.items()]
