"""The same question of something small and of something large, in turn: how much longer it takes, what more it asks.

Both are asked in one run, one after the other, so that whatever else the machine does meets both. What is compared are
medians, and the statements that one request sends to PostgreSQL, of which whatever happens beside can only add some.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from aparte.bench.report import Figure, Section
from aparte.bench.rest import Connection
from aparte.bench.websocket import UnexpectedAnswer

RATIO = 1.3
WARM = 20
"""Questions before it is measured: the server prepares its statements, PostgreSQL its plans."""
COUNTED = 5
MOMENT_SECONDS = 0.1

Ask = Callable[[], Awaitable[int]]
"""Asks once, checks the answer and tells how many microseconds it took."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question of a small thing and of a large one."""

    name: str
    small: Ask
    large: Ask
    is_bounded: bool = True
    """Whether it may take no longer; else only what it asks is compared, and `most_ms` holds."""
    most_ms: float = 0.0
    spare: int = 0
    """Statements by which both may differ: presence and the index follow by themselves, and may be early."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found of a case: medians in microseconds, and statements."""

    small: float
    large: float
    small_statements: int
    large_statements: int

    @property
    def ratio(self) -> float:
        """How many times as long the large one takes."""
        return self.large / self.small


class Statements:
    """Counts statements by the server's own figures; the server must have one worker."""

    def __init__(self, connection: Connection, host: str) -> None:
        """Ask over a connection of our own."""
        self._connection = connection
        self._request = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    async def so_far(self) -> int:
        """Statements since the server began."""
        for line in (await self._connection.ask(self._request)).body.decode().splitlines():
            if line.startswith("aparte_statements_total "):
                return int(float(line.split()[1]))
        raise UnexpectedAnswer("the server does not say how many statements it has sent")

    async def of(self, ask: Ask) -> int:
        """Statements of one request until it is answered; what follows an earlier one is waited for."""
        found = []
        for _ in range(COUNTED):
            before = await self._settled()
            await ask()
            found.append(await self.so_far() - before)
        return min(found)

    async def _settled(self) -> int:
        """Statements since the server began, once a moment goes by without one."""
        last = -1
        while (found := await self.so_far()) != last:
            last = found
            await asyncio.sleep(MOMENT_SECONDS)
        return found


async def compare(case: Case, statements: Statements, times: int) -> Section:
    """Ask both in turn, each as often as the other goes first."""
    for _ in range(WARM):
        await case.small()
        await case.large()
    counted = await statements.of(case.small), await statements.of(case.large)
    small, large = [], []
    for nth in range(times):
        if nth % 2:
            small.append(await case.small())
            large.append(await case.large())
        else:
            large.append(await case.large())
            small.append(await case.small())
    return section_of(case, Comparison(median(small), median(large), *counted))


def section_of(case: Case, found: Comparison) -> Section:
    """Write down a comparison."""
    figures = [
        Figure("small_p50", found.small / 1000, "ms"),
        Figure("large_p50", found.large / 1000, "ms"),
        Figure("ratio", found.ratio),
        Figure("small_statements", found.small_statements),
        Figure("large_statements", found.large_statements),
    ]
    return Section(case.name, figures, exceeded=exceeded(case, found))


def exceeded(case: Case, found: Comparison) -> list[str]:
    """What is more than it may be, a sentence each."""
    lines = []
    if case.is_bounded and found.ratio > RATIO:
        lines.append(f"{case.name}: {found.ratio:.2f} times as long, {RATIO} at most")
    if case.most_ms and found.large > 1000 * case.most_ms:
        lines.append(f"{case.name}: {found.large / 1000:.1f} ms, {case.most_ms:g} at most")
    if abs(found.large_statements - found.small_statements) > case.spare:
        lines.append(f"{case.name}: {found.large_statements} statements instead of {found.small_statements}")
    return lines
