"""Strings that broke programs in every text field of every body, over both doors.

Whatever is sent is stored as it was, in Unicode's composed form, or refused with a code; nothing breaks on our side.
Fields are found in the schemas: a new one is tried without a word here.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from aparte.server.openapi import gateway
from aparte.wire.errors import CODES
from tests.journeys.test_who_may_frames import ASKED
from tests.support import naughty, people, scenes
from tests.support.naughty import FEW, STRINGS, composed, named, storable
from tests.support.operations import ELSEWHERE, OPEN, OPERATIONS, Operation, filled
from tests.support.people import Device, Gateway, Problem, World
from tests.support.scenes import Scene
from tests.support.server import Aparte

REFUSED = {400, 401, 403, 404, 409, 410, 413, 422, 423}
"""A body that is no good is refused as what it is; no string makes a server wait or break."""
THIRD = 3
"""Each field of each body gets a third of the strings, another one than the field before."""


@pytest.fixture(scope="module")
async def scene(server: Aparte) -> AsyncIterator[Scene]:
    """A room with an owner who has everything that an operation is about."""
    async with people.world(server.url) as world:
        owner, other, person = [await world.register(name) for name in ("owner", "other", "person")]
        room = await owner.room(settings={"metadata": {"auto_moderate": True}})
        await owner.call("PUT", f"/conversations/{room}/words", {"words": [{"text": "spam"}]})
        await other.join(room)
        await person.join(room)
        places = scenes.common(room, other) | await scenes.things(room, owner, other)
        own = (await owner.send(room, "mine"))["id"]
        nothing = {name: str(uuid4()) for name in ("session", "offer", "token")}
        more = {"own": own, "me": owner.account, "person": person.account, "device": owner.id}
        yield Scene(room, {"owner": owner}, {"owner": places | nothing | more})


def bodies(operation: Operation) -> Any:
    """The body to put strings into; who is nobody yet has one of their own."""
    if operation.path == "/accounts":
        return people.registration(f"new_{uuid4().hex[:8]}")
    if operation.path == "/setup":
        account = {k: v for k, v in people.registration(f"new_{uuid4().hex[:8]}").items() if k != "keys"}
        return {"token": "token", "account": account}
    if operation.path == "/sessions":
        return {"login": "nobody", "password": "a password", "device": {"device_id": str(uuid4()), "name": "laptop"}}
    return operation.body


async def test_no_string_in_any_body_breaks_anything(world: World, scene: Scene) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    tried: set[str] = set()
    for operation in [*OPERATIONS, *ELSEWHERE, *OPEN]:
        path = operation.path.replace("{person}", "{account}")
        described = document["paths"][path][operation.method.lower()]
        if "requestBody" not in described or operation.own:
            continue
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        for at, is_text in naughty.strings(schema, document["components"]["schemas"]):
            for text in STRINGS[len(tried) % THIRD :: THIRD] if is_text else FEW:
                wanted = Operation(operation.method, operation.path, naughty.put(bodies(operation), at, text))
                answer = await scene.answer(wanted, "owner")
                assert answer.status < 300 or answer.status in REFUSED, (wanted, answer)
                assert storable(text) or answer.status >= 400, (wanted, answer)
            tried.add(f"{operation.name} {at}")
    assert len(tried) > 100


async def test_no_string_in_any_address_breaks_anything(world: World, scene: Scene) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    asked = 0
    for operation in [*OPERATIONS, *ELSEWHERE]:
        if operation.method != "GET":
            continue
        path = operation.path.replace("{person}", "{account}")
        for field in document["paths"][path]["get"].get("parameters", ()):
            for text in [*FEW, *STRINGS[:60:3]]:
                if field["in"] != "query" or len(text) > 200 or "\ud800" in text:
                    continue
                wanted = Operation("GET", operation.path, None, operation.query | {field["name"]: text})
                answer = await scene.answer(wanted, "owner")
                assert answer.status == 200 or answer.status in REFUSED, (wanted, answer)
                asked += 1
    assert asked > 500


STRIKES = 9
"""Frames that make no sense which one socket is let through without being closed."""


class Door:
    """A gateway that is opened again before too many frames without sense close it."""

    def __init__(self, device: Device, stack: AsyncExitStack) -> None:
        self.device, self.stack, self.strikes = device, stack, STRIKES
        self.gateway: Gateway | None = None

    async def says(self, frame: Any) -> list[dict[str, Any]]:
        """Send a frame as it is; gives every error before the answer to a question that makes sense."""
        if self.gateway is None or self.strikes >= STRIKES:
            await self.stack.aclose()
            self.gateway, self.strikes = await self.stack.enter_async_context(self.device.gateway()), 0
        await self.gateway.ws.send_str(json.dumps(frame))
        assert (await self.gateway.ask("state", after=2**53 - 1))["type"] == "states"
        told, self.gateway.frames[:] = list(self.gateway.frames), []
        errors = [each for each in told if each["type"] == "error"]
        self.strikes += sum(each.get("ref") is None for each in errors)
        return errors


async def test_no_string_in_any_frame_breaks_anything(scene: Scene) -> None:
    places, described, tried = scene.places["owner"], gateway.schema(), 0
    async with AsyncExitStack() as stack:
        door = Door(scene.askers["owner"], stack)
        for asked in ASKED:
            schema = next(each for each in described["$defs"].values() if tag_of(each) == asked.tag)
            for at, is_text in naughty.strings(schema, described["$defs"]):
                for text in STRINGS if is_text else FEW:
                    fields = filled(asked.fields, {"new": str(uuid4()), **places})
                    frame = naughty.put({"type": asked.tag, "ref": 10_000 + tried, **fields}, at, text)
                    errors = await door.says(frame)
                    assert not [each for each in errors if CODES[each["code"]].status not in REFUSED], (frame, errors)
                    assert storable(text) or errors, frame
                tried += 1
    assert tried > 50


def tag_of(schema: dict[str, Any]) -> Any:
    """The type of a frame, as its schema has it."""
    kind = schema.get("properties", {}).get("type", {})
    return kind.get("const", next(iter(kind.get("enum", ())), None))


# What is stored is what was sent --------------------------------------------------------------------------------------


Places = dict[str, str]
Read = Callable[[Device, Any, Places], Awaitable[Any]]


@dataclass(frozen=True)
class Field:
    """A text that somebody can write and read: by which request, and where it is found then. `kept`: in which form."""

    write: tuple[str, str, Any]
    read: Read
    kept: Callable[[str], str] = composed


def at(path: str, *steps: str | int, **query: Any) -> Read:
    """Read a field of what an address answers."""

    async def read(who: Device, _answer: Any, places: Places) -> Any:
        found = await who.get(filled(path, places), **query)
        for step in steps:
            found = found.get(step, "") if isinstance(step, str) else found[step]
        return found

    return read


def answered(*steps: str | int) -> Read:
    """Read a field of what was answered to the writing."""

    async def read(_who: Device, answer: Any, _places: Places) -> Any:
        for step in steps:
            answer = answer[step]
        return answer

    return read


async def said(who: Device, answer: Any, _places: Places) -> Any:
    """The words of the message that was said."""
    return (await who.get(f"/conversations/{answer['conversation']}/messages/{answer['id']}"))["content"]["text"]


async def carried(who: Device, answer: Any, _places: Places) -> Any:
    """What the message that was said carries."""
    message = await who.get(f"/conversations/{answer['conversation']}/messages/{answer['id']}")
    return message["content"]["metadata"]["key"]


def exactly(text: str) -> str:
    """What is free is kept as it is."""
    return text


def stripped(text: str) -> str:
    """A line as it is kept."""
    return composed(text).strip()


TEXT = "{naughty}"
ROOM, ME = "/conversations/{conversation}", "/accounts/me"
NEW = {"client_message_id": "{new}"}
CONTENT = {"text": TEXT}
FIELDS = {
    "message": Field(("POST", ROOM + "/messages", NEW | {"content": CONTENT}), said),
    "markdown": Field(("POST", ROOM + "/messages", NEW | {"content": CONTENT | {"format": "markdown"}}), said),
    "code": Field(("POST", ROOM + "/messages", NEW | {"content": CONTENT | {"format": "code"}}), said),
    "metadata": Field(
        ("POST", ROOM + "/messages", NEW | {"content": {"text": "words", "metadata": {"key": TEXT}}}), carried, exactly
    ),
    "edit": Field(
        ("PATCH", ROOM + "/messages/{own}", NEW | {"content": CONTENT}),
        at(ROOM + "/messages/{own}", "content", "text"),
    ),
    "name": Field(("PATCH", ROOM, {"name": TEXT}), answered("name"), named),
    "topic": Field(("PATCH", ROOM, {"topic": TEXT}), at(ROOM, "topic")),
    "description": Field(("PATCH", ROOM, {"description": TEXT}), at(ROOM, "description")),
    "welcome": Field(("PATCH", ROOM, {"welcome": TEXT}), at(ROOM, "welcome")),
    "rules": Field(("PATCH", ROOM, {"rules": TEXT}), at(ROOM, "rules")),
    "settings": Field(("PATCH", ROOM, {"metadata": {"key": TEXT}}), at(ROOM, "settings", "metadata", "key"), exactly),
    "role": Field(("PATCH", ROOM + "/roles/{role}", {"name": TEXT}), answered("name"), named),
    "nickname": Field(
        ("PUT", ROOM + "/members/{me}/nickname", {"nickname": TEXT}),
        at(ROOM + "/members", "members", 0, "nickname", role="owner"),
        named,
    ),
    "silence": Field(
        ("PUT", ROOM + "/members/{person}/silence", {"until": scenes.FOR_EVER, "reason": TEXT}),
        at(ROOM + "/silences", "silences", -1, "reason"),
        stripped,
    ),
    "label": Field(("PATCH", ROOM + "/preferences", {"labels": [TEXT]}), at(ROOM + "/preferences", "labels", 0), named),
    "own settings": Field(
        ("PATCH", ROOM + "/preferences", {"settings": {"key": TEXT}}),
        at(ROOM + "/preferences", "settings", "key"),
        exactly,
    ),
    "word": Field(
        ("PUT", ROOM + "/words", {"words": [{"text": TEXT}]}), at(ROOM + "/words", "words", 0, "text"), stripped
    ),
    "display name": Field(("PATCH", ME, {"display_name": TEXT}), at(ME, "display_name"), named),
    "bio": Field(("PATCH", ME, {"bio": TEXT}), at(ME, "bio")),
    "status": Field(("PATCH", ME, {"status_text": TEXT}), at(ME, "status_text")),
    "device": Field(("PATCH", "/devices/{device}", {"name": TEXT}), at("/devices", "devices", 0, "name"), named),
    "contact": Field(
        ("PUT", "/contacts/{person}", {"nickname": TEXT}), at("/contacts", "contacts", 0, "nickname"), stripped
    ),
    "block": Field(("PUT", "/blocks/{person}", {"reason": TEXT}), at("/blocks", "blocks", 0, "reason")),
}


@pytest.mark.parametrize("what", FIELDS)
async def test_what_is_stored_is_what_was_sent(scene: Scene, what: str) -> None:
    owner, field = scene.askers["owner"], FIELDS[what]
    places = scene.places["owner"]
    kept = 0
    for text in STRINGS:
        method, path, body = filled(list(field.write), places | {"new": str(uuid4()), "naughty": text})
        try:
            answer = await owner.call(method, path, body)
        except Problem as problem:
            assert problem.code in {"invalid", "malformed", "name_taken"}, (text, problem)
            continue
        found = await field.read(owner, answer, places)
        assert (found or "") == field.kept(text), (text, found)
        kept += 1
    assert kept > 20
