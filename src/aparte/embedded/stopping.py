"""What tells the supervisor to stop: a signal, or the end of the process that started it.

`make up` must leave nothing behind however `make` ends. GNU make passes on SIGTERM alone; killed with SIGKILL it passes
on nothing; and after a SIGINT, SIGHUP or SIGQUIT it *waits* for its child without telling it. That last state can be
seen from outside: make's handler for fatal signals first restores the default action, then waits inside the handler,
where the signal is blocked. A signal that our parent caught when we started, and that is now blocked and no longer
caught, has been received.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FATAL_FOR_PARENT = (*SIGNALS, signal.SIGQUIT)
POLL_SECONDS = 0.5


class Stop:
    """The wish to stop. `requested` at the first sign; `hurry` at a second one, or if nobody is left to wait for us."""

    def __init__(self, parent: "Parent | None" = None) -> None:
        """`parent` is whose end we follow."""
        self._parent = parent
        self.requested = asyncio.Event()
        self.hurry = asyncio.Event()
        self.deserted = False

    def request(self) -> None:
        """Stop; asked again, stop at once."""
        if self.requested.is_set():
            self.hurry.set()
        self.requested.set()

    async def listening(self, work: Awaitable[None]) -> None:
        """Do `work` while listening to signals and to the parent."""
        self._listen()
        follower = asyncio.create_task(self._follow(self._parent)) if self._parent else None
        try:
            await work
        finally:
            if follower:
                follower.cancel()

    def desert(self) -> None:
        """Stop, and soon: who started us has gone."""
        self.deserted = True
        self.requested.set()

    def _listen(self) -> None:
        """Let signals request it, also those that we inherited as ignored or blocked (`make up &` in a script)."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.request)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    async def _follow(self, parent: "Parent") -> None:
        """Request it once the parent has gone or is about to; forever otherwise."""
        while not parent.leaving():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(POLL_SECONDS)
        _log.warning("the process that started this one has ended, so this one does")
        self.desert()


class Parent:
    """The process that started us, as it was then."""

    def __init__(self) -> None:
        """Look at it while it runs. APARTE_PARENT_PID names it, as it may end before we have even begun."""
        self.pid = int(os.environ.pop("APARTE_PARENT_PID", "0")) or os.getppid()
        # make catches these signals from its beginning, unless they were ignored; it may have received one already.
        self._caught = -1 if _name(self.pid) in {"make", "gmake"} else _signals(self.pid, "SigCgt")

    def leaving(self) -> bool:
        """Whether it has gone, or waits for us in its handler of a fatal signal."""
        if os.getppid() != self.pid:
            return True
        quiet = _signals(self.pid, "SigCgt") | _signals(self.pid, "SigIgn")
        received = self._caught & _signals(self.pid, "SigBlk") & ~quiet
        return any(received & (1 << (number - 1)) for number in FATAL_FOR_PARENT)


def _signals(pid: int, field: str) -> int:
    """A set of signals: bit n-1 is signal n."""
    return int(_status(pid, field) or "0", 16)


def _name(pid: int) -> str:
    return _status(pid, "Name")


def _status(pid: int, field: str) -> str:
    """A field of /proc/PID/status; empty where there is no such file."""
    if sys.platform != "linux":
        return ""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:")), "")
