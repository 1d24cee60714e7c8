"""People at their terminals: every command a process of its own, which may be killed and is started again."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.talk import PASSWORD
from tests.support.valkey import until

OURS = ("APARTE_", "LC_", "LANG", "XDG_")
LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Terminal:
    """A folder of profiles, and a server."""

    home: Path
    server: str

    async def start(self, profile: str, *arguments: str) -> Process:
        """Start `aparte --profile PROFILE …` with its three streams at hand."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        environment |= {"APARTE_HOME": str(self.home), "APARTE_SERVER": self.server}
        environment |= {"PYTHONPATH": "src", "PYTHONUNBUFFERED": "1"}
        with (self.home / f"{profile}.errors").open("ab") as errors:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "aparte", "--profile", profile, *arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=environment,
                limit=LONGEST_LINE,
            )

    async def run(self, profile: str, *arguments: str, stdin: str = "") -> str:
        """Run a command to its good end; gives its output."""
        process = await self.start(profile, *arguments)
        out, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 120)
        assert process.returncode == 0, (arguments, process.returncode, out, self.errors(profile))
        return out.decode()

    async def rows(self, profile: str, *arguments: str, stdin: str = "") -> list[dict[str, Any]]:
        """Run a command with --json; gives its objects."""
        return [json.loads(line) for line in (await self.run(profile, "--json", *arguments, stdin=stdin)).splitlines()]

    def errors(self, profile: str) -> str:
        """What a profile's commands have said beside their output."""
        return (self.home / f"{profile}.errors").read_text()[-3_000:]

    async def register(self, profile: str, username: str) -> None:
        """A new account."""
        email = f"{username}@example.org"
        await self.run(profile, "register", username, "--email", email, "--password-stdin", stdin=f"{PASSWORD}\n")

    async def link(self, profile: str, username: str, by: str) -> None:
        """Another device of an account: it shows an offer and a code, and one that is there types both."""
        new = await self.start(profile, "link", username, "--password-stdin")
        assert new.stdin is not None
        assert new.stdout is not None
        new.stdin.write(f"{PASSWORD}\n".encode())
        offer = await self._line(new, profile, lambda line: len(line) >= 107)
        old = await self.start(by, "devices", "approve", offer, "--yes")
        assert old.stdin is not None
        old.stdin.write(f"{PASSWORD}\n".encode())
        code = (await self._line(new, profile, lambda line: line.startswith("code:"))).split()[-1]
        old.stdin.write(f"{code}\n".encode())
        old.stdin.close()
        assert await asyncio.wait_for(old.wait(), 60) == 0, self.errors(by)
        assert await asyncio.wait_for(new.wait(), 60) == 0, self.errors(profile)

    async def _line(self, process: Process, profile: str, fits: Callable[[str], bool]) -> str:
        """Read output up to a line that fits."""
        assert process.stdout is not None
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if fits(text := line.decode().strip()):
                    return text
        raise AssertionError(self.errors(profile))


@dataclass
class Listener:
    """`aparte listen --json` of a profile, whatever happens to it."""

    terminal: Terminal
    profile: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    process: Process | None = None
    _task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Listen until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.process = await self.terminal.start(self.profile, "--json", "listen")
            assert self.process.stdout is not None
            async for line in self.process.stdout:
                if line.endswith(b"\n"):
                    self.heard.append(json.loads(line))
            await self.process.wait()

    async def stop(self) -> None:
        """Hear no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.process is not None:
            kill(self.process)
            await self.process.wait()

    def texts(self, sender: str) -> list[str]:
        """What somebody said, in the order in which it came; what was in hand when it was killed comes again."""
        said = [row for row in self.heard if row["from"] == sender]
        places = [(row["conversation"], row["seq"]) for row in said]
        return [row["text"] for n, row in enumerate(said) if n == 0 or places[n] != places[n - 1]]

    async def hears(self, sender: str, *texts: str, seconds: float = 60) -> None:
        """Wait until all of these were said."""
        try:
            await until(lambda: set(texts) <= set(self.texts(sender)), seconds)
        except BaseException as error:
            error.add_note(f"{self.profile} heard {self.texts(sender)[-5:]}; {self.terminal.errors(self.profile)}")
            raise


@dataclass
class Speaker:
    """`aparte send @somebody - --lines` of a profile, line after line, whatever happens to it.

    After a death nobody can know how many of the lines that it had read it had kept. So the next process says first
    that it is there, `heard` tells what came before that, and it goes on from there.
    """

    terminal: Terminal
    profile: str
    target: str
    lines: list[str]
    heard: Callable[[], list[str]]
    """What has come of this speaker's lines and marks, where they should."""
    acknowledged: int = 0
    process: Process | None = None
    starts: int = 0

    async def speak(self) -> None:
        """Say everything."""
        while not await self._speak_on():
            self.starts += 1

    async def _speak_on(self) -> bool:
        """Be one process; gives whether everything is said."""
        mark = f"¶ {self.starts}"
        self.process = await self.terminal.start(self.profile, "--json", "send", self.target, "-", "--lines")
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(f"{mark}\n".encode())
            await self.process.stdin.drain()
        reading = asyncio.create_task(self._count())
        while mark not in self.heard() and not reading.done():  # noqa: ASYNC110 - a process's output is waited for
            await asyncio.sleep(0.05)
        if mark in self.heard():
            with contextlib.suppress(ConnectionError):
                for line in self._left(mark):
                    self.process.stdin.write(line.encode() + b"\n")
                    await self.process.stdin.drain()
                self.process.stdin.close()
        await reading
        return await self.process.wait() == 0

    def _left(self, mark: str) -> Iterator[str]:
        """What has not come before a mark."""
        heard = self.heard()
        before = [text for text in heard[: heard.index(mark)] if not text.startswith("¶")]
        false = [pair for pair in zip(before, self.lines, strict=False) if pair[0] != pair[1]]
        assert not false, f"{self.profile}: {false[0][0][:80]!r} came instead of {false[0][1][:80]!r}"
        yield from self.lines[len(before) :]

    async def _count(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for _ in self.process.stdout:
            self.acknowledged += 1


def kill(process: Process | None) -> bool:
    """End a process as -9 does, if it is there; gives whether it was."""
    if process is None or process.returncode is not None:
        return False
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return True
