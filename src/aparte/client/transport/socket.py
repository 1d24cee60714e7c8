"""The gateway's socket: frames out, frames in, MessagePack, and why it closed."""

import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType

from aparte.client.errors import ClientError
from aparte.client.transport.http import Http
from aparte.wire.codec import to_msgpack
from aparte.wire.frames import SUBPROTOCOL_MSGPACK, Frame, FromServer

FRAME_BYTES = 32 * 1024 * 1024
"""Largest frame taken from the server: a page of 500 entries, each as large as it may be."""

_decode = msgspec.msgpack.Decoder(FromServer).decode


class Closed(Exception):
    """The socket is closed, with the server's code and reason (RFC 6455; 1006 when there was no farewell)."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Socket:
    """An open gateway."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        """Wrap a socket that `connect` opened."""
        self._socket = socket

    async def send(self, frame: Frame) -> None:
        """Send a frame. Raises Closed."""
        try:
            await self._socket.send_bytes(to_msgpack(frame))
        except (ConnectionError, RuntimeError):
            raise Closed(self._socket.close_code or 1006) from None

    async def receive(self) -> FromServer:
        """Wait for the next frame; frames that this version does not know are passed over. Raises Closed."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                try:
                    frame: FromServer = _decode(message.data)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                return frame
            if message.type is WSMsgType.CLOSE:
                raise Closed(message.data, message.extra or "")
            if message.type in {WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
                raise Closed(self._socket.close_code or 1006)

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close()


async def connect(http: Http) -> Socket:
    """Open the gateway. Raises ClientError, Unreachable."""
    socket = await http.open_socket("/gateway", SUBPROTOCOL_MSGPACK, FRAME_BYTES)
    if socket.protocol != SUBPROTOCOL_MSGPACK:
        await socket.close()
        raise ClientError("unexpected_answer", "the gateway does not speak this subprotocol")
    return Socket(socket)
