"""The machine a figure is of: without it a figure says nothing."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from aparte.bench.server import SETTINGS, Server

PACKAGES = ("aiohttp", "uvloop", "msgspec", "asyncpg")
FLUSHES = 100
PAGE = b"\0" * 8192


async def facts(server: Server) -> dict[str, str]:
    """Everything that a figure depends on, as people read it."""
    found = {
        "cores": f"{len(os.sched_getaffinity(0))} ({_processor()})",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load average at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }
    if not server.is_own:
        return {
            **found,
            "server": f"{server.url}, started by somebody else: its CPU, memory and settings are not known",
        }
    return {**found, **await _own(server)}


async def _own(server: Server) -> dict[str, str]:
    from aparte.bench import store  # noqa: PLC0415 - asyncpg is no package of the client's

    connection = await store.connect(server.admin_dsn)
    settings = await store.select_settings(connection)
    await connection.close()
    changed = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    return {
        "postgresql": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "disk": f"a flush of 8 KiB takes {_flush_ms(server):.2f} ms (median of {FLUSHES})",
        "server": f"aparte up with {len(server.groups.server)} worker(s), and {changed}",
    }


def _flush_ms(server: Server) -> float:
    """How long the disk takes to make a page durable, by its own word."""
    times = []
    with tempfile.TemporaryFile(dir=server.data) as file:
        for _ in range(FLUSHES):
            file.write(PAGE)
            file.flush()
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
