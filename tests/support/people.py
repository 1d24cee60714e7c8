"""People over the wire: they register, log in, call REST and hold gateways, as any client would, without our SDK."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

import aiohttp
import msgspec

from aparte.wire.keys import SignedList
from tests.support import keys

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


class Problem(Exception):
    """REST answered with a problem."""

    def __init__(self, status: int, code: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        super().__init__(f"{status} {code} {body.get('detail', '')}")
        self.status = status
        self.code = code
        self.body = body
        self.headers = headers


@dataclass
class Device:
    """A person on one device, signed in."""

    http: aiohttp.ClientSession
    url: str
    username: str
    tokens: dict[str, Any]

    @property
    def account(self) -> str:
        """The account's id."""
        return str(self.tokens["account_id"])

    @property
    def id(self) -> str:
        """The device's id."""
        return str(self.tokens["device_id"])

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Ask REST; raises Problem."""
        return await call(self.http, self.url, method, path, body, self.tokens["access_token"], **params)

    async def get(self, path: str, **params: Any) -> Any:
        """GET."""
        return await self.call("GET", path, **params)

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST."""
        return await self.call("POST", path, body, **params)

    async def newest_list(self) -> SignedList:
        """The account's newest device list."""
        answer = await self.post("/keys/lists", {"accounts": [{"account": self.account}]})
        return keys.from_json(answer["accounts"][0]["versions"][-1])

    async def room(self, name: str | None = None, **more: Any) -> str:
        """Create a room; returns its id."""
        name = name or f"room {uuid4().hex[:10]}"
        made = await self.post("/conversations", {"kind": "room", "name": name, **more})
        return str(made["id"])

    async def join(self, conversation: str) -> Any:
        """Join a room."""
        return await self.post(f"/conversations/{conversation}/join")

    async def send(self, conversation: str, text: str, client_message_id: UUID | None = None, **content: Any) -> Any:
        """Send a message over REST."""
        body = {"client_message_id": str(client_message_id or uuid4()), "content": {"text": text, **content}}
        return await self.post(f"/conversations/{conversation}/messages", body)

    async def texts(self, conversation: str, **params: Any) -> list[str]:
        """The texts of a page of messages."""
        page = await self.get(f"/conversations/{conversation}/messages", **params)
        return [message["content"]["text"] for message in page["messages"]]

    @asynccontextmanager
    async def gateway(self, *, encoding: str = "json", rev: int = 0) -> AsyncIterator["Gateway"]:
        """Open the gateway and say hello."""
        async with self.http.ws_connect(
            f"{self.url}/api/v1/gateway", protocols=(f"aparte.v1.{encoding}",), max_msg_size=0
        ) as ws:
            gateway = Gateway(ws, encoding)
            await gateway.send({"type": "hello", "access_token": self.tokens["access_token"], "rev": rev})
            gateway.welcome = await gateway.expect("welcome")
            async with gateway:
                yield gateway


