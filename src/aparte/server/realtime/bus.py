"""The doorbell between processes: hints travel over Valkey to those that have sockets of the audience, and may be lost.

A process subscribes to the channels of the audiences it has sockets for. A frame travels already encoded, once for
each encoding, because UUIDs are raw bytes in one and text in the other. A process that knows to be alone publishes
nothing: every heartbeat asks who else is there, and whoever starts says so on the channel `nodes` (R-269).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from aparte.server.kit.doorbell import (
    Ended,
    Hint,
    Joined,
    Left,
    ToAccount,
    ToConversation,
    ToConversationSealed,
    ToDevice,
)
from aparte.server.kit.metrics import BUS_HINTS
from aparte.server.kit.tasks import TaskGroup, every
from aparte.server.kit.valkey import Argument, ValkeyAway
from aparte.wire.codec import Encoding, to_json, to_msgpack
from aparte.wire.frames import FromServer
from aparte.wire.ids import AccountId, ConversationId, DeviceId

HEARTBEAT_SECONDS = 5.0
GONE_SECONDS = 20
"""A node without a heartbeat for so long is struck from `node_status`."""
NODE_STATUS = "node_status"
NODES = b"nodes"

Encoded = dict[Encoding, bytes]
OnHint = Callable[[Hint, Encoded | None], None]

log = structlog.get_logger(__name__)
_published = BUS_HINTS.labels("published")
_heard = BUS_HINTS.labels("heard")


class ForConversation(msgspec.Struct, frozen=True, tag=True):
    """`ToConversation` with its frame in both encodings."""

    conversation: ConversationId
    json: bytes
    msgpack: bytes


class ForAccount(msgspec.Struct, frozen=True, tag=True):
    """`ToAccount` with its frame in both encodings."""

    account: AccountId
    json: bytes
    msgpack: bytes


class ForDevice(msgspec.Struct, frozen=True, tag=True):
    """`ToDevice` with its frame in both encodings."""

    device: DeviceId
    json: bytes
    msgpack: bytes


class Whisper(msgspec.Struct, frozen=True, tag=True):
    """A frame for whoever watches the channel; the receiver encodes it for its watchers."""

    frame: FromServer


class Ringing(msgspec.Struct, frozen=True):
    """What one process tells the others at once over one channel."""

    node: UUID
    hints: list[ForConversation | ToConversationSealed | ForAccount | ForDevice | Joined | Left | Ended | Whisper]


class Channel(Protocol):
    """The part of the Valkey client that is needed here."""

    async def batch(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run commands in one round trip."""

    def publish(self, channel: bytes, payload: bytes) -> None:
        """Publish soon."""

    def subscribe(self, channel: bytes, callback: Callable[[bytes], None]) -> None:
        """Hear a channel."""

    def unsubscribe(self, channel: bytes) -> None:
        """No longer."""


_decode_ringing = msgspec.msgpack.Decoder(Ringing).decode
_decode_frame: Callable[[bytes], FromServer] = msgspec.msgpack.Decoder(FromServer).decode


