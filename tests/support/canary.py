"""Canaries: words that must be found nowhere, in any of the forms in which bytes leave traces."""

import base64
import contextlib
import os
import re
import secrets
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

from aparte.embedded import postgres
from tests.support.server import descendants

CHUNK = 1 << 24


def canary() -> str:
    """24 random letters and digits, as they stand in base64 too."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))


def forms(word: str) -> re.Pattern[bytes]:
    """A word as it may be stored: as it is, of wide characters, in hex, in base64 at any of three places."""
    raw = word.encode()
    found = [raw, word.encode("utf-16-le"), word.encode("utf-32-le"), raw.hex().encode(), raw.hex().upper().encode()]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        found.append(encoded[4 if before else 0 : len(encoded) // 4 * 4 - 4])
    return re.compile(b"|".join(re.escape(form) for form in found))


def in_bytes(pattern: re.Pattern[bytes], data: bytes) -> bool:
    """Whether it stands in there."""
    return pattern.search(data) is not None


def in_files(pattern: re.Pattern[bytes], *folders: Path) -> list[str]:
    """Files below these folders (or these files) that hold it."""
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and in_bytes(pattern, file.read_bytes()):
                    found.append(str(file))
    return found


def in_dump(pattern: re.Pattern[bytes], dsn: str) -> bool:
    """Whether it stands in a dump of the whole database."""
    program = postgres.binaries() / "pg_dump"
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    dumped = subprocess.run([str(program), dsn], check=True, capture_output=True, env=environment)
    assert b"CREATE TABLE public.messages" in dumped.stdout
    return in_bytes(pattern, dumped.stdout)


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    return [pid, *(one for child in descendants(pid) for one in family(child))]


def in_memory(pattern: re.Pattern[bytes], pid: int) -> bool:
    """Whether it stands in the memory of a process."""
    return any(in_bytes(pattern, part) for part in memory(pid))


def memory(pid: int) -> Iterator[bytes]:
    """All that a process can read of its memory, in parts that overlap a little."""
    ranges = re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+ *(\S*)", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE
    )
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for low, high, name in ranges:
            if name in {"[vvar]", "[vsyscall]"}:
                continue
            for start in range(int(low, 16), int(high, 16), CHUNK):
                with contextlib.suppress(OSError, ValueError):
                    mem.seek(start)
                    yield mem.read(min(CHUNK + 256, int(high, 16) - start))
