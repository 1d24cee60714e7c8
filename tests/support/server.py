"""A whole Aparté as people start it: `aparte up` in a temporary folder, with cheap password hashes and wide limits."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 60
TESTING = {
    "APARTE_TESTING": "1",
    "APARTE_ARGON2_MEMORY_KIB": "8",
    "APARTE_ARGON2_PASSES": "1",
    "APARTE_LIMITS": "1000",
    "APARTE_LOG_LEVEL": "warning",
}


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


class Aparte:
    """One running `aparte up`."""

    def __init__(self, data: Path, *, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        """Prepare; `start` starts."""
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._workers = workers
        self._environment = {**os.environ, **TESTING, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.output = data.parent / f"{data.name}.out"

    def start(self, *arguments: str) -> None:
        """Start and wait until it is ready; without arguments, `aparte up`."""
        if not arguments:
            up = ("--port", str(self.port), "--data", str(self.data), "--workers", str(self._workers))
            arguments = ("up", *up, "--follow-parent")  # it ends with the tests, however they end
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "aparte", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,
            )
        self.await_ready()

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until `/ready` says so."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            assert self._process is None or self._process.poll() is None, self.output.read_text()[-3000:]
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"{self.url}/ready", timeout=1).status == 200:  # noqa: S310
                    return
            time.sleep(0.05)
        raise TimeoutError(self.output.read_text()[-3000:])

    def end(self) -> None:
        """Stop whatever still runs, one way or the other."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)

    def stop(self) -> int:
        """Stop in order; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def wait(self, seconds: float) -> int:
        """Wait until it has stopped; returns the exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def admin_dsn(self) -> str:
        """The maintenance role's way to the database of this server, off a worker's environment."""
        environment = Path(f"/proc/{self.children('aparte.server')[0]}/environ").read_bytes().split(b"\0")
        (found,) = [e for e in environment if e.startswith(b"DATABASE_ADMIN_URL=")]
        return found.partition(b"=")[2].decode()

    def children(self, what: str) -> list[int]:
        """Process ids of the supervisor's children whose command line contains `what`."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                status = (folder / "stat").read_text()
                parent, state = int(status.rpartition(")")[2].split()[1]), status.rpartition(")")[2].split()[0]
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if parent == self.pid and state != "Z" and what in command:
                    found.append(int(folder.name))
        return sorted(found)

    def kill(self, what: str, number: int = 0) -> int:
        """Kill one child with -9: `aparte.server`, `postgres` (all its processes) or `valkey-server`."""
        pid = self.children(what)[number]
        if what == "postgres":
            for child in descendants(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        return pid


def descendants(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    with contextlib.suppress(OSError):
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextmanager
def aparte(*, workers: int = 1, environment: dict[str, str] | None = None) -> Iterator[Aparte]:
    """A fresh Aparté that is gone afterwards, data and all."""
    folder = Path(tempfile.mkdtemp(prefix="aparte-test-"))
    folder.chmod(0o755)
    here = Aparte(folder / "data", workers=workers, environment=environment)
    try:
        here.start()
        yield here
    finally:
        here.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def served(dsns: dict[str, str], *, workers: int = 1, valkey_url: str = "redis://127.0.0.1:1") -> Iterator[Aparte]:
    """`aparte serve` on a database that is there already; by default Valkey is configured and never reachable."""
    folder = Path(tempfile.mkdtemp(prefix="aparte-test-"))
    environment = {
        **dsns,
        "VALKEY_URL": valkey_url,
        "OBJECTS_URL": (folder / "objects").as_uri(),
        "APARTE_SECRET_KEY": "0123456789abcdef" * 4,
    }
    here = Aparte(folder / "none", workers=workers, environment=environment)
    try:
        here.start("serve", "--port", str(here.port), "--workers", str(workers))
        yield here
    finally:
        here.end()
        shutil.rmtree(folder, ignore_errors=True)
