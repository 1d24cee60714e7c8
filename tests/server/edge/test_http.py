"""The edge around a handful of probing routes, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import structlog
from aiohttp import web
from tests.server.edge.probing import ALICE, ALLOWED, ROUTES, Serve, Server, authenticate

from aparte.server.edge import http
from aparte.server.kit.limits import LIMITS, Limiter
from aparte.wire import limits
from aparte.wire.errors import CODES


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []
    clients: list[aiohttp.ClientSession] = []

    async def start(**settings: Any) -> Server:
        app = http.application(ROUTES, http.Edge(authenticate, Limiter(), **settings))
        runner = http.runner(app)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        clients.append(aiohttp.ClientSession())
        return Server(f"http://127.0.0.1:{runner.addresses[0][1]}", clients[-1])

    yield start
    for client in clients:
        await client.close()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def server(serve: Serve) -> Server:
    here: Server = await serve(allowed_origins=frozenset({ALLOWED}))
    return here


async def spoken(server: Server, request: bytes) -> bytes:
    """Send raw bytes, return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    writer.write(request)
    first = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return first


def assert_problem(response: aiohttp.ClientResponse, data: Any, code: str) -> None:
    """A problem as RFC 9457 wants it, with the status that the table gives its code."""
    assert response.status == CODES[code].status == data["status"]
    assert response.content_type == "application/problem+json"
    assert data["code"] == code
    assert data["type"] == f"urn:aparte:error:{code}"
    assert UUID(response.headers["X-Request-Id"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if response.status in (423, 429, 503):
        assert int(response.headers["Retry-After"]) >= 1


async def test_answers_json_with_the_headers_every_answer_has(server: Server) -> None:
    response, data = await server.post(b'{"text":"salut"}')
    assert (response.status, data) == (200, {"text": "salut", "number": 0, "free": {}})
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Server"] == "aparte"
    assert UUID(response.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"text":"\xff"}', "malformed"),
        (b'{"text":"\xed\xa0\x80"}', "malformed"),
        (b"[" * 100_000, None),
        (b'{"text":"a","free":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001, None),
        (b'{"text":"a"} trailing', "malformed"),
        (b'{"text":"\\ud800"}', None),
        (b'{"text":"\\u0000"}', "invalid"),
        (b'{"text":"a","free":{"\\u0000":1}}', "invalid"),
        (b'{"text":"a","number":9007199254740993}', "invalid"),
        (b'{"text":"a","number":' + b"9" * 5000 + b"}", None),
        (b'{"text":"a","free":{"n":1e400}}', None),
        (b'{"text":"a","free":{"n":' + b"9" * 5000 + b"}}", None),
        (b'{"text":"a","number":"1"}', "invalid"),
        (b'{"text":1}', "invalid"),
        (b"{}", "invalid"),
        (b"null", "invalid"),
        (b'{"text":"' + b"a" * 101 + b'"}', "invalid"),
        (b'{"text":"a","free":' + b'{"a":' * 9 + b"1" + b"}" * 10, "invalid"),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
async def test_a_body_that_nobody_can_hold_is_refused_and_never_an_error_of_ours(
    server: Server, body: bytes, code: str | None
) -> None:
    response, data = await server.post(body)
    assert response.status in (400, 422)
    assert_problem(response, data, code or data["code"])


async def test_unknown_fields_are_ignored(server: Server) -> None:
    response, _ = await server.post(b'{"text":"a","from_the_future":[1,2]}')
    assert response.status == 200


async def test_a_body_may_have_the_limit_and_not_one_byte_more(server: Server) -> None:
    frame = b'{"text":"a","x":"%s"}'
    room = limits.BODY_BYTES - len(frame) + 2
    response, _ = await server.post(frame % (b"a" * room))
    assert response.status == 200
    response, data = await server.post(frame % (b"a" * (room + 1)))
    assert_problem(response, data, "too_large")


async def test_a_body_of_unsaid_length_is_capped_too(server: Server) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(limits.BODY_BYTES // 60_000 + 1):
            yield b" " * 60_000

    how = {"data": chunks(), "headers": {"Content-Type": "application/json"}}
    response, data = await server.ask("POST", "/echo", **how)
    assert_problem(response, data, "too_large")


async def test_a_body_that_never_ends_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aparte.server.edge.request.BODY_SECONDS", 0.1)
    head = b"POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
    assert b" 408 " in await spoken(server, head)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=latin-1"}, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=utf-8"}, None),
        ({"Content-Encoding": "gzip"}, "unsupported_media_type"),
        ({"Content-Encoding": "br"}, "unsupported_media_type"),
        ({"Accept": "text/html"}, "not_acceptable"),
        ({"Accept": "application/json;q=0, */*"}, "not_acceptable"),
        ({"Accept": "text/html, application/*;q=0.1"}, None),
        ({"Accept": "*/*"}, None),
        ({"Accept": "application/json;q=banana"}, "not_acceptable"),
    ],
)
async def test_negotiation(server: Server, headers: dict[str, str], code: str | None) -> None:
    response, data = await server.post(b'{"text":"a"}', **headers)
    if code is None:
        assert response.status == 200
    else:
        assert_problem(response, data, code)


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("", {"limit": 50, "after": None, "name": "", "deep": False}),
        ("?limit=1&deep=true&name=%C3%A9&more=1&more=2", {"limit": 1, "after": None, "name": "é", "deep": True}),
        ("?limit=0", "invalid"),
        ("?limit=101", "invalid"),
        ("?limit=x", "invalid"),
        ("?limit=1&limit=2", "invalid"),
        ("?limit=" + "9" * 5000, "invalid"),
        ("?after=nobody", "invalid"),
        ("?after=null", "invalid"),
        ("?name=%00", "invalid"),
    ],
)
async def test_queries_are_converted_and_checked(server: Server, query: str, outcome: Any) -> None:
    response, data = await server.ask("GET", "/ask" + query)
    if isinstance(outcome, str):
        assert_problem(response, data, outcome)
    else:
        assert data == outcome


