"""What one process remembers of searches for a moment, and how many it lets run at once.

Remembered are candidates for a question about names (R-322), never who may see them: that is asked anew each time, so a
block or a change of privacy holds from the next search on.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any

from aparte.wire.errors import Refusal

AT_ONCE = 4
"""Searches of one process: the other connections of its pool are for everybody else."""
SECONDS = 3.0
KEPT_SECONDS = 5.0
KEPT = 1_000


class Memory:
    """Of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing."""
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._clock = clock

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[None]:
        """Search when there is room for one more. Refuses with `unavailable` what takes too long, waiting included."""
        try:
            async with asyncio.timeout(SECONDS), self._seats:
                yield
        except TimeoutError:
            raise Refusal("unavailable", "the search took too long", retry_after=1) from None

    async def candidates(self, question: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Answer from memory what was asked a moment ago. That nothing was found is not remembered: who has just come
        should not have to wait."""
        now = self._clock()
        kept = self._kept.get(question)
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]
        found = await ask()
        if not found:
            return found
        self._kept[question] = (now, found)
        self._kept.move_to_end(question)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found
