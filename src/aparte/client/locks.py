"""Locks between the processes of a profile: they end with whoever holds them, however that one dies.

A claim written into the store would outlive a killed process; `flock` on a file of the profile's folder does not.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

FIRST_WAIT = 0.005
LONGEST_WAIT = 0.25


class Lock:
    """One lock, taken once at a time by whichever holder of the file comes first."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is created when needed and stays."""
        self._path = path
        self._file: int | None = None

    def try_take(self) -> bool:
        """Take the lock if nobody has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    async def take(self, longest_wait: float = LONGEST_WAIT) -> None:
        """Wait for the lock. Give a deadline from outside."""
        wait = FIRST_WAIT
        while not self.try_take():
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest_wait)

    def release(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


@asynccontextmanager
async def held(path: Path) -> AsyncIterator[None]:
    """Hold a lock for the time of a block."""
    lock = Lock(path)
    await lock.take()
    try:
        yield
    finally:
        lock.release()