@pytest.mark.parametrize("target", [b"/ask?name=%FF%ED%A0%80", b"/ask?name=\xff\xfe", b"/things/\xff", b"/things/%00"])
async def test_an_address_in_bad_utf8_is_no_error_of_ours(server: Server, target: bytes) -> None:
    head = b" HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nAuthorization: Bearer \xff\r\n\r\n"
    first = await spoken(server, b"GET /api/v1" + target + head)
    assert int(first.split()[1]) in (200, 400, 404, 422)


async def test_what_is_not_there_and_what_cannot_be_done_are_problems_too(server: Server) -> None:
    response, data = await server.ask("GET", "/nowhere")
    assert_problem(response, data, "not_found")
    response, data = await server.ask("PUT", "/echo")
    assert_problem(response, data, "method_not_allowed")
    assert response.headers["Allow"] == "POST"
    response, data = await server.ask("GET", "/things/no-uuid")
    assert_problem(response, data, "not_found")


@pytest.mark.parametrize(
    "header",
    [None, "", "alice", "Basic alice", "Bearer", "Bearer ", "Bearer mallory", "Bearer " + "a" * 600],
)
async def test_without_a_good_token_nothing_is_answered(server: Server, header: str | None) -> None:
    response, data = await server.ask("GET", "/whoami", headers={} if header is None else {"Authorization": header})
    assert_problem(response, data, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_address_opens_nothing(server: Server) -> None:
    response, data = await server.ask("GET", "/whoami?access_token=alice&token=alice")
    assert_problem(response, data, "unauthenticated")


async def test_access_levels(server: Server) -> None:
    response, data = await server.ask("GET", "/whoami", headers={"Authorization": "bearer alice"})
    assert (response.status, data) == (200, {"account": str(ALICE.account)})
    response, data = await server.ask("GET", "/secrets", headers={"Authorization": "Bearer alice"})
    assert_problem(response, data, "forbidden")
    response, data = await server.ask("GET", "/secrets", headers={"Authorization": "Bearer root"})
    assert response.status == 200
    response, data = await server.ask("DELETE", f"/things/{uuid4()}", headers={"Authorization": "Bearer alice"})
    assert (response.status, data) == (204, None)


async def test_a_bug_is_answered_without_details_and_logged_without_content(server: Server) -> None:
    with structlog.testing.capture_logs() as logs:
        response, data = await server.post(b'{"text":"a very private text"}', "/broken")
    assert_problem(response, data, "internal")
    assert data["reference"] == response.headers["X-Request-Id"]
    assert [row["reference"] for row in logs if row["event"] == "internal_error"] == [data["reference"]]
    assert "private" not in json.dumps(data)
    assert "private" not in repr(logs)


async def test_whoever_must_wait_is_told_how_long(server: Server) -> None:
    response, data = await server.ask("GET", "/busy")
    assert_problem(response, data, "unavailable")
    response, data = await server.ask("GET", "/locked")
    assert_problem(response, data, "account_locked")
    assert (response.headers["Retry-After"], data["retry_after"]) == ("62", 61.5)
    for _ in range(int(LIMITS["setup"].capacity)):
        await server.ask("GET", "/few")
    response, data = await server.ask("GET", "/few")
    assert_problem(response, data, "rate_limited")


async def test_headers_and_neighbouring_addresses_do_not_get_round_a_limit(serve: Serve) -> None:
    direct = await serve()
    for n in range(int(LIMITS["setup"].capacity)):
        await direct.ask("GET", "/few", headers={"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"})
    response, data = await direct.ask("GET", "/few", headers={"X-Forwarded-For": "192.0.2.99"})
    assert_problem(response, data, "rate_limited")
    behind = await serve(trusted_proxies=(ip_network("127.0.0.1/32"),))
    for n in range(int(LIMITS["setup"].capacity)):
        await behind.ask("GET", "/few", headers={"X-Forwarded-For": f"2001:db8:1:2::{n}"})
    response, data = await behind.ask("GET", "/few", headers={"X-Forwarded-For": "2001:db8:1:2:ffff::1"})
    assert_problem(response, data, "rate_limited")
    response, _ = await behind.ask("GET", "/few", headers={"X-Forwarded-For": "2001:db8:1:3::1"})
    assert response.status == 200


async def test_a_foreign_web_origin_is_refused_whatever_it_asks(server: Server) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1", "https://app.example.evil.example"):
        response, data = await server.ask("GET", "/ask", headers={"Origin": origin})
        assert_problem(response, data, "forbidden_origin")
        assert "Access-Control-Allow-Origin" not in response.headers
        response, data = await server.ask("OPTIONS", "/ask", headers={"Origin": origin})
        assert_problem(response, data, "forbidden_origin")


async def test_the_own_origin_is_let_in_without_cors_and_the_listed_one_with(server: Server) -> None:
    response, _ = await server.ask("GET", "/ask", headers={"Origin": server.url})
    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    response, _ = await server.ask("GET", "/ask", headers={"Origin": ALLOWED})
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == ALLOWED
    response, _ = await server.ask(
        "OPTIONS", "/echo", headers={"Origin": ALLOWED, "Access-Control-Request-Method": "POST"}
    )
    assert response.status == 204
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


async def test_with_a_public_address_the_host_header_does_not_count(serve: Serve) -> None:
    server = await serve(public_url="https://chat.example:443/")
    response, _ = await server.ask("GET", "/ask", headers={"Origin": "https://chat.example"})
    assert response.status == 200
    headers = {"Origin": "http://evil.example", "Host": "evil.example"}
    response, data = await server.ask("GET", "/ask", headers=headers)
    assert_problem(response, data, "forbidden_origin")


async def test_the_access_log_names_the_route_and_neither_ids_nor_queries_nor_tokens(server: Server) -> None:
    identity = uuid4()
    with structlog.testing.capture_logs() as logs:
        headers = {"Authorization": "Bearer alice"}
        await server.ask("DELETE", f"/things/{identity}?secret=hush", headers=headers)
        await server.ask("GET", f"/nowhere/{identity}")
    rows = [row for row in logs if row["event"] == "request"]
    assert [(row["method"], row["route"], row["status"]) for row in rows] == [
        ("DELETE", "/api/v1/things/{thing}", 204),
        ("GET", "unmatched", 404),
    ]
    assert rows[0]["account"] == str(ALICE.account)
    for word in (str(identity), "hush", "alice"):
        assert word not in repr(rows)


async def test_metrics_are_told_patterns(serve: Serve) -> None:
    seen: list[tuple[str, str, int]] = []
    server = await serve(observe=lambda method, route, status, _: seen.append((method, route, status)))
    await server.ask("GET", f"/things/{uuid4()}")
    await server.ask("PROPFIND", "/nowhere")
    assert seen == [("GET", "/api/v1/things/{thing}", 200), ("other", "unmatched", 404)]


async def test_what_is_no_http_is_refused_without_quoting_it_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    first = await spoken(server, b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hush\r\nBad Header: hush\r\n\r\n")
    assert b" 400 " in first
    assert "BadHttpMessage" in caplog.text or "InvalidHeader" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_asks_for_nothing_is_closed(
    serve: Serve, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aparte.server.edge.runner.HEADER_SECONDS", 0.2)
    server = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    writer.write(begun)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    response, _ = await server.ask("GET", "/ask")
    await asyncio.sleep(0.4)
    again, _ = await server.ask("GET", "/ask")
    assert response.status == again.status == 200, "who has asked may be idle longer"
