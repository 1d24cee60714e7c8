"""The whole way in over a real server: who gets past which door, and what a stranger can tell apart."""

import re
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.support.people import PASSWORD, Device, World, call
from tests.support.valkey import until

JUNK = "A" * 108
JUNK_ID = "018f0000-0000-4000-8000-000000000000"

OWN = [
    ("GET", "/accounts/me"),
    ("PATCH", "/accounts/me"),
    ("PUT", "/accounts/me/password"),
    ("GET", "/accounts/{account}"),
    ("GET", "/accounts?username=alice"),
    ("GET", "/account/state"),
    ("GET", "/sessions"),
    ("DELETE", "/sessions/{session}"),
    ("DELETE", "/sessions/current"),
    ("GET", "/devices"),
    ("PATCH", "/devices/{device}"),
    ("DELETE", "/devices/{device}"),
    ("GET", "/contacts"),
    ("PUT", "/contacts/{account}"),
    ("DELETE", "/contacts/{account}"),
    ("GET", "/blocks"),
    ("PUT", "/blocks/{account}"),
    ("DELETE", "/blocks/{account}"),
]
OPEN = {("POST", "/accounts"), ("POST", "/setup"), ("POST", "/sessions"), ("POST", "/sessions/refresh")}
"""The only doors that ask for no token."""


@pytest.fixture
async def alice(world: World) -> Device:
    return await world.register("alice")


async def raw(world: World, method: str, path: str, token: str = "", **how: Any) -> tuple[int, dict[str, Any], bytes]:
    """Ask, and keep everything that came back except what differs each time."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{world.url}/api/v1{path}"
    async with world.http.request(method, url, headers=headers, **how) as response:
        body = await response.read()
        answered = {k: v for k, v in response.headers.items() if k.lower() not in ("x-request-id", "date")}
        return response.status, answered, body


def filled(path: str, person: Device) -> str:
    """The path with somebody's own ids."""
    tokens = person.tokens
    return path.format(account=person.account, device=person.id, session=tokens["session_id"])


async def test_every_other_door_asks_for_a_token(world: World) -> None:
    async with world.http.get(f"{world.url}/api/openapi.json") as response:
        document = await response.json()
    doors = {
        (method.upper(), path.removeprefix("/api/v1")): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and method in {"get", "post", "put", "patch", "delete"}
    }
    assert {door for door, operation in doors.items() if operation.get("security") == []} == OPEN
    assert len(doors) > 30
    for (method, path), operation in doors.items():
        if operation.get("security") != []:
            status, _, _ = await raw(world, method, re.sub(r"{[a-z]+}", str(uuid4()), path), json={})
            assert status == 401, (method, path)


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_no_token_an_invented_one_and_an_ended_one_open_nothing(
    world: World, alice: Device, method: str, path: str
) -> None:
    phone = await world.link(alice)
    await phone.call("DELETE", "/sessions/current")
    refresh_token = alice.tokens["refresh_token"]
    outcomes = [
        await raw(world, method, filled(path, alice), token, json={})
        for token in ("", JUNK, phone.tokens["access_token"], refresh_token)
    ]
    assert {status for status, _, _ in outcomes} == {401}
    assert len({body for _, _, body in outcomes}) == 1


async def test_an_unknown_name_and_a_wrong_password_get_the_same_bytes(world: World, alice: Device) -> None:
    device = {"device_id": str(uuid4()), "name": "phone"}
    answers = [
        await raw(world, "POST", "/sessions", json={"login": login, "password": "wrong password", "device": device})
        for login in (alice.username, f"nobody{uuid4().hex[:8]}", f"{alice.username}@example.org", "no@body.example")
    ]
    assert [status for status, _, _ in answers] == [401] * 4
    assert len({body for _, _, body in answers}) == 1
    assert len({tuple(sorted(headers.items())) for _, headers, _ in answers}) == 1


