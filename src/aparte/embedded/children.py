"""One child process that is kept running: started again when it dies, stopped in steps that end with SIGKILL."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aparte.embedded.launch import Program

_log = logging.getLogger(__name__)

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
# A child that lived this long has not died of its start: the next start need not wait.
SETTLED = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """Send `number`, then wait `seconds` for the end."""

    number: signal.Signals
    seconds: float


class Child:
    """A program and the process that runs it now. `keep` it only once it works: a first start that fails is final."""

    def __init__(self, program: Program, clear: Callable[[], None] = lambda: None) -> None:
        """`clear` removes the traces of a death, before each new start and in a thread."""
        self.program = program
        self._clear = clear
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """How its last process ended; negative: the signal."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Start the process."""
        with self.program.streams() as options:
            self._process = await asyncio.create_subprocess_exec(*self.program.command(), **options)

    def keep(self) -> None:
        """From now on start it again whenever it dies."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            started = time.monotonic()
            if self._process:
                await self._process.wait()
            if time.monotonic() - started > SETTLED:
                delay = FIRST_DELAY
            _log.warning("%s ended with %s and is started again in %.1f s", self.program.name, self.exit_code, delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
            try:
                await asyncio.to_thread(self._clear)
                await self.start()
            except Exception as error:  # noqa: BLE001 - no memory, no file handles: whatever it is may pass
                _log.warning("%s could not be started: %s", self.program.name, error)

    async def stop(self, steps: Sequence[Step], hurry: asyncio.Event | None = None) -> None:
        """End the process, step by step; `hurry` cuts short the waiting of every step but the last."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._process is None:
            return
        for step in steps:
            if not self.alive:
                return
            with suppress(ProcessLookupError):
                self._process.send_signal(step.number)
            waits: list[Coroutine[Any, Any, object]] = [self._process.wait()]
            if hurry and step is not steps[-1]:
                waits.append(hurry.wait())
            await _first_of(waits, step.seconds)
        if self.alive:
            _log.error("%s (process %d) cannot be stopped", self.program.name, self._process.pid)


async def _first_of(waits: Sequence[Coroutine[Any, Any, object]], seconds: float) -> None:
    tasks = {asyncio.create_task(wait) for wait in waits}
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
