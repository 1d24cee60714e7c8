"""The gateway: opens a device's WebSocket, lets it say who it is, reads its frames until it goes.

The access token comes in the first frame, within five seconds: never in the URL, never as a cookie. Frames of one
socket are handled in order; a send does not wait for the one before it. Malformed, oversized or unknown frames get
their error, and the socket is closed after too many of them.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from aparte.server.kit.caller import Caller
from aparte.server.kit.door import FrameTable, Reply
from aparte.server.kit.metrics import FRAMES
from aparte.server.realtime.hub import Hub
from aparte.server.realtime.socket import Packet, Socket
from aparte.wire import frames, limits
from aparte.wire.codec import Decoder, Encoding
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId

log = structlog.get_logger(__name__)

HELLO_SECONDS = 5.0
PING_SECONDS = 20.0
STRIKES = 10
"""Frames that make no sense before the socket is closed."""

DECODERS: dict[Encoding, Decoder] = {
    "json": Decoder(frames.FromClient, "json"),
    "msgpack": Decoder(frames.FromClient, "msgpack"),
}
SUBPROTOCOLS: dict[str, Encoding] = {
    frames.SUBPROTOCOL_JSON: "json",
    frames.SUBPROTOCOL_MSGPACK: "msgpack",
}


@dataclass(frozen=True)
class Entrance:
    """What opening a gateway needs; `app` hands in the slices' actions."""

    authenticate: Callable[[str], Awaitable[Caller]]
    conversations: Callable[[AccountId], Awaitable[Sequence[ConversationId]]]
    welcome: Callable[[Caller], Awaitable[tuple[str, int]]]
    """The marker of this moment, and the revision of the account's state."""
    draw: Callable[[str, str], Awaitable[None]]
    """Take from a rate limit, or Refusal."""
    arrived: Callable[[Caller], None]
    gone: Callable[[Caller], None]
    active: Callable[[Caller], None]


class Gateway:
    """Serves `/api/v1/gateway`."""

    def __init__(self, hub: Hub, table: FrameTable, entrance: Entrance) -> None:
        """Serve sockets of `hub` by `table`."""
        self._hub = hub
        self._table = table
        self._entrance = entrance

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Run one connection from its opening to its end."""
        ws = web.WebSocketResponse(
            protocols=tuple(SUBPROTOCOLS),
            heartbeat=PING_SECONDS,
            max_msg_size=limits.FRAME_BYTES,
            compress=False,
            autoping=True,
        )
        await ws.prepare(request)
        encoding = SUBPROTOCOLS.get(ws.ws_protocol or "", "json")
        socket: Socket | None = None
        try:
            socket = await self._open(ws, request, encoding)
            if socket is not None:
                await self._converse(ws, socket)
        finally:
            if socket is not None:
                self._hub.remove(socket)
                self._entrance.gone(socket.caller)
        return ws

    async def _open(self, ws: web.WebSocketResponse, request: web.Request, encoding: Encoding) -> Socket | None:
        """Read `hello`, authenticate, subscribe, welcome."""
        try:
            hello = await asyncio.wait_for(self._hello(ws, encoding), HELLO_SECONDS)
            caller = await self._entrance.authenticate(hello.access_token)
            if not caller.is_listed:
                raise Refusal("link_needed")
        except (Refusal, TimeoutError) as error:
            refusal = error if isinstance(error, Refusal) else Refusal("hello_expected")
            await self._turn_away(ws, encoding, refusal)
            return None
        transport: Any = request.transport
        if transport is None:
            return None
        socket = Socket(caller, encoding, transport, asyncio.get_running_loop().create_future())
        self._hub.add(socket)
        try:
            marker, rev = await self._entrance.welcome(caller)
            conversations = await self._entrance.conversations(caller.account)
        except Refusal as refusal:
            self._hub.remove(socket)
            await self._turn_away(ws, encoding, refusal)
            return None
        self._hub.open(socket, conversations)
        self._entrance.arrived(caller)
        socket.push(Packet(frames.Welcome(marker, rev, datetime.now(UTC), int(PING_SECONDS))))
        return socket

    async def _hello(self, ws: web.WebSocketResponse, encoding: Encoding) -> frames.Hello:
        message = await ws.receive()
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            raise Refusal("hello_expected")
        frame = DECODERS[encoding](_bytes(message.data))
        if not isinstance(frame, frames.Hello):
            raise Refusal("hello_expected")
        if frame.protocol != limits.PROTOCOL:
            raise Refusal("protocol", data={"spoken": [limits.PROTOCOL]})
        return frame

    async def _turn_away(self, ws: web.WebSocketResponse, encoding: Encoding, refusal: Refusal) -> None:
        packet = Packet(error_frame(refusal, None))
        payload = packet.payload(encoding)
        with contextlib.suppress(ConnectionError):
            await (ws.send_str(payload.decode()) if encoding == "json" else ws.send_bytes(payload))
            is_nobody = refusal.status == 401 or refusal.code == "link_needed"
            code = frames.Close.UNAUTHENTICATED if is_nobody else frames.Close.PROTOCOL
            await ws.close(code=WSCloseCode.TRY_AGAIN_LATER if refusal.status == 503 else code)

    async def _converse(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        """Read frames until the device goes or the server wants the socket closed."""
        reading = asyncio.ensure_future(self._read(ws, socket))
        either: set[asyncio.Future[Any]] = {reading, socket.closed}
        done, _ = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if reading not in done:
            reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        if socket.closed.done():
            code, reason = socket.closed.result()
            await ws.close(code=code, message=reason.encode())

    async def _read(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        strikes = 0
        async for message in ws:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                break
            try:
                frame = DECODERS[socket.encoding](_bytes(message.data))
            except Refusal as refusal:
                socket.push(Packet(error_frame(refusal, None)))
                strikes += 1
                if strikes >= STRIKES:
                    socket.end(frames.Close.PROTOCOL, "malformed frames")
                    return
                continue
            await self._handle(socket, frame)

    async def _handle(self, socket: Socket, frame: Any) -> None:
        ref: int | None = getattr(frame, "ref", None)
        reply: Reply = lambda answer: _push(socket, answer)  # noqa: E731 - one line, one use
        try:
            route = self._table.get(type(frame))
            if route is None:
                raise Refusal("unknown_frame")
            FRAMES.labels(type(frame).__name__).inc()
            await self._entrance.draw(route.limit, f"account:{socket.caller.account}")
            waiting = route.handler(socket.caller, frame, reply)
            if waiting is not None:
                await waiting
        except Refusal as refusal:
            reply(error_frame(refusal, ref))
        except Exception as error:  # a bug in one frame is answered, and does not end the socket
            reference = secrets.token_hex(8)
            log.error("frame_failed", frame=type(frame).__name__, reference=reference, exc_info=error)
            reply(frames.Error("internal", ref, reference=reference))
        self._entrance.active(socket.caller)


def _push(socket: Socket, answer: frames.FromServer) -> None:
    socket.push(Packet(answer))


def _bytes(data: str | bytes) -> bytes:
    return data.encode(errors="surrogatepass") if isinstance(data, str) else data


def error_frame(refusal: Refusal, ref: int | None) -> frames.Error:
    """Render a refusal as a frame."""
    return frames.Error(refusal.code, ref, detail=refusal.detail, retry_after=refusal.retry_after, data=refusal.data)
