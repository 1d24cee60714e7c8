"""Subscriptions to Valkey's channels: wanted here, made there in batches, and made again after every reconnection.

They have a connection of their own, in the older version of the protocol: on a subscribed RESP2 connection nothing
else arrives than messages and confirmations, so that reading it needs no routing. Being told late or not at all is
allowed for whatever is published.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from itertools import count
from typing import Any

import structlog
from redis import RedisError

Callback = Callable[[bytes], None]
Connection = Any
"""Of redis-py, whose connections are typed in part only."""

AT_ONCE = 500
"""Channels in one command."""
IN_A_ROW = 16
"""Answers that are read before others have their turn: who opens a gateway in 1,000 conversations has as many."""
PING_SECONDS = 3.0
SILENT_SECONDS = 7.0
"""A connection on which not even a ping is answered for so long is given up."""
CONNECT_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
GONE = (RedisError, OSError, TimeoutError, EOFError)

log = structlog.get_logger(__name__)


class Channels:
    """The channels that this process listens to."""

    def __init__(self, connection: Callable[[], Connection]) -> None:
        """Remember how to make a connection."""
        self._connection = connection
        self._callbacks: dict[bytes, Callback] = {}
        self._changed: dict[bytes, None] = {}
        self._wake = asyncio.Event()
        self._heard_at = 0.0

    def start(self) -> "asyncio.Task[None]":
        """Connect, listen and reconnect until cancelled."""
        return asyncio.create_task(self._run(), name="valkey-channels")

    def subscribe(self, channel: bytes, callback: Callback) -> None:
        """Want a channel; a second callback replaces the first."""
        if channel not in self._callbacks:
            self._changed[channel] = None
            self._wake.set()
        self._callbacks[channel] = callback

    def unsubscribe(self, channel: bytes) -> None:
        """Want it no longer: its callback is not called again."""
        if self._callbacks.pop(channel, None) is not None:
            self._changed[channel] = None
            self._wake.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            connection = self._connection()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.connect()
                pause = FIRST_PAUSE
                await self._converse(connection)
            except GONE:
                pass  # the connection of commands says so in the log
            finally:
                with contextlib.suppress(*GONE):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads processes, guards nothing
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _converse(self, connection: Connection) -> None:
        """Read and write until either side of the connection fails."""
        self._heard_at = asyncio.get_running_loop().time()
        self._changed = dict.fromkeys(self._callbacks)
        self._wake.set()
        both = [asyncio.create_task(self._listen(connection)), asyncio.create_task(self._tell(connection))]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _tell(self, connection: Connection) -> None:
        """Write what is wanted and no longer wanted, and a ping when there is nothing to write."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                if loop.time() - self._heard_at > SILENT_SECONDS:
                    raise
                await self._send(connection, ["PING"])
            self._wake.clear()
            changed, self._changed = self._changed, {}
            for command, channels in (
                ("SUBSCRIBE", [channel for channel in changed if channel in self._callbacks]),
                ("UNSUBSCRIBE", [channel for channel in changed if channel not in self._callbacks]),
            ):
                for start in range(0, len(channels), AT_ONCE):
                    await self._send(connection, [command, *channels[start : start + AT_ONCE]])

    async def _send(self, connection: Connection, command: list[str | bytes]) -> None:
        async with asyncio.timeout(SILENT_SECONDS):
            await connection.send_packed_command(connection.pack_command(*command), check_health=False)

    async def _listen(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        for nth in count(1):
            if nth % IN_A_ROW == 0:
                await asyncio.sleep(0)
            kind, channel, payload = _message(await connection.read_response(timeout=math.inf))
            self._heard_at = loop.time()
            callback = self._callbacks.get(channel)
            if kind != b"message" or callback is None:
                continue
            try:
                callback(payload)
            except Exception as error:  # noqa: BLE001 - what one message does wrong must not end listening
                log.error("message_unhandled", error=type(error).__name__)


def _message(reply: object) -> tuple[bytes, bytes, bytes]:
    """Kind, channel and payload; the answer to a ping has but two parts, a confirmation ends with a number."""
    if isinstance(reply, list) and len(reply) == 3 and isinstance(reply[2], bytes):
        return reply[0], reply[1], reply[2]
    return b"", b"", b""
