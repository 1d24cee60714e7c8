"""A device that follows a conversation as the protocol says: live entries, and questions whenever one is missing."""

import asyncio
import contextlib
from typing import Any

import aiohttp

from tests.support.people import Device, Gateway, Problem

FIRST = "00000000-0000-0000-0000-000000000000"


class Follower:
    """Keeps the log of one conversation, (seq, id, text) in order, and reconnects for as long as it runs."""

    def __init__(self, device: Device, conversation: str) -> None:
        """Follow with this device."""
        self.device = device
        self.conversation = conversation
        self.log: list[tuple[int, str, str | None]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def cursor(self) -> int:
        """The newest position it has."""
        return self.log[-1][0] if self.log else 0

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def reach(self, seq: int, seconds: float) -> None:
        """Wait until the cursor is there."""
        async with asyncio.timeout(seconds):
            while self.cursor < seq:  # noqa: ASYNC110 - the log grows in a task of its own
                await asyncio.sleep(0.05)

    async def _run(self) -> None:
        while True:
            try:
                async with self.device.gateway() as gateway:
                    await self._catch_up(gateway)
                    await self._follow(gateway)
            except (aiohttp.ClientError, OSError, AssertionError, TimeoutError, Problem):
                await asyncio.sleep(0.2)

    async def _follow(self, gateway: Gateway) -> None:
        while True:
            frame = await gateway.wait(
                lambda f: f["type"] in {"entry", "head"} and f["conversation"] == self.conversation, 3_600
            )
            if frame["type"] == "head":
                if frame["seq"] > self.cursor:
                    await self._catch_up(gateway)
            elif frame["entry"]["seq"] == self.cursor + 1:
                self._take(frame["entry"])
            elif frame["entry"]["seq"] > self.cursor + 1:
                await self._catch_up(gateway)

    async def _catch_up(self, gateway: Gateway) -> None:
        more = True
        while more:
            after = self.log[-1][1] if self.log else FIRST
            page = await gateway.ask("entries", conversation=self.conversation, after=after, limit=500)
            assert page["type"] == "log", page
            for entry in page["entries"]:
                self._take(entry)
            more = page["more"]

    def _take(self, entry: dict[str, Any]) -> None:
        if entry["seq"] != self.cursor + 1:
            raise ValueError(f"position {entry['seq']} after {self.cursor}")
        body = entry.get("body") or {}
        self.log.append((entry["seq"], entry["id"], body.get("text")))