async def test_the_same_words_are_said_of_somebody_elses_and_of_nobodys(world: World, alice: Device) -> None:
    mallory = await world.register("mallory")
    token = mallory.tokens["access_token"]
    for method, path in (("DELETE", "/sessions/{}"), ("DELETE", "/devices/{}"), ("PATCH", "/devices/{}")):
        theirs = alice.tokens["session_id"] if "sessions" in path else alice.id
        answers = [
            await raw(world, method, path.format(which), token, json={"name": "mine"})
            for which in (theirs, uuid4(), "x")
        ]
        assert [status for status, _, _ in answers] == [404] * 3
        assert len({body for _, _, body in answers}) == 1
    assert (await alice.get("/accounts/me"))["username"] == alice.username


async def test_logging_out_ends_what_the_token_opened(world: World, alice: Device) -> None:
    phone = await world.link(alice)
    await phone.call("DELETE", "/sessions/current")
    status, _, _ = await raw(world, "GET", "/accounts/me", phone.tokens["access_token"])
    assert status == 401
    status, _, body = await raw(
        world, "POST", "/sessions/refresh", json={"refresh_token": phone.tokens["refresh_token"]}
    )
    assert (status, b"unauthenticated" in body) == (401, True)


async def test_a_changed_password_ends_the_other_devices_requests_and_gateways(world: World, alice: Device) -> None:
    phone = await world.link(alice)
    async with phone.gateway() as gateway:
        await alice.call("PUT", "/accounts/me/password", {"old": PASSWORD, "new": "another good password"})
        status, _, _ = await raw(world, "GET", "/accounts/me", phone.tokens["access_token"])
        assert status == 401
        await until(lambda: gateway.close_code is not None)
        assert gateway.close_code == 4001
    assert (await alice.get("/accounts/me"))["username"] == alice.username


async def test_a_refresh_over_and_over_keeps_one_signed_in(world: World, alice: Device) -> None:
    for _ in range(3):
        fresh = await call(
            world.http, world.url, "POST", "/sessions/refresh", {"refresh_token": alice.tokens["refresh_token"]}
        )
        alice.tokens = fresh
        assert (await alice.get("/accounts/me"))["id"] == alice.account


async def test_ones_own_account_and_devices_over_the_wire(world: World, alice: Device) -> None:
    changed = await alice.call(
        "PATCH", "/accounts/me", {"display_name": "Alice", "privacy": {"see_last_seen": "nobody"}}
    )
    assert changed["display_name"] == "Alice"
    assert changed["created_at"].endswith("Z"), "times are UTC (R-008)"
    bob = await world.register("bob")
    shown = await bob.get(f"/accounts/{alice.account}")
    assert shown["display_name"] == "Alice"
    assert "last_seen_at" not in shown
    assert "email" not in shown
    found = await bob.get("/accounts", username=alice.username.upper())
    assert [one["id"] for one in found["people"]] == [alice.account]
    found = await bob.get("/accounts", ids=f"{alice.account},{uuid4()},{bob.account}")
    assert [one["id"] for one in found["people"]] == [alice.account, bob.account]
    added = await bob.call("PUT", f"/contacts/{alice.account}", {"nickname": "A"})
    assert added["nickname"] == "A"
    keys = {item["key"] for item in (await bob.get("/account/state", after=0))["items"]}
    assert {f"contact:{alice.account}", f"device:{bob.id}", "profile"} <= keys


@pytest.mark.parametrize(
    "query", ["", "?ids=", "?ids=x", "?ids=x&username=y", "?ids=" + ",".join([str(uuid4())] * 101)]
)
async def test_lookups_are_bounded_and_well_formed(world: World, alice: Device, query: str) -> None:
    status, _, body = await raw(world, "GET", f"/accounts{query}", alice.tokens["access_token"])
    assert (status, b'"invalid"' in body) == (422, True)


async def test_a_page_of_another_origin_cannot_open_the_gateway(world: World) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.http.ws_connect(
            f"{world.url}/api/v1/gateway", protocols=("aparte.v1.json",), headers={"Origin": "https://evil.example"}
        )
    assert refused.value.status == 403
