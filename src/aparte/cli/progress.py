"""Progress on stderr, only on a terminal, and only for what takes long."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from aparte.cli.phrases import phrase
from aparte.client import Client

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
LONG = 500
"""Catching up with fewer entries than this shows nothing."""
LOOK_SECONDS = 0.2
SECOND = 1.0


def is_wanted() -> bool:
    """Tell whether somebody watches stderr while the output goes elsewhere; on a terminal the output is progress."""
    return sys.stderr.isatty() and not sys.stdout.isatty()


def progress_bar() -> "Progress":
    """Make a bar on stderr that leaves standard output alone."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that scripts need not pay
    from rich.progress import Progress  # noqa: PLC0415 - see above

    console = Console(stderr=True)
    return Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False)


async def counted(items: AsyncIterator[T], what: str) -> AsyncIterator[T]:
    """Pass items on and count them for the person who waits."""
    if not is_wanted():
        async for item in items:
            yield item
        return
    count = 0
    with progress_bar() as progress:
        task = progress.add_task(what, total=None)
        async for item in items:
            yield item
            count += 1
            progress.update(task, description=f"{what} {count}")


@contextmanager
def reaching(me: Client) -> Iterator[None]:
    """Count the devices that a first message to many is being made ready for, once that takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    began: dict[str, float] = {}
    shown = False

    def told(what: str, done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - began.setdefault(what, now) > SECOND:
            sys.stderr.write(f"\r{phrase('reaching')} {done}/{total}\x1b[K")
            sys.stderr.flush()
            shown = True

    me.progress = told
    try:
        yield
    finally:
        me.progress = None
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@asynccontextmanager
async def catching_up(me: Client) -> AsyncIterator[None]:
    """Show a bar while much is missing here."""
    if not is_wanted():
        yield
        return
    bar = asyncio.ensure_future(_bar(me))
    try:
        yield
    finally:
        bar.cancel()
        with suppress(asyncio.CancelledError):
            await bar


async def _bar(me: Client) -> None:
    while me.catching_up < LONG:  # noqa: ASYNC110 - what is missing is counted, not announced
        await asyncio.sleep(LOOK_SECONDS)
    total = me.catching_up
    with progress_bar() as progress:
        task = progress.add_task(phrase("catching_up"), total=total)
        while (left := me.catching_up) > 0:
            total = max(total, left)
            progress.update(task, total=total, completed=total - left)
            await asyncio.sleep(LOOK_SECONDS)
