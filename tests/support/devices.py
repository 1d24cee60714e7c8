"""A device that follows conversations as the protocol says: live entries, and questions whenever one is missing."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.support.people import Device, Gateway, Problem

FIRST = "00000000-0000-0000-0000-000000000000"
Told = tuple[int, str, str | None]
"""What a device keeps of an entry: seq, id, text."""


class Follower:
    """Keeps the logs of some conversations in order, and reconnects for as long as it runs."""

    def __init__(self, device: Device, *conversations: str) -> None:
        """Follow with this device."""
        self.device = device
        self.logs: dict[str, list[Told]] = {conversation: [] for conversation in conversations}
        self._task: asyncio.Task[None] | None = None

    def cursor(self, conversation: str) -> int:
        """The newest position it has."""
        log = self.logs[conversation]
        return log[-1][0] if log else 0

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def reach(self, conversation: str, seq: int, seconds: float) -> None:
        """Wait until the cursor is there."""
        async with asyncio.timeout(seconds):
            while self.cursor(conversation) < seq:
                assert self._task is not None
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.05)

    async def _run(self) -> None:
        while True:
            try:
                async with self.device.gateway() as gateway:
                    for conversation in self.logs:
                        await self._catch_up(gateway, conversation)
                    await self._follow(gateway)
            except (aiohttp.ClientError, OSError, AssertionError, TimeoutError, Problem):
                await asyncio.sleep(0.2)

    async def _follow(self, gateway: Gateway) -> None:
        while True:
            frame = await gateway.wait(lambda f: f["type"] in {"entry", "head"}, 3_600)
            conversation = frame["conversation"]
            if conversation not in self.logs:
                continue
            seq = frame["seq"] if frame["type"] == "head" else frame["entry"]["seq"]
            if frame["type"] == "entry" and seq == self.cursor(conversation) + 1:
                self._take(conversation, frame["entry"])
            elif seq > self.cursor(conversation):
                await self._catch_up(gateway, conversation)

    async def _catch_up(self, gateway: Gateway, conversation: str) -> None:
        more = True
        while more:
            after = self.logs[conversation][-1][1] if self.logs[conversation] else FIRST
            page = await gateway.ask("entries", conversation=conversation, after=after, limit=500)
            assert page["type"] == "log", page
            for entry in page["entries"]:
                self._take(conversation, entry)
            more = page["more"]

    def _take(self, conversation: str, entry: dict[str, Any]) -> None:
        if entry["seq"] != self.cursor(conversation) + 1:
            raise ValueError(f"position {entry['seq']} after {self.cursor(conversation)}")
        body = entry.get("body") or {}
        self.logs[conversation].append((entry["seq"], entry["id"], body.get("text")))


async def all_reach(followers: Sequence[Follower], heads: dict[str, int], seconds: float) -> None:
    """Wait until every device has everything, then stop them."""
    for follower in followers:
        for conversation in follower.logs:
            await follower.reach(conversation, heads[conversation], seconds)
        await follower.stop()
