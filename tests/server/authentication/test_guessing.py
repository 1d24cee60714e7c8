"""Guessing over HTTP with the limits as they are: neither other addresses nor other spellings help."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from tests.support.people import registration
from tests.support.sign_in import gate, register

from aparte.server.authentication import http as authentication_http
from aparte.server.authentication.model import Gate
from aparte.server.edge import http
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.door import Route
from aparte.server.kit.limits import LIMITS, Limiter
from aparte.server.sessions import http as sessions_http
from aparte.wire.errors import Refusal


class Door:
    """The doors a stranger may knock at."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self._client = client

    async def post(self, path: str, body: Any, ip: str) -> int:
        """Knock from an address; the status of the answer."""
        headers = {"X-Forwarded-For": ip}
        async with self._client.post(f"{self.url}/api/v1{path}", json=body, headers=headers) as response:
            assert response.status != 429 or int(response.headers["Retry-After"]) >= 1
            return response.status

    async def log_in(self, login: str, ip: str) -> int:
        """Guess a password."""
        device = {"device_id": str(uuid4()), "name": "x"}
        return await self.post("/sessions", {"login": login, "password": "wrong password", "device": device}, ip)


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def door(here: Gate) -> AsyncIterator[Door]:
    async def nobody(_: str) -> Caller:
        raise Refusal("unauthenticated")

    limiter = Limiter(clock=lambda: 0.0)  # stands still: nothing is refilled, however slow the machine
    entrance = authentication_http.Doors(here, limiter)
    routes = [
        Route("POST", "/accounts", entrance.register, "", 201, "open", "register"),
        Route("POST", "/sessions", entrance.log_in, "", 201, "open", "login"),
        Route(
            "POST",
            "/sessions/refresh",
            sessions_http.Doors(here.db, here.keys, limiter).refresh,
            "",
            200,
            "open",
            "refresh",
        ),
    ]
    edge = http.Edge(nobody, limiter, trusted_proxies=(ip_network("127.0.0.0/8"),))
    runner = http.runner(http.application(routes, edge))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        yield Door(f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    await runner.cleanup()


async def statuses(knocks: Iterable[Any]) -> Counter[int]:
    return Counter([await knock for knock in knocks])


@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_one_name_from_many_addresses_is_locked_and_then_limited(here: Gate, door: Door, name: str) -> None:
    await register(here, "alice")
    spellings = [name, name.upper(), name.title(), f" {name} ", "".join(chr(ord(c) + 0xFEE0) for c in name)]
    knocks = (door.log_in(spellings[n % 5], f"2001:db8:{n:x}::1") for n in range(40))
    assert await statuses(knocks) == {401: 5, 423: int(LIMITS["login_name"].capacity) - 5, 429: 20}


async def test_many_names_from_one_network_are_limited(door: Door) -> None:
    knocks = (door.log_in(f"name{n}", f"2001:db8:1:2:{n:x}::1") for n in range(60))
    assert await statuses(knocks) == {401: int(LIMITS["login"].capacity), 429: 30}


async def test_accounts_are_not_made_in_bulk(door: Door) -> None:
    found = await statuses(door.post("/accounts", registration(f"robot{n}"), "192.0.2.1") for n in range(30))
    assert found == {201: 20, 429: 10}


async def test_one_session_is_not_refreshed_in_a_loop_from_anywhere(here: Gate, door: Door) -> None:
    alice = await register(here, "alice")
    token = here.keys.refresh(alice.session, 1)
    body = {"refresh_token": token}
    found = await statuses(door.post("/sessions/refresh", body, f"192.0.2.{n}") for n in range(15))
    assert found == {200: 10, 429: 5}