async def call(
    http: aiohttp.ClientSession, url: str, method: str, path: str, body: Any = None, token: str = "", **params: Any
) -> Any:
    """Ask REST once; raises Problem."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    params = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in params.items()}
    async with http.request(method, f"{url}/api/v1{path}", json=body, params=params, headers=headers) as response:
        data = await response.read()
        answer = msgspec.json.decode(data) if data else None
        if response.status >= 400:
            raise Problem(response.status, answer["code"], answer, dict(response.headers))
        return answer


@dataclass
class Gateway:
    """An open gateway; frames that nobody waits for are kept in `frames`."""

    ws: aiohttp.ClientWebSocketResponse
    encoding: str
    welcome: dict[str, Any] = field(default_factory=dict)
    frames: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None
    _refs: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> Self:
        """Begin to read."""
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    async def _read(self) -> None:
        async for message in self.ws:
            self.frames.append(self._decode(message.data))
            self._news.set()
        self.close_code = self.ws.close_code
        self._news.set()

    def _decode(self, data: Any) -> dict[str, Any]:
        decode = msgspec.json.decode if self.encoding == "json" else msgspec.msgpack.decode
        frame: dict[str, Any] = decode(data)
        return frame

    async def send(self, frame: dict[str, Any]) -> None:
        """Send a frame."""
        if self.encoding == "json":
            await self.ws.send_str(msgspec.json.encode(frame).decode())
        else:
            await self.ws.send_bytes(msgspec.msgpack.encode(frame))

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its answer, whatever it is."""
        ref = next(self._refs)
        await self.send({"type": kind, "ref": ref, **fields})
        return await self.wait(lambda frame: frame.get("ref") == ref)

    async def expect(self, kind: str) -> dict[str, Any]:
        """Read one frame before the reader has begun; it must be of this type."""
        message = await asyncio.wait_for(self.ws.receive(), 10)
        assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, message
        frame = self._decode(message.data)
        assert frame["type"] == kind, frame
        return frame

    async def wait(self, wanted: Any, seconds: float = 10) -> dict[str, Any]:
        """Wait for a frame that fits and take it out of `frames`."""
        async with asyncio.timeout(seconds):
            while True:
                for frame in self.frames:
                    if wanted(frame):
                        self.frames.remove(frame)
                        return frame
                assert self.close_code is None, f"closed with {self.close_code}"
                self._news.clear()
                await self._news.wait()

    async def closing(self, seconds: float = 5) -> int | None:
        """Wait until the server has closed; returns the close code."""
        assert self._reading is not None
        await asyncio.wait_for(asyncio.shield(self._reading), seconds)
        return self.close_code

    async def entry(self, conversation: str, seconds: float = 10) -> dict[str, Any]:
        """Wait for the next live entry of a conversation."""
        frame = await self.wait(lambda f: f["type"] == "entry" and str(f["conversation"]) == conversation, seconds)
        entry: dict[str, Any] = frame["entry"]
        return entry


def registration(username: str, *, device: str = "laptop") -> dict[str, Any]:
    """The body of a registration, with new ids and keys."""
    account, device_id = uuid4(), uuid4()
    return {
        "account_id": str(account),
        "device": {"device_id": str(device_id), "name": device},
        "username": username,
        "password": PASSWORD,
        "email": f"{username}@example.org",
        "keys": keys.in_json(keys.first(account, device_id)),
    }


@dataclass
class World:
    """A server and a way to it."""

    url: str
    http: aiohttp.ClientSession

    async def register(self, name: str, *, device: str = "laptop") -> Device:
        """A new person; the name gets a number, so that every story has its own alice."""
        username = f"{name}_{next(_numbers)}_{uuid4().hex[:6]}"
        body = registration(username, device=device)
        tokens = await call(self.http, self.url, "POST", "/accounts", body)
        return Device(self.http, self.url, username, tokens)

    async def link(self, person: Device, *, device: str = "phone") -> Device:
        """Another device of the same person, on their list: linked from the one they have."""
        new = await self.log_in(person, device=device)
        signed = keys.with_device(await person.newest_list(), UUID(new.id))
        number = keys.number_of(signed, UUID(new.id))
        offer = str(uuid4())
        prekeys = keys.in_json(keys.prekeys(number))
        asked = {"id": offer, "offer": keys.base64_of(keys.offer(number, UUID(new.id))), "prekeys": prekeys}
        await new.post("/link-offers", asked)
        answer = keys.base64_of(keys.answer(UUID(person.account)))
        await person.post(f"/link-offers/{offer}/answer", {"password": PASSWORD, "answer": answer})
        admission = {"devices": keys.in_json(signed), "container": keys.base64_of(b"for the new device alone")}
        await person.post(f"/link-offers/{offer}/admission", admission)
        await new.call("DELETE", f"/link-offers/{offer}")
        return new

    async def log_in(self, person: Device, *, device: str = "phone") -> Device:
        """Another device of the same person, signed in and on no list."""
        body = {
            "login": person.username,
            "password": PASSWORD,
            "device": {"device_id": str(uuid4()), "name": device, "platform": "android"},
        }
        tokens = await call(self.http, self.url, "POST", "/sessions", body)
        return Device(self.http, self.url, person.username, tokens)


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    """People's way to a server."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield World(url, http)
