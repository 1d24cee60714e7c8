"""A server that lies: a proxy before a real Aparté that passes everything on as it is, unless a rule changes it.

One rule is one evil deed, at one of the places that `Rule` names. Rules get and give the structs of the wire. What
devices seal is kept in `seen`, with the server's answer, what they sign in `signed` and the chains that they give away
in `given`, for whoever wants to compare or repeat it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
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
from aparte.wire.groups import Distributions, EpochMembers, Invite, NewGroup, NewStatements, StatementPage
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.keys import Bundles, Lists, NewPayloads, PayloadPage
from aparte.wire.messages import EntryPage
from aparte.wire.sealed import SealEntry
from tests.support.rule import NOBODY, Refused, Rule, Seen

__all__ = ["Malice", "Refused", "Rule", "Seen", "malicious"]

HOP_BY_HOP = {"host", "content-length", "connection", "transfer-encoding", "keep-alive", "upgrade"}
BODY_BYTES = 64 * 1024 * 1024
T = TypeVar("T")
Change = Callable[[Rule, Any], Any]
_server_frame = msgspec.msgpack.Decoder(FromServer).decode
_client_frame = msgspec.msgpack.Decoder(FromClient).decode


@dataclass
class Malice:
    """The server as its users see it; `rules` may be changed at any time."""

    behind: str
    url: str = ""
    rules: list[Rule] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    posted: list[tuple[DeviceId, NewPayloads]] = field(default_factory=list)
    signed: list[tuple[DeviceId, NewStatements]] = field(default_factory=list)
    given: list[tuple[DeviceId, Distributions]] = field(default_factory=list)
    readable: list[tuple[DeviceId, bytes]] = field(default_factory=list)
    """Messages that were not sealed, as they left a device."""
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

    def token_of(self, device: DeviceId) -> str:
        """The newest access token of a device."""
        return [token for token, known in self._devices.items() if known == device][-1]

    async def ask(self, device: DeviceId, path: str, what: type[T]) -> T:
        """What the honest server behind answers a device."""
        assert self._http is not None
        headers = {"Authorization": f"Bearer {self.token_of(device)}"}
        async with self._http.get(f"{self.behind}/api/v1{path}", headers=headers) as answer:
            return msgspec.json.decode(await answer.read(), type=what)

    # REST -------------------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on."""
        if request.path == "/api/v1/gateway":
            return await self._gateway(request)
        body = await request.read()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        asker = self._device(token)
        try:
            body = self._request(request, asker, body)
            status, headers, answer = await self._forward(request, asker, token, body)
            answer = self._answer(request, asker, status, body, answer)
        except Refused as refused:
            code = refused.code
            problem = Problem("about:blank", code, CODES[code].status, code, data=refused.data)
            return web.Response(status=problem.status, body=to_json(problem), content_type="application/problem+json")
        return web.Response(status=status, headers=headers, body=answer)

    async def _forward(
        self, request: web.Request, asker: DeviceId, token: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        assert self._http is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        path = request.path_qs
        for rule in list(self.rules):
            path, token = rule.path(asker, request.method, path), rule.token(asker, token)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.behind}{path}"
        async with self._http.request(request.method, url, data=body or None, headers=headers) as answer:
            given = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return answer.status, given, await answer.read()

    def _request(self, request: web.Request, asker: DeviceId, body: bytes) -> bytes:
        """Let the rules change what a device asks."""
        if (conversation := sealing(request)) is not None:
            entry = msgspec.json.decode(body, type=SealEntry)
            return self._changed(body, entry, lambda rule, value: rule.seal(asker, conversation, value))
        if request.method != "POST":
            return body
        path = request.path.removeprefix("/api/v1")
        if path == "/payloads":
            wanted = msgspec.json.decode(body, type=NewPayloads)
            self.posted.append((asker, wanted))
            return self._changed(body, wanted, lambda rule, value: rule.new_payloads(asker, value))
        if path == "/conversations/group":
            self.signed.append((asker, NewStatements(msgspec.json.decode(body, type=NewGroup).statements)))
        elif path.startswith("/conversations/") and path.endswith("/messages"):
            self.readable.append((asker, body))
        elif path.startswith("/conversations/") and path.endswith("/statements"):
            signed = msgspec.json.decode(body, type=NewStatements)
            self.signed.append((asker, signed))
            return self._changed(body, signed, lambda rule, value: rule.new_statements(asker, value))
        elif path.startswith("/conversations/") and path.endswith("/distributions"):
            given = msgspec.json.decode(body, type=Distributions)
            self.given.append((asker, given))
            return self._changed(body, given, lambda rule, value: rule.distributions(asker, value))
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
        wanted, change = self._place(asker, path, is_read=request.method == "GET")
        try:
            value = msgspec.json.decode(answer, type=wanted)
        except msgspec.ValidationError:
            return answer  # the answer of another method of this path
        return self._changed(answer, value, change)

    def _place(self, asker: DeviceId, path: str, *, is_read: bool) -> tuple[Any, Change]:
        """What the answer of an address is, and what a rule makes of it."""
        place: tuple[Any, Change] = (Any, lambda rule, value: rule.answer(asker, path, value))
        match path.split("/")[1:]:
            case ["keys", "lists"]:
                place = Lists, lambda rule, value: rule.lists(asker, value)
            case ["keys", "bundles", *_]:
                place = Bundles, lambda rule, value: rule.bundles(asker, value)
            case ["payloads"]:
                place = PayloadPage, lambda rule, value: rule.payloads(asker, value)
            case ["conversations"]:
                place = ConversationPage, lambda rule, value: self._page(rule, asker, value)
            case ["conversations", "direct" | "group"]:
                place = Conversation, lambda rule, value: rule.conversation(asker, value)
            case ["conversations", _] if is_read:
                place = Conversation, lambda rule, value: rule.conversation(asker, value)
            case ["conversations", name, "entries"] if is_read:
                conversation = ConversationId(UUID(name))
                place = EntryPage, lambda rule, value: self._entries(rule, asker, conversation, value)
            case ["conversations" | "invites", _, "statements"] if is_read:
                place = StatementPage, lambda rule, value: rule.statements(asker, value)
            case ["conversations", name, "epoch"]:
                conversation = ConversationId(UUID(name))
                place = EpochMembers, lambda rule, value: rule.epoch(asker, conversation, value)
            case ["invites", _]:
                place = Invite, lambda rule, value: rule.invite(asker, value)
        return place

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
                if not isinstance(frame, Hello):
                    await self.there.send_bytes(message.data)
                    continue
                token = frame.access_token
                self.reader = self.malice._device(token)
                for rule in list(self.malice.rules):
                    token = rule.token(self.reader, token)
                await self.there.send_bytes(to_msgpack(msgspec.structs.replace(frame, access_token=token)))

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
