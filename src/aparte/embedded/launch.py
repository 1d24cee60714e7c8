"""Starts a child that cannot outlive this process, as another user where PostgreSQL insists on one.

A child is reached through a small program of our own interpreter: still with our rights it enters its working folder,
gives up root, asks the kernel for a signal at our death, and becomes the real program. The order matters: a change of
uid clears the death signal, and folders above the data folder may be closed to the service user. The kernel counts the
*thread* that forked as the parent, so children are started from threads that live as long as the process.
"""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aparte.embedded.errors import CannotStart

DEFAULT_SERVICE_USER = "nobody"

# Arguments: our pid, the death signal, uid and gid ("-" to stay who we are), the program and its arguments.
# 1 is PR_SET_PDEATHSIG (prctl(2)). The parent may have died before prctl: hence the comparison after it.
_BECOME = """
import ctypes, os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)  # ours may have been started with some ignored
parent, death, uid, gid, *program = sys.argv[1:]
if uid != "-":
    os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))
if sys.platform == "linux":
    if ctypes.CDLL(None).prctl(1, int(death)) != 0 or os.getppid() != int(parent):
        os._exit(125)
try:
    os.execv(program[0], program)
except OSError as error:
    print(f"{program[0]}: {error.strerror}", file=sys.stderr)
    os._exit(126)
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The system user a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program to start: what, where, as whom.

    `input` is what it reads from standard input, `log` the file its output is appended to (None: our standard error).
    """

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    identity: Identity | None = None
    death_signal: signal.Signals = signal.SIGKILL
    input: bytes = b""
    log: Path | None = None

    def command(self) -> list[str]:
        """The full argument list, for a start by the calling process."""
        uid, gid = (str(self.identity.uid), str(self.identity.gid)) if self.identity else ("-", "-")
        become = [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), str(int(self.death_signal)), uid, gid]
        return [*become, *self.arguments]

    @contextmanager
    def streams(self) -> Iterator[dict[str, Any]]:
        """The options of `Popen` beside the command; the files are open inside the context only.

        Standard input is an anonymous file that the child's user may open again (`/dev/stdin`), which a pipe is not.
        """
        with ExitStack() as stack:
            content = stack.enter_context(tempfile.TemporaryFile())
            content.write(self.input)
            content.seek(0)
            if self.identity:
                os.fchown(content.fileno(), self.identity.uid, self.identity.gid)
            output: Any = stack.enter_context(self.log.open("ab")) if self.log else 2
            yield {
                "stdin": content,
                "stdout": output,
                "stderr": output,
                "env": self.environment,
                "cwd": self.folder,
                "start_new_session": True,
            }


def start(program: Program) -> subprocess.Popen[bytes]:
    """Start the program as a child of this process."""
    with program.streams() as options:
        return subprocess.Popen(program.command(), **options)


def service_identity(folder: Path) -> Identity | None:
    """Whom PostgreSQL and Valkey run as: ourselves, unless we are root, whom PostgreSQL refuses to serve.

    An existing `folder` keeps its owner, so that a changed setting cannot lock the data out.
    """
    if os.geteuid() != 0:
        return None
    name = os.environ.get("APARTE_SERVICE_USER", DEFAULT_SERVICE_USER)
    try:
        owner = folder.stat().st_uid if folder.exists() else 0
        user = pwd.getpwuid(owner) if owner else pwd.getpwnam(name)
    except KeyError:
        raise CannotStart(
            f"There is no system user for {folder}: name an existing one in APARTE_SERVICE_USER (now {name!r})."
        ) from None
    if user.pw_uid == 0:
        raise CannotStart("APARTE_SERVICE_USER must not be root: PostgreSQL refuses to run as root.")
    return Identity(user.pw_uid, user.pw_gid)
