"""The page of the API: it works in a real browser under its own strict policy, and asks no other host for anything."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from aiohttp import web
from tests.support import browser

from aparte.server.edge import http, openapi
from aparte.server.kit.caller import Caller
from aparte.server.kit.door import Call, Nothing, Route
from aparte.server.kit.limits import Limiter
from aparte.server.openapi import gateway
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, DeviceId, SessionId

ALICE = Caller(AccountId(uuid4()), DeviceId(uuid4()), SessionId(uuid4()), "user", is_listed=True)


class Greeting(msgspec.Struct, frozen=True):
    """A greeting."""

    text: str
    loud: bool = False


class Doors:
    """A door."""

    async def greet(self, call: Call[Greeting, Nothing]) -> Greeting:
        """Greet <b>somebody</b>.

        Twice if need be.
        """
        return call.body

    async def look(self, call: Call[Nothing, Nothing]) -> Greeting:
        """Look."""
        return Greeting(str(call.id("thing")))


ROUTES = [
    Route("POST", "/greetings", Doors().greet, access="open"),
    Route("GET", "/greetings/{thing}", Doors().look),
]


async def authenticate(token: str) -> Caller:
    if token != "alice":
        raise Refusal("unauthenticated")
    return ALICE


@dataclass
class Served:
    """The page's address and a client."""

    url: str
    client: aiohttp.ClientSession


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    app = http.application(ROUTES, http.Edge(authenticate, Limiter()))
    openapi.add_to(app, ROUTES)
    runner = http.runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    await runner.cleanup()


async def test_serves_the_descriptions(served: Served) -> None:
    async with served.client.get(f"{served.url}/api/openapi.json") as response:
        assert response.content_type == "application/json"
        assert set((await response.json())["paths"]) == {"/greetings", "/greetings/{thing}"}
        etag = response.headers["ETag"]
    async with served.client.get(f"{served.url}/api/openapi.json", headers={"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    async with served.client.get(f"{served.url}/api/frames.json") as response:
        assert await response.json() == json.loads(msgspec.json.encode(gateway.schema()))


async def test_the_address_without_slash_leads_to_the_page(served: Served) -> None:
    async with served.client.get(f"{served.url}/api", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (308, "/api/")


@pytest.mark.parametrize("path", ["/api/", "/api/api.js", "/api/api.css"])
async def test_the_page_allows_nothing_but_itself(served: Served, path: str) -> None:
    async with served.client.get(served.url + path) as response:
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "http://" not in text
    assert "https://" not in text


async def test_a_person_reads_and_tries_a_route(served: Served) -> None:
    async with browser.chromium() as chromium:
        page = await chromium.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{served.url}/api/")
        await page.locator("#version").filter(has_text="0.").wait_for()
        greet = page.locator("details", has_text="Greet <b>somebody</b>").first
        await greet.locator("summary").click()
        await greet.get_by_label("body").fill('{"text": "salut"}')
        await greet.get_by_role("button").click()
        answer = greet.locator("pre")
        await answer.filter(has_text="200").wait_for()
        assert json.loads((await answer.inner_text()).partition("\n")[2]) == {"text": "salut", "loud": False}

        look = page.locator("details", has_text="/greetings/{thing}").first
        await look.locator("summary").click()
        await look.get_by_label("thing").fill(str(uuid4()))
        await look.get_by_role("button").click()
        await look.locator("pre").filter(has_text="unauthenticated").wait_for()
        await page.get_by_label("Access token").fill("alice")
        await look.get_by_role("button").click()
        await look.locator("pre").filter(has_text="200 OK").wait_for()

        assert await page.locator("#frame-hello").count() == 1
        assert await page.locator("#struct-Greeting").count() == 1
        assert all(url.startswith(served.url) for url in asked)
        assert [line for line in said if "401" not in line] == []
