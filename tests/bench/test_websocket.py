"""The small WebSocket client against a real server: whatever is sent comes back whole, however it is cut on the way."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web

from aparte.bench.rest import connections, request
from aparte.bench.websocket import Place, UnexpectedAnswer, connect, masked


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send back what comes; `ping` and `close` are done."""
    ws = web.WebSocketResponse(protocols=("aparte.v1.json", "aparte.v1.msgpack"), max_msg_size=0, compress=False)
    await ws.prepare(request)
    async for message in ws:
        if message.type == WSMsgType.TEXT:
            if message.data == "ping":
                await ws.ping(b"hello")
            elif message.data == "close":
                await ws.close(code=4001)
            else:
                await ws.send_str(message.data)
        elif message.type == WSMsgType.PONG:
            await ws.send_str("pong " + message.data.decode())
        else:
            await ws.send_bytes(message.data)
    return ws


async def echo_and_pong(request: web.Request) -> web.WebSocketResponse:
    """Tell of the pong that a ping is answered with."""
    ws = web.WebSocketResponse(autoping=False)
    await ws.prepare(request)
    await ws.ping(b"hello")
    message = await ws.receive()
    await ws.send_str(f"{message.type.name} {bytes(message.data).decode()}")
    await ws.receive()
    return ws


async def dribble(request: web.Request) -> web.StreamResponse:
    """Answer byte by byte."""
    response = web.StreamResponse(headers={"Content-Length": "5"})
    await response.prepare(request)
    for byte in b"slow.":
        await response.write(bytes((byte,)))
        await asyncio.sleep(0)
    return response


async def nothing(_: web.Request) -> web.Response:
    """Answer without a body."""
    return web.Response(status=204)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A small server."""
    app = web.Application(client_max_size=0)
    app.router.add_get("/echo", echo)
    app.router.add_get("/pong", echo_and_pong)
    app.router.add_get("/api/v1/dribble", dribble)
    app.router.add_get("/api/v1/nothing", nothing)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


class Heard:
    """Collects payloads."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue()

    def __call__(self, data: bytes, start: int, end: int) -> None:
        self.payloads.put_nowait(data[start:end])

    async def next(self) -> bytes:
        """The next payload."""
        async with asyncio.timeout(10):
            return await self.payloads.get()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
async def test_frames_of_every_length_go_and_come_back(url: str, size: int) -> None:
    heard = Heard()
    ws = await connect(Place.of(url, "/echo"), "msgpack", heard)
    payload = bytes(number % 251 for number in range(size))
    ws.write(masked(payload, "msgpack") + masked(b"next", "msgpack"))
    assert await heard.next() == payload
    assert await heard.next() == b"next"
    ws.close()


async def test_frames_are_found_however_they_are_cut(url: str) -> None:
    heard = Heard()
    ws = await connect(Place.of(url, "/echo"), "json", heard)
    stream = b"".join(bytes((0x81, 3)) + b"%03d" % number for number in range(200))
    long = bytes((0x82, 127)) + (70_000).to_bytes(8, "big") + b"x" * 70_000
    for step in (1, 2, 3, 7, 1000):
        for start in range(0, len(stream), step):
            ws.data_received(stream[start : start + step])
        assert [await heard.next() for _ in range(200)] == [b"%03d" % number for number in range(200)]
    for start in range(0, len(long), 9):
        ws.data_received(long[start : start + 9])
    assert await heard.next() == b"x" * 70_000
    ws.close()


async def test_replies_leave_when_everything_is_read(url: str) -> None:
    heard = Heard()
    ws = await connect(Place.of(url, "/echo"), "json", heard)
    ws.on_frame = lambda data, start, end: ws.reply(masked(b"re " + data[start:end], "json"))
    ws.data_received(bytes((0x81, 1)) + b"a" + bytes((0x81, 1)) + b"b")
    ws.on_frame = heard
    assert [await heard.next(), await heard.next()] == [b"re a", b"re b"]
    ws.close()


async def test_a_ping_is_answered(url: str) -> None:
    heard = Heard()
    ws = await connect(Place.of(url, "/pong"), "json", heard)
    assert await heard.next() == b"PONG hello"
    ws.close()


async def test_the_close_code_is_kept(url: str) -> None:
    ws = await connect(Place.of(url, "/echo"), "json", Heard())
    ws.write(masked(b"close", "json"))
    for _ in range(1000):
        if ws.closed is not None:
            break
        await asyncio.sleep(0.01)
    assert ws.closed == 4001
    ws.write(masked(b"too late", "json"))


async def test_what_is_no_gateway_is_refused(url: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="404"):
        await connect(Place.of(url, "/nowhere"), "json", Heard())


async def test_a_fragmented_frame_is_not_taken_for_something_else(url: str) -> None:
    ws = await connect(Place.of(url, "/echo"), "json", Heard())
    with pytest.raises(UnexpectedAnswer, match="0x01"):
        ws.data_received(bytes((0x01, 1)) + b"a")
    ws.close()


async def test_answers_are_read_whole_and_one_after_the_other(url: str) -> None:
    async with connections(url, 1) as [connection]:
        for _ in range(3):
            assert (await connection.ask(request(url, "GET", "/dribble"))).body == b"slow."
            assert (await connection.ask(request(url, "GET", "/nothing"))).status == 204
        missing = await connection.ask(request(url, "GET", "/missing"))
        with pytest.raises(UnexpectedAnswer, match="404"):
            missing.read(dict)