class Bus:
    """This process's end of the doorbell."""

    def __init__(self, valkey: Channel, node: UUID) -> None:
        """Ring over this Valkey; `node` names the process. `on_hint` is set before `start`."""
        self._valkey = valkey
        self._node = node
        self.name = str(node)
        self.is_alone = False
        """Known to be the only process; when in doubt it is not."""
        self.on_hint: OnHint = lambda _hint, _encoded: None
        self._tasks = TaskGroup()

    def start(self) -> None:
        """Say that this node is there, and go on saying so."""
        self._valkey.subscribe(NODES, self._met)
        self._tasks.start(every(HEARTBEAT_SECONDS, self.heartbeat, "bus"), "bus")

    async def close(self) -> None:
        """Leave, so that others need not publish for us."""
        await self._tasks.close()
        self._valkey.unsubscribe(NODES)
        try:
            await self._valkey.batch([("HDEL", NODE_STATUS, self.name)])
        except ValkeyAway:
            return  # its heartbeat ends anyway

    def publish(self, hints: Sequence[Hint]) -> None:
        """Tell the other processes; never waits, never raises."""
        if self.is_alone or not hints:
            return
        try:
            if len(hints) == 1:
                self._send(_channel(hints[0]), [_packed(hints[0])])
            else:
                together: dict[str, list[Any]] = {}
                for hint in hints:
                    together.setdefault(_channel(hint), []).append(_packed(hint))
                for channel, packed in together.items():
                    self._send(channel, packed)
        except Exception as error:  # noqa: BLE001 - what was committed does not fail because a hint does
            log.error("hints_unpublished", error=type(error).__name__)

    def whisper(self, channel: str, frame: FromServer) -> None:
        """Tell the watchers in other processes; those in this one are the caller's."""
        if not self.is_alone:
            self._send(channel, [Whisper(frame)])

    def watch(self, audience: str) -> None:
        """From now on hear hints for an audience (`conversation:…`, `account:…`, `device:…`, `session:…`)."""
        self._valkey.subscribe(audience.encode(), self._rung)

    def overhear(self, channel: str, callback: Callable[[FromServer], None]) -> None:
        """From now on hear what is whispered there."""
        self._valkey.subscribe(channel.encode(), partial(self._whispered, callback))

    def unwatch(self, audience: str) -> None:
        """No longer, whichever of the two it was."""
        self._valkey.unsubscribe(audience.encode())

    async def heartbeat(self) -> None:
        """Say "still here" and look who else is. Alone is who hears only itself, and finds only itself."""
        try:
            clock, *_ = await self._valkey.batch([("TIME",)])
            now = int(clock[0])
            _, nodes, listeners = await self._valkey.batch(
                [
                    ("HSET", NODE_STATUS, self.name, now),
                    ("HGETALL", NODE_STATUS),
                    ("PUBLISH", NODES, self._node.bytes),
                ]
            )
            gone = [name for name, seen in nodes.items() if now - int(seen) > GONE_SECONDS]
            if gone:
                await self._valkey.batch([("HDEL", NODE_STATUS, *gone)])
            self.is_alone = listeners == 1 and len(nodes) - len(gone) == 1
        except ValkeyAway:
            self.is_alone = False

    def _send(self, channel: str, packed: list[Any]) -> None:
        self._valkey.publish(channel.encode(), to_msgpack(Ringing(self._node, packed)))
        _published.inc(len(packed))

    def _met(self, payload: bytes) -> None:
        if payload != self._node.bytes:
            self.is_alone = False

    def _rung(self, payload: bytes) -> None:
        ringing = _decode_ringing(payload)
        if ringing.node == self._node:
            return
        _heard.inc(len(ringing.hints))
        for hint in ringing.hints:
            match hint:
                case ForConversation(conversation, json, msgpack):
                    heard: Hint = ToConversation(conversation, _decode_frame(msgpack))
                    self.on_hint(heard, {"json": json, "msgpack": msgpack})
                case ForAccount(account, json, msgpack):
                    self.on_hint(ToAccount(account, _decode_frame(msgpack)), {"json": json, "msgpack": msgpack})
                case ForDevice(device, json, msgpack):
                    self.on_hint(ToDevice(device, _decode_frame(msgpack)), {"json": json, "msgpack": msgpack})
                case ToConversationSealed() | Joined() | Left() | Ended():
                    self.on_hint(hint, None)

    def _whispered(self, callback: Callable[[FromServer], None], payload: bytes) -> None:
        ringing = _decode_ringing(payload)
        if ringing.node == self._node:
            return
        for hint in ringing.hints:
            if isinstance(hint, Whisper):
                callback(hint.frame)


def _channel(hint: Hint) -> str:
    if isinstance(hint, ToConversation | ToConversationSealed):
        return f"conversation:{hint.conversation}"
    if isinstance(hint, ToDevice):
        return f"device:{hint.device}"
    if isinstance(hint, Ended):
        return f"session:{hint.session}"
    return f"account:{hint.account}"  # who joins or leaves must hear it, and may have no socket in the conversation


def _packed(
    hint: Hint,
) -> ForConversation | ToConversationSealed | ForAccount | ForDevice | Joined | Left | Ended:
    if isinstance(hint, ToConversation):
        return ForConversation(hint.conversation, to_json(hint.frame), to_msgpack(hint.frame))
    if isinstance(hint, ToAccount):
        return ForAccount(hint.account, to_json(hint.frame), to_msgpack(hint.frame))
    if isinstance(hint, ToDevice):
        return ForDevice(hint.device, to_json(hint.frame), to_msgpack(hint.frame))
    return hint
