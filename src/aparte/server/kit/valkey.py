"""Valkey: what may be lost. Required to be configured, never to be reachable (design: hints, counters, presence).

One connection carries every command: what waits while the previous round trip runs goes out together with the next
one. No caller waits longer than 250 ms, and after one had to, nobody waits again for a growing moment: `available` is
false and calls fail at once. The connection comes back by itself. Subscriptions have a connection of their own.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from redis import RedisError
from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from aparte.server.kit.channels import Callback, Channels
from aparte.server.kit.metrics import VALKEY_AVAILABLE, VALKEY_DROPS

CALL_SECONDS = 0.25
"""No caller waits longer (R15)."""
CONNECT_SECONDS = 1.0
LINK_SECONDS = 2.0
"""A round trip that takes longer means that the connection is dead; also how often an idle one is asked."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Between attempts to connect, and how long nobody asks after a slow answer."""
WAITING_BYTES = 16 * 1024 * 1024
"""What may wait to be published; beyond it the oldest hints are dropped."""
BATCH_BYTES = 1024 * 1024
BATCH_PUBLICATIONS = 1000

Argument = str | bytes | int | float
Connection = Any
"""Of redis-py, whose connections are typed in part only."""
GONE = (RedisError, OSError, TimeoutError, EOFError)

log = structlog.get_logger(__name__)


class ValkeyAway(Exception):
    """Valkey did not answer in time, or refused the command."""


class _Asked(NamedTuple):
    """Commands that somebody waits for."""

    packed: list[bytes]
    commands: int
    replies: "asyncio.Future[list[Any]]"


class Valkey:
    """The connections of one process. Made anywhere, opened and closed in its event loop."""

    def __init__(self, url: str) -> None:
        """Remember where; `open` connects."""
        self._connector = _connector(url)
        self._packer = self._connector(3)
        self._asked: list[_Asked] = []
        self._publications: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._up = asyncio.Event()
        self._slow_until = 0.0
        self._pause = FIRST_PAUSE
        self._channels = Channels(lambda: self._connector(2))
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start connecting, and give the first attempt a quarter of a second."""
        self._tasks = [asyncio.create_task(self._run(), name="valkey"), self._channels.start()]
        VALKEY_AVAILABLE.set_function(lambda: float(self.available))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._up.wait(), CALL_SECONDS)

    async def close(self) -> None:
        """Disconnect. What was not published yet is lost, as hints may be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail_waiting()

    @property
    def available(self) -> bool:
        """Whether it is worth asking."""
        return self._up.is_set() and time.monotonic() >= self._slow_until

    async def call(self, *arguments: Argument) -> Any:
        """Run a command; replies are bytes, numbers, None, lists, sets and maps of them. Raises `ValkeyAway`."""
        return (await self.batch([arguments]))[0]

    async def batch(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run commands in one round trip, not atomically. Raises `ValkeyAway` if any one fails; the others were run."""
        if not self.available:
            raise ValkeyAway
        if not commands:
            return []
        packed = [part for command in commands for part in self._packer.pack_command(*command)]
        asked = _Asked(packed, len(commands), asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._wake.set()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                replies = await asked.replies
        except TimeoutError:
            self._slow()
            raise ValkeyAway from None
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise ValkeyAway from reply
        return replies

    def publish(self, channel: bytes, payload: bytes) -> None:
        """Publish soon; never waits, never fails, may be lost."""
        if not self._up.is_set():
            VALKEY_DROPS.inc()
            return
        packed = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(payload), payload)
        self._publications.append(packed)
        self._waiting_bytes += len(packed)
        while self._waiting_bytes > WAITING_BYTES:
            self._waiting_bytes -= len(self._publications.popleft())
            VALKEY_DROPS.inc()
        self._wake.set()

    def subscribe(self, channel: bytes, callback: Callback) -> None:
        """From soon on, and after every reconnection, hand over what is published; one callback for each channel."""
        self._channels.subscribe(channel, callback)

    def unsubscribe(self, channel: bytes) -> None:
        """No longer."""
        self._channels.unsubscribe(channel)

    def _slow(self) -> None:
        """Keep everybody from asking for a moment, which grows as long as it happens again and again."""
        now = time.monotonic()
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if now < self._slow_until + 10 else FIRST_PAUSE
        self._slow_until = now + self._pause

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        is_told = False  # once for each time it goes away, not for each attempt
        while True:
            connection = self._connector(3)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.connect()
                log.info("valkey_reached")
                pause, is_told = FIRST_PAUSE, False
                self._up.set()
                await self._serve(connection)
            except GONE as error:
                if not is_told:
                    log.warning("valkey_away", error=type(error).__name__)
                    is_told = True
            finally:
                self._up.clear()
                self._fail_waiting()
                with contextlib.suppress(*GONE):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads processes, guards nothing
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _serve(self, connection: Connection) -> None:
        while True:
            try:
                async with asyncio.timeout(LINK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await self._exchange(connection, [b"*1\r\n$4\r\nPING\r\n"], 1)
            self._wake.clear()
            while self._asked or self._publications:
                asked, self._asked = self._asked, []
                publications = self._take_publications()
                parts = [part for one in asked for part in one.packed]
                parts.extend(publications)
                try:
                    replies = await self._exchange(
                        connection, parts, sum(a.commands for a in asked) + len(publications)
                    )
                except BaseException:
                    _fail(asked)
                    raise
                _distribute(asked, replies)

    async def _exchange(self, connection: Connection, parts: list[bytes], count: int) -> list[Any]:
        """One round trip. A command that Valkey refuses gets its error as the reply."""
        replies = []
        async with asyncio.timeout(LINK_SECONDS):
            await connection.send_packed_command([b"".join(parts)], check_health=False)
            for _ in range(count):
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        return replies

    def _take_publications(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        while self._publications and len(taken) < BATCH_PUBLICATIONS and size < BATCH_BYTES:
            one = self._publications.popleft()
            size += len(one)
            taken.append(one)
        self._waiting_bytes -= size
        return taken

    def _fail_waiting(self) -> None:
        asked, self._asked = self._asked, []
        _fail(asked)
        VALKEY_DROPS.inc(len(self._publications))
        self._publications.clear()
        self._waiting_bytes = 0


def _fail(asked: Sequence[_Asked]) -> None:
    for one in asked:
        if not one.replies.done():
            one.replies.set_exception(ValkeyAway())


def _distribute(asked: Sequence[_Asked], replies: list[Any]) -> None:
    start = 0
    for one in asked:
        if not one.replies.done():  # who waited too long is gone
            one.replies.set_result(replies[start : start + one.commands])
        start += one.commands


def _connector(url: str) -> Callable[[int], Connection]:
    """Read the address; the answer makes unconnected connections of a version of the protocol."""
    if url.startswith("valkey"):
        url = "redis" + url.removeprefix("valkey")
    maintenance = MaintNotificationsConfig(enabled=False)  # another vendor's; costs a round trip
    pool = ConnectionPool.from_url(url)
    kwargs = {
        **pool.connection_kwargs,
        "socket_timeout": None,  # times are kept here, for whole round trips
        "socket_connect_timeout": CONNECT_SECONDS,
        "driver_info": None,
        "maint_notifications_config": maintenance,
    }

    def connect(protocol: int) -> Connection:
        return pool.connection_class(**{**kwargs, "protocol": protocol})

    return connect
