"""Canaries: words that must be found nowhere, in any of the forms in which bytes leave traces."""

import base64
import contextlib
import os
import re
import secrets
import string
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from aparte.embedded import postgres
from tests.support.server import descendants

CHUNK = 1 << 24


def canary() -> str:
    """20 random letters and digits, as many as a reaction may have."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(20))


def forms(word: str) -> tuple[bytes, ...]:
    """A word as it may be stored: as it is, of wide characters, in hex, in base64 at any of three places."""
    raw = word.encode()
    found = [raw, word.encode("utf-16-le"), word.encode("utf-32-le"), raw.hex().encode(), raw.hex().upper().encode()]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        found.append(encoded[4 if before else 0 : len(encoded) // 4 * 4 - 4])
    return tuple(dict.fromkeys(found))


def in_bytes(wanted: tuple[bytes, ...], data: bytes) -> bool:
    """Whether it stands in there."""
    return any(form in data for form in wanted)


def in_files(wanted: tuple[bytes, ...], *folders: Path) -> list[str]:
    """Files below these folders (or these files) that hold it."""
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and in_bytes(wanted, file.read_bytes()):
                    found.append(str(file))
    return found


def in_dump(wanted: tuple[bytes, ...], dsn: str) -> bool:
    """Whether it stands in a dump of the whole database."""
    program = postgres.binaries() / "pg_dump"
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    dumped = subprocess.run([str(program), dsn], check=True, capture_output=True, env=environment)
    assert b"CREATE TABLE public.messages" in dumped.stdout
    return in_bytes(wanted, dumped.stdout)


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    return [pid, *(one for child in descendants(pid) for one in family(child))]


def in_memory(pids: Iterable[int], *words: tuple[bytes, ...]) -> list[set[int]]:
    """For each word, the processes in whose memory it stands; what they share is searched in the first alone."""
    found: list[set[int]] = [set() for _ in words]
    shared: set[str] = set()
    for pid in pids:
        for part in memory(pid, shared):
            for number, wanted in enumerate(words):
                if pid not in found[number] and in_bytes(wanted, part):
                    found[number].add(pid)
    return found


def memory(pid: int, shared: set[str]) -> Iterator[bytes]:
    """All that a process has in memory but its programs' files, in parts that overlap a little."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except FileNotFoundError:
        return  # it has ended meanwhile
    ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) r(.).(.) \S+ (\S+ \d+)", maps, re.MULTILINE)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for low, high, writes, kind, file in ranges:
            if writes != "w" or (kind == "s" and file in shared):
                continue
            if kind == "s":
                shared.add(file)
            for start in range(int(low, 16), int(high, 16), CHUNK):
                with contextlib.suppress(OSError, ValueError):
                    mem.seek(start)
                    yield mem.read(min(CHUNK + 256, int(high, 16) - start))
