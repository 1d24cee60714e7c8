"""Which processes work in a folder, read from /proc; elsewhere than on Linux nothing is known."""

import os
import signal
import time
from pathlib import Path


def working_in(folder: Path) -> list[int]:
    """The living processes whose working folder is `folder`; zombies have none and are left out."""
    place = folder.stat()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            there = (entry / "cwd").stat()
        except OSError:
            continue  # gone, a zombie, or another user's
        if (there.st_dev, there.st_ino) == (place.st_dev, place.st_ino):
            found.append(int(entry.name))
    return found


def wait_until_gone(folder: Path, *, insist: float = 5, kill: float = 10, give_up: float = 15) -> bool:
    """Wait until no process works in `folder`: after `insist` seconds with SIGQUIT, after `kill` with SIGKILL."""
    start = time.monotonic()
    while pids := working_in(folder):
        waited = time.monotonic() - start
        if waited > give_up:
            return False
        if waited > insist:
            for pid in pids:
                _signal(pid, signal.SIGKILL if waited > kill else signal.SIGQUIT)
        time.sleep(0.02 if waited < insist else 0.5)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
