"""What processes cost, read from /proc: CPU time and memory of groups of processes, and of the generator itself.

Elsewhere than on Linux nothing is known and the groups stay empty.
"""

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ("generator", "server", "postgres", "valkey")


class _Status(NamedTuple):
    """The fields that are used of /proc/PID/stat (proc(5)); times in clock ticks."""

    pid: int
    parent: int
    used: int
    used_by_ended_children: int


def _status(pid: int) -> _Status | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return _Status(pid, int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))


def _everybody() -> list[_Status]:
    pids = [int(folder.name) for folder in _PROC.glob("[0-9]*")]
    return [status for pid in pids if (status := _status(pid))]


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Group:
    """Some processes and everything they started."""

    roots: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """CPU time so far, that of ended children included."""
        members = self._members()
        ticks = sum(status.used for status in members)
        return (ticks + sum(status.used_by_ended_children for status in members)) / _TICKS

    def memory_bytes(self) -> int:
        """Memory, what is shared counted in parts (PSS), or resident memory where the kernel keeps that to itself."""
        return sum(_memory(status.pid) for status in self._members())

    def __len__(self) -> int:
        return len(self.roots)

    def _members(self) -> list[_Status]:
        everybody = _everybody()
        wanted = set(self.roots)
        while more := {s.pid for s in everybody if s.parent in wanted} - wanted:
            wanted |= more
        return [status for status in everybody if status.pid in wanted]


def _busy_seconds() -> float:
    """CPU time of the whole machine so far, what its host took away included (/proc/stat, proc(5))."""
    try:
        fields = (_PROC / "stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields)
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _memory(pid: int) -> int:
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = (_PROC / str(pid) / name).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True)
class Groups:
    """The processes of one `aparte up`."""

    server: Group = Group(())
    postgres: Group = Group(())
    valkey: Group = Group(())

    @classmethod
    def below(cls, supervisor: int) -> "Groups":
        """Tell the children of a supervisor apart by their command lines."""
        children = [s.pid for s in _everybody() if s.parent == supervisor]

        def of(word: str) -> Group:
            return Group(tuple(pid for pid in children if word in _command(pid)))

        return cls(of("aparte.server"), of("postgres"), of("valkey"))


@dataclass(slots=True)
class Cost:
    """CPU seconds since the start, by whose they are, and how long that took by the clock.

    `others` is what the machine did besides: figures of a machine that others use are no figures of this program.
    """

    groups: Groups
    helpers: Group = Group(())
    """Further processes of the generator."""
    _start: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to count."""
        self._start = self._read()

    def spent(self) -> dict[str, float]:
        """`seconds`, and CPU seconds of `generator`, `server`, `postgres`, `valkey` and `others` since the start."""
        now = self._read()
        spent = {name: now[name] - self._start[name] for name in now}
        spent["others"] = max(0.0, spent.pop("busy") - sum(spent[part] for part in PARTS))
        return spent

    def _read(self) -> dict[str, float]:
        own = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "seconds": time.monotonic(),
            "busy": _busy_seconds(),
            "generator": own.ru_utime + own.ru_stime + self.helpers.cpu_seconds(),
            "server": self.groups.server.cpu_seconds(),
            "postgres": self.groups.postgres.cpu_seconds(),
            "valkey": self.groups.valkey.cpu_seconds(),
        }
