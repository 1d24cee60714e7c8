"""A signed-in device that is not on the list may ask to be linked, and nothing else, at any door.

The accident it prevents: a route that forgets to ask, and a thief of the password reads on.
"""

from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from tests.support import keys
from tests.support.people import PASSWORD, Device, Problem, World, call

from aparte.wire import frames

OPEN = {("POST", "/accounts"), ("POST", "/setup"), ("POST", "/sessions"), ("POST", "/sessions/refresh")}
LAST = ("DELETE", "/sessions/current")
"""Nothing can be asked after it."""
UNLISTED = {
    LAST,
    ("PUT", "/account/keys"),
    ("POST", "/link-offers"),
    ("GET", "/link-offers/mine"),
    ("DELETE", "/link-offers/{offer}"),
}


@pytest.fixture
async def alice(world: World) -> Device:
    return await world.register("alice")


@pytest.fixture
async def unlisted(world: World, alice: Device) -> Device:
    """The account's name and password, on a device that nobody admitted."""
    return await world.log_in(alice)


async def routes(world: World) -> list[tuple[str, str]]:
    """Every route that the server serves."""
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


async def outcome(who: Device, method: str, path: str) -> str:
    for part in {part for part in path.split("/") if part.startswith("{")}:
        path = path.replace(part, str(uuid4()))
    try:
        await who.call(method, path, {} if method in {"POST", "PUT", "PATCH"} else None)
    except Problem as problem:
        return problem.code
    return "done"


async def test_it_is_refused_at_every_door_but_those_five(world: World, unlisted: Device) -> None:
    ordered = sorted(await routes(world), key=lambda route: route == LAST)
    found = {route: await outcome(unlisted, *route) for route in ordered if route not in OPEN}
    refused = {route for route, code in found.items() if code == "link_needed"}
    assert set(found) >= UNLISTED
    assert set(found) - refused == UNLISTED


async def test_a_listed_device_never_hears_of_it(world: World, alice: Device) -> None:
    for route in sorted(await routes(world), key=lambda route: route == LAST):
        if route not in OPEN:
            assert await outcome(alice, *route) != "link_needed", route


def again(person: Device) -> dict[str, Any]:
    """A login on the device that it is."""
    return {"login": person.username, "password": PASSWORD, "device": {"device_id": person.id, "name": "laptop"}}


async def test_the_gateway_does_not_open(world: World, unlisted: Device) -> None:
    async with world.http.ws_connect(f"{world.url}/api/v1/gateway", protocols=("aparte.v1.json",)) as ws:
        await ws.send_json({"type": "hello", "access_token": unlisted.tokens["access_token"], "rev": 0})
        assert (await ws.receive_json())["code"] == "link_needed"
        assert (await ws.receive()).type == aiohttp.WSMsgType.CLOSE
        assert ws.close_code == frames.Close.UNAUTHENTICATED


async def test_tokens_say_how_the_device_stands_and_a_refresh_too(
    world: World, alice: Device, unlisted: Device
) -> None:
    assert (alice.tokens["standing"], unlisted.tokens["standing"]) == ("listed", "unlisted")
    for who in (alice, unlisted):
        body = {"refresh_token": who.tokens["refresh_token"]}
        new = await call(world.http, world.url, "POST", "/sessions/refresh", body)
        repeated = await call(world.http, world.url, "POST", "/sessions/refresh", body)
        assert new["standing"] == repeated["standing"] == who.tokens["standing"]


async def test_the_same_session_may_do_everything_from_the_moment_it_is_linked(world: World, alice: Device) -> None:
    phone = await world.link(alice)
    assert phone.tokens["standing"] == "unlisted"  # as it was when the session was opened
    async with phone.gateway():
        assert (await phone.get("/accounts/me"))["username"] == alice.username


async def test_a_listed_device_is_not_switched_off_behind_the_list(world: World, alice: Device) -> None:
    phone, unlisted = await world.link(alice), await world.log_in(alice, device="forgotten")
    with pytest.raises(Problem) as refused:
        await alice.call("DELETE", f"/devices/{phone.id}")
    assert refused.value.code == "invalid"
    await phone.get("/accounts/me")
    await alice.call("DELETE", f"/devices/{unlisted.id}")
    with pytest.raises(Problem) as refused:
        await unlisted.call("DELETE", "/sessions/current")
    assert refused.value.code == "unauthenticated"


async def test_a_device_that_is_off_the_list_is_unlisted_when_it_comes_back(world: World, alice: Device) -> None:
    phone = await world.link(alice)
    signed = keys.without(await alice.newest_list(), UUID(phone.id))
    await alice.call("PUT", "/account/device-list", {"devices": keys.in_json(signed)})
    back = await call(world.http, world.url, "POST", "/sessions", again(phone))
    assert back["standing"] == "unlisted"
