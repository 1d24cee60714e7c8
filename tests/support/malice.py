# ruff: noqa: ARG002 - a rule names all that it could go by
"""A server that lies: a proxy before a real Aparté that passes everything on as it is, unless a rule changes it.

One rule is one evil deed, at one of the places that `Rule` names. Rules get and give the structs of the wire. What
devices seal is kept in `seen`, with the server's answer, for whoever wants to compare or repeat it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
from aiohttp import WSMsgType, web

from aparte.wire.accounts import Tokens
from aparte.wire.codec import to_json, to_msgpack
from aparte.wire.conversations import Conversation, ConversationPage
from aparte.wire.errors import CODES, Problem
from aparte.wire.frames import (
    SUBPROTOCOL_MSGPACK,
    FromClient,
    FromServer,
    Heads,
    Hello,
    Live,
    Log,
    Moved,
)
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import Bundles, Lists, NewPayloads, PayloadPage
from aparte.wire.messages import Entry, EntryPage
from aparte.wire.sealed import SealEntry

HOP_BY_HOP = {"host", "content-length", "connection", "transfer-encoding", "keep-alive", "upgrade"}
BODY_BYTES = 64 * 1024 * 1024
NOBODY = DeviceId(UUID(int=0))
_server_frame = msgspec.msgpack.Decoder(FromServer).decode
_client_frame = msgspec.msgpack.Decoder(FromClient).decode


class Refused(Exception):
    """What a rule raises instead of letting a request through: the server's refusal."""

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(code)
        self.code = code
        self.data = data


@dataclass(frozen=True)
class Seen:
    """An entry that a device asked to store, as it left the device, and the server's answer."""

    device: DeviceId
    conversation: ConversationId
    entry: SealEntry
    status: int


class Rule:
    """An evil deed: override what it changes. `done` counts how often it was done: never done, it proves nothing."""

    done = 0

    def lists(self, asker: DeviceId, answer: Lists) -> Lists:
        """Device lists, on their way to a device."""
        return answer

    def bundles(self, asker: DeviceId, answer: Bundles) -> Bundles:
        """Bundles of prekeys, on their way to a device."""
        return answer

    def conversation(self, reader: DeviceId, found: Conversation) -> Conversation:
        """What a device is told of a conversation."""
        return found

    def seal(self, sender: DeviceId, conversation: ConversationId, entry: SealEntry) -> SealEntry:
        """An entry on its way to the server; raise Refused to keep it."""
        return entry

    def sent(self, seen: Seen) -> None:
        """An entry that the server has answered; raise Refused to answer something else."""

    def entries(self, reader: DeviceId, conversation: ConversationId, entries: list[Entry]) -> list[Entry]:
        """Entries of a log, on their way to a device: one live, or a page of them."""
        return entries

    def seq(self, reader: DeviceId, conversation: ConversationId, seq: int) -> int:
        """How far a log reaches, as a device is told."""
        return seq

    def payloads(self, reader: DeviceId, page: PayloadPage) -> PayloadPage:
        """Payloads on their way to a device."""
        return page

    def answer(self, asker: DeviceId, path: str, answer: Any) -> Any:
        """Any other answer, as JSON."""
        return answer

    def new_payloads(self, sender: DeviceId, wanted: NewPayloads) -> NewPayloads:
        """Payloads on their way to the server; raise Refused to keep them."""
        return wanted


