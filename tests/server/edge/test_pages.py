"""The pages: in the reader's language, under a strict policy, and the setup really sets up."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.support import browser
from tests.support.sign_in import gate

from aparte.server.authentication import actions as authentication
from aparte.server.authentication import http as authentication_http
from aparte.server.devices import http as devices_http
from aparte.server.edge import http, pages
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.door import Route
from aparte.server.kit.limits import Limiter

Admin = Any
TOKEN = "an-opaque-token"


@pytest.fixture
async def url(db: Database, tmp_path: Path) -> AsyncIterator[str]:
    here = gate(db)
    file = tmp_path / "setup-token"
    file.write_text(TOKEN)
    limiter = Limiter()
    door, device = authentication_http.Doors(here, limiter, file), devices_http.Doors(db)
    routes = [
        Route("POST", "/setup", door.set_up, "", 201, "open", "setup"),
        Route("DELETE", "/devices/{device}", device.revoke, "", 204, limit="write"),
    ]

    async def authenticate(token: str) -> Caller:
        return await authentication.authenticate(db, here.keys, token)

    app = http.application(routes, http.Edge(authenticate, limiter))
    pages.add(app)
    runner = http.runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def read(url: str, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as response:
        return response, await response.text()


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA, en;q=0.5", "fr"),
        ("en;q=0.4, fr;q=0.5", "fr"),
        ("de, en;q=0.2, fr;q=0.1", "en"),
        ("de", "en"),
        ("fr;q=0", "en"),
        ("fr;q=x, en;q=0.1", "en"),
        ("," * 10_000, "en"),
    ],
)
def test_the_language_is_the_one_liked_best(accept_language: str, language: str) -> None:
    assert pages.preferred(accept_language) == language


INVITE = "/i/0b9a1f5e-7c1d-4f6a-9a51-2f3a4b5c6d7e"


@pytest.mark.parametrize("path", ["/", "/setup", INVITE])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_pages_come_in_both_languages_under_a_strict_policy(url: str, path: str, language: str) -> None:
    response, text = await read(url + path, **{"Accept-Language": language})
    assert f'<html lang="{language}">' in text
    assert response.headers["Content-Language"] == language
    policy = pages.SILENT_POLICY if path == INVITE else pages.PAGE_POLICY
    assert response.headers["Content-Security-Policy"] == policy
    assert "unsafe" not in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in text
    assert "style=" not in text
    assert "{{" not in text


@pytest.mark.parametrize("path", ["/setup", INVITE])
async def test_both_languages_have_the_same_words(url: str, path: str) -> None:
    texts = [(await read(url + path, **{"Accept-Language": language}))[1] for language in ("en", "fr")]
    words = [[part.split('"')[0] for part in text.split('data-word="')[1:]] for text in texts]
    assert words[0] == words[1]


async def test_the_page_of_an_invite_link_sends_nothing_and_does_not_tell_whether_it_is_good(url: str) -> None:
    assert "connect-src 'none'" in pages.SILENT_POLICY
    known, text = await read(url + INVITE)
    other, same = await read(url + "/i/" + "0" * 32)
    assert (known.status, other.status) == (200, 200)
    assert text == same
    for wrong in ("/i/", "/i/short", "/i/" + "g" * 32, "/i/" + "0" * 37, INVITE + "/x", "/i/..%2f..%2fsetup"):
        assert (await read(url + wrong))[0].status == 404


async def test_the_invite_page_shows_the_whole_link_in_a_real_browser(url: str) -> None:
    key = "A-_9" * 10 + "xyz"
    async with browser.chromium() as chromium:
        page = await chromium.new_page(locale="fr-FR")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{url}{INVITE}#{key}")
        assert "#" not in page.url, "the key does not stay in the address bar"
        assert await page.locator("#command").text_content() == f"aparte join '{url}{INVITE}#{key}'"
        # What the browser reports is the address it was given; the server's log of the rest has no key to hold.
        assert {address.partition("#")[0] for address in asked} <= {
            f"{url}{INVITE}", f"{url}/static/page.css", f"{url}/static/invite.js", f"{url}/favicon.ico",
        }  # fmt: skip
        for broken in ("#" + key[:-1], "#" + "'" * 43):
            await page.goto("about:blank")
            await page.goto(f"{url}{INVITE}{broken}")
            await page.get_by_role("status").filter(has_text="est coupé").wait_for()
        await page.goto("about:blank")
        await page.goto(f"{url}{INVITE}")
        await page.get_by_role("status").filter(has_text="n’a pas de #").wait_for()
        assert await page.locator("#command").text_content() == f"aparte join '{url}{INVITE}'"


@pytest.mark.parametrize("path", ["/setup", INVITE])
async def test_both_languages_name_the_same_things(url: str, path: str) -> None:
    texts = [(await read(url + path, **{"Accept-Language": language}))[1] for language in ("en", "fr")]
    ids = [sorted(part.split('"')[0] for part in text.split(' id="')[1:]) for text in texts]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("host", ["<script>alert(1)</script>", '"onload="x', "a b", "evil.example/path"])
async def test_what_host_says_is_no_way_into_the_page(url: str, host: str) -> None:
    _, text = await read(url + "/", Host=host)
    assert host not in text
    assert "<script>" not in text


async def test_only_the_files_of_the_pages_are_served(url: str) -> None:
    response, _ = await read(url + "/static/page.css")
    assert (response.status, response.content_type) == (200, "text/css")
    response, _ = await read(url + "/static/setup.js")
    assert (response.status, response.content_type) == (200, "text/javascript")
    for path in ("/static/", "/static/index.en.html", "/static/..%2fpages.py", "/static/%2e%2e/pages.py"):
        response, _ = await read(url + path)
        assert response.status == 404


async def test_the_setup_page_makes_the_administrator_in_a_real_browser(url: str, admin: Admin) -> None:
    async with browser.chromium() as chromium:
        page = await chromium.new_page(locale="fr-FR")
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{url}/setup#{TOKEN}")
        assert "#" not in page.url, "the secret does not stay in the address bar"
        await page.get_by_label("Nom d’utilisateur").fill("root")
        await page.get_by_label("Adresse électronique").fill("root@example.org")
        await page.get_by_label("Mot de passe", exact=True).fill("a very good password")
        await page.get_by_label("Mot de passe, encore une fois").fill("another password")
        await page.get_by_role("button").click()
        status = page.get_by_role("status")
        await status.filter(has_text="ne sont pas les mêmes").wait_for()
        await page.get_by_label("Mot de passe, encore une fois").fill("a very good password")
        await page.get_by_role("button").click()
        await status.filter(has_text="login root").wait_for()
        await page.goto(f"{url}/setup")
        await status.filter(has_text="Le secret manque").wait_for()
    assert problems == []
    assert await admin.fetchval("SELECT role::text FROM accounts WHERE username = 'root'") == "admin"
    assert await admin.fetchval("SELECT count(*) FROM devices WHERE is_active") == 0
    assert await admin.fetchval("SELECT count(*) FROM sessions WHERE is_active") == 0
