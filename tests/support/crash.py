"""The SDK dying at any point: a scenario runs in a forked child that kills itself with SIGKILL at its n-th event.

An event is a statement of the store, a request or a frame before and after it, and a word handed to the application.
`python -m tests.support.crash` is the process that forks: everything is imported there already, and no loop runs in it.
What children do is appended to their job's journal, one line a time; a line is complete or not there.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlcipher3 import dbapi2 as sqlcipher

from aparte.client import Client, Place
from aparte.client.store import db
from aparte.client.transport.http import Http
from aparte.client.transport.socket import Socket
from aparte.e2ee import entry

SECONDS = 60


class Job(msgspec.Struct, frozen=True):
    """One run of a profile: say these, and read until the last answer; die at the event `kill_at`."""

    home: str
    profile: str
    server: str
    peer: str
    say: list[str]
    until: str
    journal: str
    kill_at: int = 0
    """0: live."""


class End(msgspec.Struct, frozen=True):
    """How a run ended: killed by its own hand, or with an exit code."""

    was_killed: bool
    code: int


class Journal:
    """What a run has done so far, in a file that outlives it."""

    def __init__(self, path: Path) -> None:
        """Append to this file."""
        self._path = path

    def note(self, what: str, **fields: Any) -> None:
        """Write a line down at once."""
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, json.dumps({"what": what, **fields}).encode() + b"\n")
        finally:
            os.close(file)

    @property
    def errors(self) -> str:
        """What went wrong beside it."""
        file = Path(f"{self._path}.err")
        return file.read_text()[-4_000:] if file.exists() else ""

    def read(self, what: str) -> list[dict[str, Any]]:
        """Give the lines of one kind."""
        if not self._path.exists():
            return []
        lines = (json.loads(line) for line in self._path.read_text().splitlines())
        return [line for line in lines if line["what"] == what]


class Events:
    """Counts, and kills at the number."""

    def __init__(self, kill_at: int) -> None:
        """Kill at this event; 0 never."""
        self.count = 0
        self._kill_at = kill_at

    def __call__(self) -> None:
        """Let one event happen."""
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Count before and after a call."""

        async def counted(*arguments: Any) -> Any:
            self()
            result = await call(*arguments)
            self()
            return result

        return counted


def instrument(events: Events, journal: Journal) -> None:
    """Count everything that leaves the process, in this process, for the rest of its life."""

    class Connection(sqlcipher.Connection):  # type: ignore[misc]
        def execute(self, *arguments: Any) -> Any:
            events()
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            events()
            return super().executemany(*arguments)

    class Library:
        """The library as the store uses it."""

        DatabaseError = sqlcipher.DatabaseError
        complete_statement = staticmethod(sqlcipher.complete_statement)

        @staticmethod
        def connect(path: str, **options: Any) -> Any:
            return sqlcipher.connect(path, factory=Connection, **options)

    db.sqlcipher = Library
    Http.ask = events.around(Http.ask)  # type: ignore[method-assign]
    Socket.send = events.around(Socket.send)  # type: ignore[method-assign]
    Socket.receive = events.around(Socket.receive)  # type: ignore[method-assign]
    replace_everywhere(entry.seal, noting(entry.seal, journal))


def noting(seal: Callable[..., bytes], journal: Journal) -> Callable[..., bytes]:
    """Write down which content key was used for which head and words, both hashed."""

    def noted(head: entry.Head, content: bytes, key: bytes) -> bytes:
        plain = hashlib.sha256(head.serialize() + content).hexdigest()
        journal.note("sealed", key=hashlib.sha256(key).hexdigest(), plain=plain)
        return seal(head, content, key)

    return noted


def replace_everywhere(old: Any, new: Any) -> None:
    """Put something else in the place of a function in every module of the product that has it by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("aparte"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


async def live(job: Job, events: Events, journal: Journal) -> None:
    """Say what is to be said while listening, until the last answer has come."""
    place = Place(job.profile, home=Path(job.home), server=job.server, patience=20)
    async with asyncio.timeout(SECONDS), Client.open(place) as me:
        stream = me.messages()
        for text in job.say:
            sent = await me.send(job.peer, text)
            journal.note("sent", text=text, seq=sent.seq)
            events()
        async for message in stream:
            events()
            journal.note("heard", text=message.text, seq=message.seq)
            events()
            if message.text == job.until:
                return


def run(job: Job) -> None:
    """Be the child: live once, or die; what goes wrong is written beside the journal."""
    journal, events = Journal(Path(job.journal)), Events(job.kill_at)
    with Path(f"{job.journal}.err").open("a") as errors:
        os.dup2(errors.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    instrument(events, journal)
    asyncio.run(live(job, events, journal))
    journal.note("events", count=events.count)


def serve() -> None:
    """Fork a child for each job that comes in on standard input, and tell how it ended."""
    for line in sys.stdin.buffer:
        job = msgspec.json.decode(line, type=Job)
        pid = os.fork()
        if pid == 0:
            run(job)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        end = End(code == -signal.SIGKILL, code)
        sys.stdout.buffer.write(msgspec.json.encode(end) + b"\n")
        sys.stdout.buffer.flush()


class Rig:
    """Runs jobs in processes of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk to the process that forks."""
        self._process = process

    async def run(self, job: Job) -> End:
        """Run one to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), SECONDS + 30)
        return msgspec.json.decode(line, type=End)


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Start the process that forks; it ends with its standard input."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APARTE_")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.crash"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        yield Rig(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    serve()
