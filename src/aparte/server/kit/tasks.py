"""Background tasks with an owner: none is forgotten, none dies silently."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class TaskGroup:
    """Tasks that end together: started here, cancelled and awaited by `close`."""

    def __init__(self) -> None:
        """Start empty."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a coroutine until it ends; a failure is logged with the task's name."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def every(seconds: float, step: Callable[[], Awaitable[object]], name: str) -> None:
    """Repeat a step for ever, whatever becomes of one: a failure is logged and the next round comes."""
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - a loop that must survive a dead database, and says so
            log.warning("round_failed", task=name, error=type(error).__name__)
        await asyncio.sleep(seconds)
