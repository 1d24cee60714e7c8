"""The server that is measured: one that runs already, or an `aparte up` of our own in a temporary folder.

Our own has real durability (fsync on) and everything else as people run it, with two exceptions that are part of every
report: password hashes are cheap, so that thousands of accounts can be made, and rate limits are raised.
"""

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aparte.bench.processes import Groups
from aparte.bench.websocket import UnexpectedAnswer

READY_SECONDS = 90.0
STOP_SECONDS = 60.0
SETTINGS = {
    "APARTE_TESTING": "1",
    "APARTE_ARGON2_MEMORY_KIB": "8",
    "APARTE_ARGON2_PASSES": "1",
    "APARTE_LIMITS": "100000",
    "APARTE_LOG_LEVEL": "warning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which server to measure: the one at `url`, or one of our own."""

    url: str = ""
    workers: int = 1
    folder: Path | None = None
    """Where the temporary data folder is made."""
    slow_flush_ms: float = 0.0
    """Milliseconds added to each flush of the database's log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready. Of a foreign one only the address is known."""

    url: str
    groups: Groups = field(default_factory=Groups)
    admin_dsn: str = field(default="", repr=False)
    data: Path | None = None

    @property
    def is_own(self) -> bool:
        """Whether we started it and may look inside."""
        return bool(self.admin_dsn)


@asynccontextmanager
async def serving(wanted: Wanted) -> AsyncIterator[Server]:
    """A server, as long as the context lasts; nothing of our own is left behind."""
    if wanted.url:
        yield Server(wanted.url.rstrip("/"))
        return
    folder = Path(tempfile.mkdtemp(prefix="aparte-bench-", dir=wanted.folder))
    try:
        process, url = await _started(wanted, folder)
        try:
            yield await _equipped(wanted, Server(url, Groups.below(process.pid), _admin_dsn(folder), folder / "data"))
        finally:
            await _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _started(wanted: Wanted, folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    from aparte.embedded.postgres import free_port  # noqa: PLC0415 - a foreign server is measured without these packages

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["up", "--port", str(port), "--data", str(folder / "data"), "--workers", str(wanted.workers)]
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aparte", *arguments, "--follow-parent"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **SETTINGS},
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(_is_ready, url):
                if process.returncode is not None:
                    raise UnexpectedAnswer(f"aparte up ended: {(folder / 'output').read_text()[-2000:]}")
                await asyncio.sleep(0.05)
    except BaseException:
        await _stop(process)
        raise
    return process, url


async def _equipped(wanted: Wanted, server: Server) -> Server:
    if wanted.slow_flush_ms:
        from aparte.bench import store  # noqa: PLC0415 - asyncpg is no package of the client's

        connection: Any = await store.connect(server.admin_dsn)
        await store.slow_flushes(connection, round(wanted.slow_flush_ms * 1000))
        await connection.close()
    return server


def _admin_dsn(folder: Path) -> str:
    words = shlex.split((folder / "data" / "secrets" / "environment").read_text())
    return dict(word.split("=", 1) for word in words if "=" in word)["DATABASE_ADMIN_URL"]


def _is_ready(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/ready", timeout=2) as answer:  # noqa: S310 - http://127.0.0.1
        return bool(answer.status == 200)
    return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
