"""Every operation that is not of a conversation × everybody who may come, and what is somebody else's.

What belongs to another account is to the asker as what never was; a device that is signed in and on no list may ask to
be linked, and nothing else.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import keys, scenes
from tests.support.operations import CONVERSATION, ELSEWHERE, MARKER, OPEN, UNLISTED, Request
from tests.support.people import Device, World
from tests.support.scenes import Scene

ANSWERED = {
    "PUT /accounts/me/password": "bad_credentials",
    "POST /accounts/find": "not_found",
    "PATCH /devices/{device}": "not_found",
    "DELETE /devices/{device}": "not_found",
    "DELETE /sessions/{session}": "not_found",
    "POST /contact-requests/{person}/accept": "not_found",
    "POST /contact-requests/{person}/decline": "not_found",
    "PUT /account/keys": "bad_list",
    "PUT /account/device-list": "bad_list",
    "POST /payloads": "not_found",
    "POST /link-offers": "invalid",
    "GET /link-offers/mine": "not_found",
    "GET /link-offers/{offer}": "not_found",
    "POST /link-offers/{offer}/answer": "not_found",
    "POST /link-offers/{offer}/admission": "not_found",
    "DELETE /link-offers/{offer}": "not_found",
    "POST /conversations/direct": "bad_conversation_id",
    "POST /conversations/group": "bad_statement",
    "GET /invites/{token}/statements": "invite_over",
    "POST /invites/{token}/join": "bad_statement",
    "GET /words": "forbidden",
    "PUT /words": "forbidden",
}
"""What somebody with an account gets who asks for what is another one's or makes no sense; the rest is done."""
OF_GUESTS = {
    "POST /contact-requests/{person}": "forbidden",
    "POST /conversations": "forbidden",
    "POST /conversations/direct": "forbidden",
    "POST /conversations/group": "forbidden",
    "POST /invites/{token}/join": "forbidden",
    "POST /invites/{token}/enter": "forbidden",
}
OF_MODERATORS = {"GET /words": "done", "PUT /words": "done"}
"""The words that are wanted nowhere are the platform's own."""
OF_UNLISTED = {name: "link_needed" for name in (each.name for each in ELSEWHERE) if name not in UNLISTED}
EVERYBODY = {
    "guest": OF_GUESTS,
    "user": {},
    "platform moderator": OF_MODERATORS,
    "platform admin": OF_MODERATORS,
    "unlisted": OF_UNLISTED,
}


async def theirs(world: World, person: Device, room: str) -> dict[str, str]:
    """What somebody has that is nobody else's."""
    new, offer = await world.log_in(person), str(uuid4())
    asked = {"id": offer, "offer": keys.base64_of(keys.offer(2, UUID(new.id)))}
    await new.post("/link-offers", asked | {"prekeys": keys.in_json(keys.prekeys(2))})
    session = person.tokens["session_id"]
    return {"person": person.account, "device": person.id, "session": session, "offer": offer, "token": room}


@pytest.fixture
async def scene(world: World, server_admin: Any) -> Scene:
    """Everybody who asks, and for each of them somebody whom it is about."""
    owner = await world.register("owner")
    inviting = await owner.post(f"/conversations/{await owner.room()}/invites", {})
    askers = {name: await world.register("asker") for name in EVERYBODY}
    askers["unlisted"] = await world.log_in(askers["unlisted"])
    people = {name: await world.register("person") for name in EVERYBODY}
    places = {name: await theirs(world, person, inviting["token"]) for name, person in people.items()}
    await scenes.give_ranks(server_admin, askers)
    return Scene("", askers, places)


async def test_everybody_gets_what_is_theirs_and_nothing_else(scene: Scene) -> None:
    for operation in ELSEWHERE:
        default = ANSWERED.get(operation.name, "done")
        wanted = {who: special.get(operation.name, default) for who, special in EVERYBODY.items()}
        assert await scene.row(operation, set(wanted)) == wanted, operation.name


async def test_without_a_token_nothing_opens_but_the_front_doors(scene: Scene) -> None:
    nobody = replace(scene.askers["user"], tokens={"access_token": ""})
    answers = {await scene.ask(Request.of(each, scene.places["user"]), nobody) for each in ELSEWHERE}
    assert [answer.code for answer in answers] == ["unauthenticated"]
    for operation in OPEN:
        assert (await scene.ask(Request.of(operation, {}), nobody)).code == "invalid"


@pytest.mark.parametrize("what", ["device", "session", "offer"])
async def test_what_is_somebody_elses_is_as_what_never_was(scene: Scene, what: str) -> None:
    asked = [each for each in ELSEWHERE if "{" + what + "}" in each.path]
    for operation in asked:
        absent, foreign = [await scene.answer(operation, "user", **ids) for ids in ({what: str(uuid4())}, {})]
        assert foreign == absent, operation.name
        assert MARKER not in foreign.text
    assert asked


async def test_every_other_operation_has_its_row(world: World) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    routes = {
        (method.upper(), named(path))
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith(CONVERSATION)
    }
    assert routes == {(operation.method, operation.path) for operation in [*ELSEWHERE, *OPEN]}
    assert ANSWERED.keys() | OF_GUESTS.keys() | OF_MODERATORS.keys() <= {operation.name for operation in ELSEWHERE}


def named(path: str) -> str:
    """A path of the document with the names that the operations use: an account is a person there."""
    return path.replace("{account}", "{person}")
