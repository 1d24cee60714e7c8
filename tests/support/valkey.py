"""A real Valkey that a test may stop, kill and start again on the same port."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from aparte.embedded.binaries import valkey_server

PASSWORD = "pass:word/with@signs"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One Valkey, empty at each start."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; `start` runs it."""
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address with the password, quoted as addresses are."""
        return f"valkey://:pass%3Aword%2Fwith%40signs@127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Run it until it answers."""
        self._launch()
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            await asyncio.sleep(0.01)
        raise AssertionError("Valkey does not start")

    def _launch(self) -> None:
        command = [str(valkey_server(None)), "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--requirepass", PASSWORD, "--dir", str(self._folder), "--logfile", os.devnull],
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End it as -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connected, and never answering."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    """A started Valkey, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="aparte-valkey-"))
    server = Server(folder)
    try:
        await server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def until(happens: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait until something is so; fail if it is not in time."""
    give_up = time.monotonic() + seconds
    while True:
        answer = happens()
        if answer if isinstance(answer, bool) else await answer:
            return
        if time.monotonic() > give_up:
            pytest.fail(f"did not happen within {seconds} s")
        await asyncio.sleep(0.01)
