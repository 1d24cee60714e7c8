"""The gateway: hello, frames, limits, one socket a device, and everything malformed."""

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from tests.support import people
from tests.support.people import Device, World

from aparte.wire import limits

ROUTE = "/api/v1/gateway"


async def closed(ws: aiohttp.ClientWebSocketResponse, seconds: float = 10) -> tuple[list[dict[str, Any]], int | None]:
    """Read until the server closes; returns the frames and the close code."""
    async with asyncio.timeout(seconds):
        frames = [msgspec.json.decode(message.data) async for message in ws]
    return frames, ws.close_code


def text(frame: dict[str, Any]) -> str:
    """A frame as JSON."""
    return msgspec.json.encode(frame).decode()


async def test_who_says_nothing_is_closed_after_five_seconds(world: World) -> None:
    async with world.http.ws_connect(world.url + ROUTE) as ws:
        frames, code = await closed(ws)
    assert frames == [{"type": "error", "code": "hello_expected"}]
    assert code == 4002


@pytest.mark.parametrize(
    ("first", "error", "code"),
    [
        ({"type": "hello", "access_token": "nonsense"}, "unauthenticated", 4001),
        ({"type": "hello", "access_token": "x", "protocol": 99}, "protocol", 4002),
        ({"type": "entries", "ref": 1, "conversation": str(uuid4())}, "hello_expected", 4002),
        ({"type": "hello"}, "invalid", 4002),
    ],
)
async def test_who_does_not_show_a_token_first_is_turned_away(
    world: World, first: dict[str, Any], error: str, code: int
) -> None:
    async with world.http.ws_connect(world.url + ROUTE) as ws:
        await ws.send_str(text(first))
        frames, closing = await closed(ws)
    assert [frame["code"] for frame in frames] == [error]
    assert closing == code


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_a_message_goes_from_one_gateway_to_the_other(world: World, encoding: str) -> None:
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    async with alice.gateway(encoding=encoding) as here, bob.gateway() as there:
        message = {"client_message_id": str(uuid4()), "content": {"text": "salut"}}
        sent = await here.ask("send", conversation=room, message=message)
        assert sent["type"] == "sent"
        entry = await there.entry(room)
    assert entry["seq"] == sent["seq"]
    assert entry["body"] == {"text": "salut"}
    assert entry["account"] == alice.account