@dataclass
class Malice:
    """The server as its users see it; `rules` may be changed at any time."""

    behind: str
    url: str = ""
    rules: list[Rule] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    posted: list[tuple[DeviceId, NewPayloads]] = field(default_factory=list)
    _devices: dict[str, DeviceId] = field(default_factory=dict)
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)
    _http: aiohttp.ClientSession | None = None

    @contextlib.contextmanager
    def doing(self, *rules: Rule) -> Any:
        """Do something evil for the time of a block; it must have been done by then."""
        self.rules += rules
        try:
            yield rules[0] if len(rules) == 1 else rules
        finally:
            for rule in rules:
                self.rules.remove(rule)
        assert all(rule.done for rule in rules), f"never done: {[type(r).__name__ for r in rules if not r.done]}"

    async def disconnect(self) -> None:
        """End every gateway, so that devices come back and catch up."""
        await asyncio.gather(*(socket.close(code=1012, message=b"0") for socket in list(self._sockets)))

    def sealed_by(self, device: DeviceId) -> list[SealEntry]:
        """What a device asked to store, in order, repeats too."""
        return [seen.entry for seen in self.seen if seen.device == device]

    # REST -------------------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on."""
        if request.path == "/api/v1/gateway":
            return await self._gateway(request)
        body = await request.read()
        asker = self._device(request.headers.get("Authorization", "").removeprefix("Bearer "))
        try:
            body = self._request(request, asker, body)
            status, headers, answer = await self._forward(request, body)
            answer = self._answer(request, asker, status, body, answer)
        except Refused as refused:
            code = refused.code
            problem = Problem("about:blank", code, CODES[code].status, code, data=refused.data)
            return web.Response(status=problem.status, body=to_json(problem), content_type="application/problem+json")
        return web.Response(status=status, headers=headers, body=answer)

    async def _forward(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        assert self._http is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = f"{self.behind}{request.path_qs}"
        async with self._http.request(request.method, url, data=body or None, headers=headers) as answer:
            given = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return answer.status, given, await answer.read()

    def _request(self, request: web.Request, asker: DeviceId, body: bytes) -> bytes:
        """Let the rules change what a device asks."""
        if (conversation := sealing(request)) is not None:
            entry = msgspec.json.decode(body, type=SealEntry)
            return self._changed(body, entry, lambda rule, value: rule.seal(asker, conversation, value))
        if (request.method, request.path) == ("POST", "/api/v1/payloads"):
            wanted = msgspec.json.decode(body, type=NewPayloads)
            self.posted.append((asker, wanted))
            return self._changed(body, wanted, lambda rule, value: rule.new_payloads(asker, value))
        return body

    def _answer(self, request: web.Request, asker: DeviceId, status: int, body: bytes, answer: bytes) -> bytes:
        """Let the rules change what the server answers."""
        path = request.path.removeprefix("/api/v1")
        if (conversation := sealing(request)) is not None:
            seen = Seen(asker, conversation, msgspec.json.decode(body, type=SealEntry), status)
            self.seen.append(seen)
            for rule in list(self.rules):
                rule.sent(seen)
        if status >= 300 or not answer:
            return answer
        if path in {"/accounts", "/sessions", "/sessions/refresh"} and request.method == "POST":
            tokens = msgspec.json.decode(answer, type=Tokens)
            self._devices[tokens.access_token] = tokens.device_id
        changes: dict[str, tuple[Any, Callable[[Rule, Any], Any]]] = {
            "/keys/lists": (Lists, lambda rule, value: rule.lists(asker, value)),
            "/keys/bundles": (Bundles, lambda rule, value: rule.bundles(asker, value)),
            "/payloads": (PayloadPage, lambda rule, value: rule.payloads(asker, value)),
            "/conversations": (ConversationPage, lambda rule, value: self._page(rule, asker, value)),
            "/conversations/direct": (Conversation, lambda rule, value: rule.conversation(asker, value)),
        }
        if path in changes:
            wanted, change = changes[path]
        elif path.startswith("/conversations/") and path.endswith("/entries") and request.method == "GET":
            name = ConversationId(UUID(path.split("/")[2]))
            wanted, change = EntryPage, lambda rule, value: self._entries(rule, asker, name, value)
        elif path.startswith("/conversations/") and path.count("/") == 2 and request.method == "GET":
            wanted, change = Conversation, lambda rule, value: rule.conversation(asker, value)
        else:
            wanted, change = Any, lambda rule, value: rule.answer(asker, path, value)
        try:
            value = msgspec.json.decode(answer, type=wanted)
        except msgspec.ValidationError:
            return answer  # the answer of another method of this path
        return self._changed(answer, value, change)

    def _page(self, rule: Rule, asker: DeviceId, page: ConversationPage) -> ConversationPage:
        found = [rule.conversation(asker, conversation) for conversation in page.conversations]
        return msgspec.structs.replace(page, conversations=found)

    def _entries(self, rule: Rule, reader: DeviceId, conversation: ConversationId, page: Any) -> Any:
        return msgspec.structs.replace(page, entries=rule.entries(reader, conversation, page.entries))

    def _changed(self, raw: bytes, value: Any, change: Callable[[Rule, Any], Any]) -> bytes:
        before = value
        for rule in list(self.rules):
            value = change(rule, value)
        return raw if value == before else to_json(value)

    def _device(self, token: str) -> DeviceId:
        return self._devices.get(token, NOBODY)

    # Gateway ----------------------------------------------------------------------------------------------------------

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        assert self._http is not None
        here = web.WebSocketResponse(protocols=(SUBPROTOCOL_MSGPACK,), max_msg_size=0)
        there = await self._http.ws_connect(
            f"{self.behind}/api/v1/gateway", protocols=(SUBPROTOCOL_MSGPACK,), max_msg_size=0
        )
        async with there:
            await here.prepare(request)
            self._sockets.add(here)
            try:
                line = _Line(self, here, there)
                ends = [asyncio.ensure_future(line.up()), asyncio.ensure_future(line.down())]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
            finally:
                self._sockets.discard(here)
        await here.close(code=there.close_code or 1001)
        return here

    def frames(self, reader: DeviceId, frame: Any) -> list[Any]:
        """Give what becomes of a frame to a device: usually itself."""
        for rule in list(self.rules):
            frame = self._frame(rule, reader, frame)
            if frame is None:
                return []
        return [frame]

    def _frame(self, rule: Rule, reader: DeviceId, frame: Any) -> Any:
        replace = msgspec.structs.replace
        match frame:
            case Live():
                changed = rule.entries(reader, frame.conversation, [frame.entry])
                if len(changed) != 1:  # a hint instead: the device asks, and gets a page
                    seq = rule.seq(reader, frame.conversation, frame.entry.seq)
                    return Moved(frame.conversation, seq, frame.entry.id)
                return replace(frame, entry=changed[0])
            case Log():
                return replace(frame, entries=rule.entries(reader, frame.conversation, frame.entries))
            case Moved():
                return replace(frame, seq=rule.seq(reader, frame.conversation, frame.seq))
            case Heads():
                heads = [
                    replace(head, head=replace(head.head, seq=rule.seq(reader, head.conversation, head.head.seq)))
                    for head in frame.heads
                ]
                return replace(frame, heads=heads)
        return frame


@dataclass
class _Line:
    """One gateway: both ways."""

    malice: Malice
    here: web.WebSocketResponse
    there: aiohttp.ClientWebSocketResponse
    reader: DeviceId = NOBODY

    async def up(self) -> None:
        """From the device to the server."""
        async for message in self.here:
            if message.type is WSMsgType.BINARY:
                frame = _client_frame(message.data)
                if isinstance(frame, Hello):
                    self.reader = self.malice._device(frame.access_token)
                await self.there.send_bytes(message.data)

    async def down(self) -> None:
        """From the server to the device."""
        async for message in self.there:
            if message.type is WSMsgType.BINARY:
                frame = _server_frame(message.data)
                for changed in self.malice.frames(self.reader, frame):
                    await self.here.send_bytes(message.data if changed == frame else to_msgpack(changed))


def sealing(request: web.Request) -> ConversationId | None:
    """Tell to which conversation a request adds a sealed entry, if it does."""
    parts = request.path.removeprefix("/api/v1").split("/")
    if request.method == "POST" and len(parts) == 4 and parts[1] == "conversations" and parts[3] == "entries":
        return ConversationId(UUID(parts[2]))
    return None


@asynccontextmanager
async def malicious(behind: str) -> AsyncIterator[Malice]:
    """Stand before a server."""
    malice = Malice(behind)
    app = web.Application(client_max_size=BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", malice.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as http:
        malice._http = http
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        malice.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield malice
        finally:
            await malice.disconnect()
            await runner.cleanup()
