"""The OpenAPI document says what the route table says, completely, in valid OpenAPI 3.1."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31
from tools import route_table

from aparte.server.kit.door import Call, Nothing, Route
from aparte.server.messages.http import Doors
from aparte.server.openapi import document
from aparte.server.openapi.schemas import components
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.errors import CODES, Refusal
from aparte.wire.messages import Entry, EntryPage

ROUTES = route_table.table()
DOCUMENT = document.document(ROUTES)
CODES_OF_ROUTES = sorted({code for route in ROUTES for codes in document.codes_of(route).values() for code in codes})
OPERATIONS = [
    pytest.param(route, DOCUMENT["paths"][route.path][route.method.lower()], id=f"{route.method} {route.path}")
    for route in ROUTES
]


class Answer(msgspec.Struct, frozen=True):
    """An answer of a test."""

    at: datetime
    seen_at: datetime | None
    count: int = 0
    """How many."""


def references(value: Any) -> set[str]:
    """Every $ref below a value."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Check instances of a component."""
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


def test_is_valid_openapi() -> None:
    jsonschema.Draft202012Validator(OPENAPI_31).validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_operation_ids_are_unique() -> None:
    ids = [operation.values[1]["operationId"] for operation in OPERATIONS]  # type: ignore[index]
    assert len(set(ids)) == len(ids) == len(ROUTES)


@pytest.mark.parametrize(("route", "operation"), OPERATIONS)
def test_an_operation_says_what_its_row_says(route: Route, operation: dict[str, Any]) -> None:
    assert operation["summary"], "the handler has no docstring"
    named = {parameter["name"] for parameter in operation["parameters"]}
    query = set() if route.query is Nothing else {field.encode_name for field in msgspec.structs.fields(route.query)}
    assert {name for name in named if f"{{{name}}}" not in route.path} == query
    assert ("requestBody" in operation) == (route.body is not Nothing)
    assert (operation.get("security") == []) == (route.access == "open")
    statuses = {int(status) for status in operation["responses"]}
    assert {CODES[code].status for code in route.errors.split()} <= statuses
    assert {403, 406, 429, 500, 503, 507} <= statuses
    assert (401 in statuses) >= (route.access != "open")
    later = {CODES[code].status for code in route.errors.split() if CODES[code].status < 300}
    good = {status for status in statuses if status < 300}
    assert good - later <= {route.status, 204}
    assert good - later


@pytest.mark.parametrize(
    "code", sorted({c for route in ROUTES for codes in document.codes_of(route).values() for c in codes})
)
def test_a_problem_as_the_server_writes_it_fits_its_response(code: str) -> None:
    problem = json.loads(to_json(Refusal(code, "why", retry_after=1.5).problem("reference")))
    fitting = 0
    for name, response in DOCUMENT["components"]["responses"].items():
        schema = {**response["content"]["application/problem+json"]["schema"], "components": DOCUMENT["components"]}
        fits = jsonschema.Draft202012Validator(schema).is_valid(problem)
        assert fits == (code in name.partition(".")[2].split("-"))
        fitting += fits
    assert fitting


@pytest.mark.parametrize("status", ["429", "503", "423"])
def test_who_must_wait_is_told_how_long(status: str) -> None:
    responses = [body for name, body in DOCUMENT["components"]["responses"].items() if name.startswith(status)]
    assert responses
    assert all(response["headers"]["Retry-After"]["required"] for response in responses)


def test_a_body_of_an_entry_is_described_by_its_kind() -> None:
    entry = Entry(1, uuid4(), 1, datetime.now(UTC), uuid4(), body=MessageContent("hello"))  # type: ignore[arg-type]
    good = json.loads(to_json(EntryPage([entry], more=False)))
    validator("EntryPage").validate(good)
    good["entries"][0]["body"] = {"account": str(UUID(int=1))}
    assert not validator("EntryPage").is_valid(good)
    good["entries"][0] |= {"kind": 17}
    validator("EntryPage").validate(good)
    good["entries"][0] |= {"kind": 4000, "body": {"anything": 1}}
    validator("EntryPage").validate(good)


def test_times_are_times_and_notes_beside_fields_are_kept() -> None:
    _, named = components([Answer], "#/{name}")
    properties = named["Answer"]["properties"]
    assert properties["at"]["format"] == "date-time"
    assert [part.get("format") for part in properties["seen_at"]["anyOf"]] == ["date-time", None]
    assert properties["count"]["description"] == "How many."


def test_an_answer_that_may_be_missing_is_200_and_204() -> None:
    async def delete(call: Call[Nothing, Nothing]) -> Answer | None:
        """Delete.

        For good.
        """

    delete.__module__ = Doors.__module__
    made = document.document([Route("DELETE", "/things/{thing}", delete)])["paths"]["/things/{thing}"]["delete"]
    assert {"200", "204"} <= set(made["responses"])
    assert (made["summary"], made["description"]) == ("Delete", "For good.")


def test_two_structs_of_one_name_are_refused() -> None:
    other = msgspec.defstruct("Entry", [("x", int)], module="elsewhere")
    with pytest.raises(ValueError, match="share a name"):
        components([Entry, other], "#/{name}")