async def test_what_is_sent_twice_over_two_doors_is_stored_once(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    message_id = uuid4()
    first = await alice.send(room, "once", message_id)
    async with alice.gateway() as here:
        message = {"client_message_id": str(message_id), "content": {"text": "once"}}
        again = await here.ask("send", conversation=room, message=message)
        message["content"] = {"text": "twice"}
        other = await here.ask("send", conversation=room, message=message)
    assert (again["seq"], again["id"]) == (first["seq"], first["id"])
    assert other["code"] == "client_id_reused"
    assert await alice.texts(room) == ["once"]


async def test_a_second_gateway_of_a_device_replaces_the_first(world: World) -> None:
    alice = await world.register("alice")
    async with alice.gateway() as first, alice.gateway() as second:
        assert await first.closing() == 4009
        assert (await second.ask("state"))["type"] == "states"


async def test_two_devices_of_one_person_hear_the_same(world: World) -> None:
    alice = await world.register("alice")
    phone = await world.link(alice)
    room = await alice.room()
    async with alice.gateway() as here, phone.gateway() as there:
        await alice.send(room, "to myself elsewhere")
        assert (await here.entry(room))["body"] == (await there.entry(room))["body"]


def nested(depth: int) -> Any:
    """Maps in maps, so many levels deep."""
    return {"a": nested(depth - 1)} if depth else 1


BAD_FRAMES: list[tuple[str, str]] = [
    ("{", "malformed"),
    ("[" * 100_000, "invalid"),
    ('{"type":"entries","ref":1,"conversation":' + '{"a":' * 5_000, "invalid"),
    ('{"type":"nothing"}', "invalid"),
    ('{"ref":1}', "invalid"),
    ('{"type":"send","ref":1,"conversation":"x","message":{}}', "invalid"),
    ('{"type":"state","ref":9007199254740993}', "invalid"),
    ('{"type":"state","ref":1e400}', "invalid"),
    ('{"type":"state","ref":-1}', "invalid"),
    ('{"type":"state","ref":"1"}', "invalid"),
]


@pytest.mark.parametrize(("frame", "code"), BAD_FRAMES, ids=range(len(BAD_FRAMES)))
async def test_a_bad_frame_gets_its_error_and_the_socket_lives(world: World, frame: str, code: str) -> None:
    alice = await world.register("alice")
    async with alice.gateway() as here:
        await here.ws.send_str(frame)
        error = await here.wait(lambda f: f["type"] == "error")
        assert error["code"] == code
        assert (await here.ask("state"))["type"] == "states"


BAD_CONTENT: list[tuple[dict[str, Any] | str, str]] = [
    ({"text": ""}, "invalid"),
    ({"text": " \n\t"}, "invalid"),
    ({"text": "x" * (limits.TEXT + 1)}, "invalid"),
    ({"text": "nul \0"}, "invalid"),
    ({"text": "x", "format": "rtf"}, "invalid"),
    ({"text": "x", "metadata": {"n": 2**53}}, "invalid"),
    ({"text": "x", "metadata": {"k": "x" * limits.METADATA_BYTES}}, "invalid"),
    ({"text": "x", "metadata": nested(limits.JSON_DEPTH + 1)}, "invalid"),
    ({"text": 1}, "invalid"),
    ('{"text":"\\ud800"}', "malformed"),
    ('{"text":"x","metadata":{"n":1e400}}', "invalid"),
]


@pytest.mark.parametrize(("content", "code"), BAD_CONTENT, ids=range(len(BAD_CONTENT)))
@pytest.mark.parametrize("door", ["rest", "gateway"])
async def test_bad_content_is_refused_alike_at_both_doors(
    world: World, content: dict[str, Any] | str, code: str, door: str
) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    raw = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    message = f'{{"client_message_id":"{uuid4()}","content":{raw}}}'
    if door == "rest":
        status, answer = await post(alice, f"/conversations/{room}/messages", message)
        assert (status, answer["code"]) == ({"invalid": 422, "malformed": 400}[code], code)
    else:
        async with alice.gateway() as here:
            await here.ws.send_str(f'{{"type":"send","ref":7,"conversation":"{room}","message":{message}}}')
            assert (await here.wait(lambda f: f["type"] == "error"))["code"] == code
    assert await alice.texts(room) == []


async def post(who: Device, path: str, raw: str) -> tuple[int, dict[str, Any]]:
    """POST bytes as they are."""
    headers = {"Authorization": f"Bearer {who.tokens['access_token']}", "Content-Type": "application/json"}
    async with who.http.post(f"{who.url}/api/v1{path}", data=raw.encode(), headers=headers) as response:
        return response.status, msgspec.json.decode(await response.read())


async def test_what_is_exactly_at_its_limit_is_stored(world: World) -> None:
    alice = await world.register("alice")
    room = await alice.room()
    longest = "é" * limits.TEXT
    await alice.send(room, longest, metadata={**nested(limits.JSON_DEPTH), "n": limits.SAFE_INTEGER})
    page = await alice.get(f"/conversations/{room}/messages")
    content = page["messages"][0]["content"]
    assert content == {"text": longest, "metadata": {**nested(limits.JSON_DEPTH), "n": limits.SAFE_INTEGER}}


async def test_an_oversized_frame_closes_the_socket(world: World) -> None:
    alice = await world.register("alice")
    async with alice.gateway() as here:
        await here.ws.send_str('{"type":"state","ref":1,"x":"' + "x" * limits.FRAME_BYTES + '"}')
        assert await here.closing(5) == 1009


async def test_invalid_utf8_closes_the_socket(world: World) -> None:
    alice = await world.register("alice")
    async with alice.gateway() as here:
        writer: Any = here.ws._writer
        await writer.send_frame(b'{"type":"\xff"}', aiohttp.WSMsgType.TEXT)
        assert await here.closing(5) == 1007


async def test_after_ten_senseless_frames_the_socket_is_closed(world: World) -> None:
    alice = await world.register("alice")
    async with alice.gateway() as here:
        for _ in range(10):
            await here.ws.send_str("{")
        assert await here.closing(5) == 4002


async def test_a_foreign_origin_does_not_get_in(world: World) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.http.ws_connect(world.url + ROUTE, origin="https://evil.example")
    assert refused.value.status == 403


async def test_logging_out_closes_the_gateway_at_once(world: World) -> None:
    """R20."""
    alice = await world.register("alice")
    async with alice.gateway() as here:
        await alice.call("DELETE", "/sessions/current")
        assert await here.closing(2) == 4001
    with pytest.raises(people.Problem, match="unauthenticated"):
        await alice.get("/accounts/me")


async def test_whoever_is_removed_hears_nothing_more(world: World) -> None:
    """R20; stale access after removal."""
    alice, bob = await world.register("alice"), await world.register("bob")
    room = await alice.room()
    await bob.join(room)
    async with bob.gateway() as there:
        await alice.call("DELETE", f"/conversations/{room}/members/{bob.account}")
        assert (await there.entry(room))["kind"] == 19
        await there.wait(lambda f: f["type"] == "states")
        await alice.send(room, "now we are alone")
        await asyncio.sleep(0.5)
        assert not [f for f in there.frames if f["type"] == "entry"]
        assert (await there.ask("entries", conversation=room))["code"] == "not_member"
        message = {"client_message_id": str(uuid4()), "content": {"text": "am I?"}}
        assert (await there.ask("send", conversation=room, message=message))["code"] == "not_member"


async def test_a_reader_that_stops_reading_is_put_out_and_harms_nobody(world: World) -> None:
    """R11."""
    alice, bob, carol = [await world.register(name) for name in ("alice", "bob", "carol")]
    room = await alice.room()
    await bob.join(room)
    await carol.join(room)
    async with carol.gateway() as there, aiohttp.ClientSession(read_bufsize=1024) as http:
        ws = await http.ws_connect(world.url + ROUTE, max_msg_size=0)
        await ws.send_str(text({"type": "hello", "access_token": bob.tokens["access_token"]}))
        await ws.receive()
        assert ws._response.connection is not None
        transport: Any = ws._response.connection.transport
        transport.pause_reading()
        async with alice.gateway() as here:
            for n in range(2_500):
                message = {"client_message_id": str(uuid4()), "content": {"text": "ü" * 2_000}}
                await here.send({"type": "send", "ref": n, "conversation": room, "message": message})
                if n % 100 == 99:
                    await here.wait(lambda f, n=n: f.get("ref") == n, 30)
                    here.frames.clear()
        await there.wait(lambda f: f["type"] == "entry" and f["entry"]["seq"] == 2_503, 30)
        transport.resume_reading()
        received = 0
        async with asyncio.timeout(20):
            async for _ in ws:
                received += 1
        assert received < 2_500
        await ws.close()
    page = await bob.get(f"/conversations/{room}/entries", limit=500)
    assert page["more"]
