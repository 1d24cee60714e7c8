"""A whole Aparté in a process of its own, with the small worker in place of the server."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from aparte.embedded import postgres, processes

UP = (sys.executable, str(Path(__file__).with_name("up.py")), "up")
# Ceilings, not measurements: what usually takes a tenth of it on an idle machine.
START_SECONDS = 60
GONE_SECONDS = 10


class Host:
    """One `aparte up`: the process started (the supervisor, or `make` above it) and what belongs to it."""

    def __init__(self, data: Path, *, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = postgres.free_port()
        self.mark = uuid.uuid4().hex
        self.arguments = [*UP, "--data", str(data), "--port", str(self.port), "--workers", str(workers)]
        self.environment = {**os.environ, "TEST_MARK": self.mark, **(environment or {})}
        self.process: subprocess.Popen[str] | None = None
        self.text = ""

    def start(self, command: list[str] | None = None, **options: Any) -> "Host":
        """Start without waiting; `command` if it is not the plain `aparte up`."""
        self.process = subprocess.Popen(
            command or self.arguments,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        return self

    def wait_until_ready(self, last_line: str = "Stop it") -> "Host":
        """Read what it prints until the last line of the greeting."""
        assert self.process
        assert self.process.stdout
        for line in self.process.stdout:
            self.text += line
            if line.startswith(last_line):
                return self
        raise AssertionError(f"it ended with {self.process.wait()}: {self.errors()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process started, and to it alone."""
        assert self.process
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for its end."""
        assert self.process
        return self.process.wait(START_SECONDS)

    def errors(self) -> str:
        """All it wrote to standard error; once it has ended."""
        assert self.process
        assert self.process.stderr
        return self.process.stderr.read()

    def get(self, path: str) -> Any:
        """The JSON of an answer; None for an empty body; raises OSError if nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise HTTPException(response.status)
        return json.loads(body) if body else None

    def answers(self, path: str = "/ready") -> bool:
        """Whether `path` is answered with 200."""
        try:
            self.get(path)
        except (OSError, HTTPException):
            return False
        return True

    def setting(self, name: str) -> str:
        """A variable of the file `secrets/environment`."""
        words = shlex.split((self.data / "secrets" / "environment").read_text())
        return dict(word.split("=", 1) for word in words if "=" in word)[name]

    def postmaster(self) -> int:
        """The number of PostgreSQL's first process; 0 while there is none."""
        try:
            return int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return 0

    def remains(self) -> list[int]:
        """Every living process that belongs to it: by its mark, or by working in its folders."""
        found = set(marked(self.mark))
        for folder in (self.data / "postgres", self.data / "valkey"):
            if folder.exists():
                found.update(processes.working_in(folder))
        return sorted(found)

    def is_gone(self) -> bool:
        """Whether nothing of it is left, after waiting as long as is promised."""
        return eventually(lambda: not self.remains(), GONE_SECONDS)

    def destroy(self) -> None:
        """Kill all of it and close its pipes."""
        for pid in self.remains():
            with suppress(ProcessLookupError):  # the first ones take the others with them
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()


def marked(mark: str) -> Iterator[int]:
    """Processes that have `mark` in their environment."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                yield int(entry.name)
        except OSError:
            continue


def eventually(condition: Callable[[], bool], seconds: float = START_SECONDS) -> bool:
    """Whether `condition` holds before `seconds` have passed."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def host(data: Path, **options: Any) -> Iterator[Host]:
    """A `Host` of which nothing survives the test."""
    here = Host(data, **options)
    try:
        yield here
    finally:
        here.destroy()
