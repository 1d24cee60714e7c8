"""The command line with a folder of profiles of the test, against the server of the run.

Most commands run inside the test's process, which is quick; those that are killed or run side by side have their own.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support.server import Aparte
from typer.testing import CliRunner

from aparte.cli.main import app
from aparte.client import Client, Credentials, Place

PASSWORD = "correct horse battery staple"
OURS = ("APARTE_", "LC_", "LANG", "XDG_")


@dataclass(frozen=True)
class Shell:
    """Runs `aparte` with the profiles of one test."""

    environment: dict[str, str]
    tag: str

    @property
    def home(self) -> Path:
        """The folder of profiles."""
        return Path(self.environment["APARTE_HOME"])

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "aparte", *arguments]
        return subprocess.Popen(command, text=True, env=self.environment, **{**pipes, **options})

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Run a command to its end; gives its output."""
        return self.both(*arguments, stdin=stdin, code=code)[0]

    def both(self, *arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        """Run a command to its end; gives output and errors."""
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith(OURS)}
        result = CliRunner().invoke(app, arguments, input=stdin, env={**environment, **self.environment})
        assert result.exit_code == code, (arguments, result.exit_code, result.output, result.exception)
        return result.stdout, result.stderr

    def rows(self, *arguments: str, stdin: str = "", code: int = 0) -> list[dict[str, Any]]:
        """Run a command with --json; gives its objects."""
        return [json.loads(line) for line in self.run("--json", *arguments, stdin=stdin, code=code).splitlines()]

    def link(self, profile: str, username: str, approver: str) -> str:
        """Link a new profile to somebody's account, approved by another; gives what the approver printed."""
        new = self.start("--profile", profile, "link", username, "--password-stdin", stdin=subprocess.PIPE)
        old = None
        try:
            say(new, PASSWORD)
            offer = hear(new)
            old = self.start("--profile", approver, "devices", "approve", offer, "--yes", stdin=subprocess.PIPE)
            say(old, PASSWORD)
            assert hear(new) == f"account: {username}"
            say(old, hear(new).removeprefix("code: "))
            out, errors = old.communicate(timeout=60)
            assert old.returncode == 0, errors
            assert new.wait(60) == 0
            return out
        finally:
            for process in (new, old):
                if process is not None:
                    process.kill()
                    process.communicate()

    def newcomer(self, name: str) -> None:
        """Register somebody, in a profile of that name."""
        username, address = f"{name}-{self.tag}", f"{name}-{self.tag}@example.org"
        self.run("--profile", name, "register", username, "--email", address, "--password-stdin", stdin=PASSWORD + "\n")


def say(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a command, as somebody who types it."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Read the next line of a command's output."""
    assert process.stdout is not None
    return process.stdout.readline().removesuffix("\n")


@pytest.fixture
def shell(server: Aparte, tmp_path: Path) -> Shell:
    """A terminal with profiles of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {"APARTE_HOME": str(tmp_path), "APARTE_SERVER": server.url, "PYTHONPATH": "src"}
    return Shell(environment, uuid4().hex[:8])


@pytest.fixture
async def room(shell: Shell) -> str:
    """A room that ann has made and bob has joined."""
    title = f"#salon-{shell.tag}"
    for name in ("ann", "bob"):
        place = Place(name, home=shell.home, server=shell.environment["APARTE_SERVER"])
        who = Credentials(f"{name}-{shell.tag}", PASSWORD)
        async with Client.register(place, who, email=f"{who.username}@example.org") as client:
            await (client.new_room(title) if name == "ann" else client.join(title))
    return title
