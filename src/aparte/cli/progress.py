"""Progress on stderr, only on a terminal, and only for what takes long."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from aparte.cli.phrases import phrase
from aparte.client import Client

T = TypeVar("T")
LONG = 500
"""Catching up with fewer entries than this shows nothing."""
LOOK_SECONDS = 0.2


async def counted(items: AsyncIterator[T], what: str) -> AsyncIterator[T]:
    """Pass items on and count them for the person who waits."""
    if not sys.stderr.isatty():
        async for item in items:
            yield item
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that scripts need not pay

    with Console(stderr=True).status(what) as status:
        count = 0
        async for item in items:
            yield item
            count += 1
            status.update(f"{what} {count}")


@asynccontextmanager
async def catching_up(me: Client) -> AsyncIterator[None]:
    """Show a bar while much is missing here."""
    if not sys.stderr.isatty():
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
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import Progress  # noqa: PLC0415

    total = me.catching_up
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(phrase("catching_up"), total=total)
        while (left := me.catching_up) > 0:
            total = max(total, left)
            progress.update(task, total=total, completed=total - left)
            await asyncio.sleep(LOOK_SECONDS)
