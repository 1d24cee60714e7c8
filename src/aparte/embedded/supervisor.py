"""Keeps a whole Aparté running on this machine: PostgreSQL, Valkey and the server's workers, or the workers alone.

It starts them in order, watches them, and stops them in the opposite order: first the workers, which finish what they
do, then Valkey, then PostgreSQL. A start that fails stops what it had started and says why.
"""

import asyncio
import http.client
import logging
import os
import resource
import secrets
import shlex
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from aparte.embedded import postgres, store, valkey
from aparte.embedded.children import Child, Step
from aparte.embedded.errors import CannotStart
from aparte.embedded.folder import DataFolder
from aparte.embedded.launch import Program
from aparte.embedded.stopping import Stop
from aparte.server import migrate

SERVER = (sys.executable, "-P", "-m", "aparte.server")
READY_SECONDS = 60
# Two pools of ten, the look-round, and room for maintenance; the default of APARTE_POOL_SIZE.
WORKER_CONNECTIONS = 30
# Names of files in secrets/.
SETUP_TOKEN = "setup-token"  # noqa: S105 - see above
SECRET_KEY = "secret-key"  # noqa: S105 - see above
ENVIRONMENT = "environment"

_log = logging.getLogger(__name__)

# Workers drain for at most 10 s; PostgreSQL may have much to write.
_STOP_WORKER = (Step(signal.SIGTERM, 15), Step(signal.SIGKILL, 5))
_STOP_WORKER_SOON = (Step(signal.SIGTERM, 5), Step(signal.SIGKILL, 5))
_STOP_VALKEY = (Step(signal.SIGTERM, 5), Step(signal.SIGKILL, 5))
_STOP_POSTGRES = (Step(signal.SIGINT, 60), Step(signal.SIGQUIT, 10), Step(signal.SIGKILL, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The server's workers: where they listen, how many, and their settings beside those of our own environment."""

    host: str
    port: int
    workers: int
    public_url: str
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = SERVER

    def worker(self, number: int) -> Program:
        """The program of one worker; numbers count from 0. If we are killed it dies at once: its database goes too."""
        settings = {
            "APARTE_HOST": self.host,
            "APARTE_PORT": str(self.port),
            "APARTE_WORKER": str(number),
            "APARTE_WORKERS": str(self.workers),
            "APARTE_PUBLIC_URL": self.public_url,
        }
        return Program(
            name=f"worker {number}",
            arguments=self.command,
            environment={"APARTE_LOG_LEVEL": "info", **os.environ, **self.environment, **settings},
            folder=Path.cwd(),
        )


async def serve(service: Service, stop: Stop, on_ready: Callable[[], None]) -> None:
    """Run the workers alone until `stop`. Raises `CannotStart`."""

    async def bring_up(children: AsyncExitStack) -> None:
        await _start_workers(service, stop, children)
        on_ready()

    with _reserved(service.host, service.port):
        await _until_stopped(stop, bring_up)


async def up(data: DataFolder, service: Service, stop: Stop, on_ready: Callable[[str | None], None]) -> None:
    """Run everything until `stop`; `on_ready` gets the setup token if nobody administers this server yet.

    Raises `CannotStart`, and `MigrationRefused` for the schema.
    """

    async def bring_up(children: AsyncExitStack) -> None:
        engines, environment = await _start_engines(data, max(200, service.workers * WORKER_CONNECTIONS), children)
        await migrate.apply(environment["DATABASE_ADMIN_URL"])
        token = await _admit_service(data, environment["DATABASE_ADMIN_URL"])
        if token:
            environment["APARTE_SETUP_TOKEN_FILE"] = str(data.secrets / SETUP_TOKEN)
        equipped = replace(service, environment={**service.environment, **environment})
        await _start_workers(equipped, stop, children, engines)
        on_ready(token)

    with _reserved(service.host, service.port):
        await _until_stopped(stop, bring_up)


async def _until_stopped(stop: Stop, bring_up: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
    """Bring everything up, wait for `stop`, and stop in the opposite order what runs; `stop` may come at any time."""
    _allow_many_files()
    async with AsyncExitStack() as children:
        starting = asyncio.ensure_future(bring_up(children))
        stopping = asyncio.create_task(stop.requested.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


async def _start_engines(
    data: DataFolder, connections: int, children: AsyncExitStack
) -> tuple[list[Child], dict[str, str]]:
    """Start PostgreSQL and, while it starts, Valkey; return both, and the settings that lead the server to them."""
    where, valkey_port = postgres.address(data), postgres.free_port()
    await asyncio.to_thread(postgres.prepare, data)
    await asyncio.to_thread(postgres.clear_after_crash, data)
    database = Child(
        await asyncio.to_thread(postgres.program, data, where.port, connections),
        clear=lambda: postgres.clear_after_crash(data),
    )
    children.push_async_callback(database.stop, _STOP_POSTGRES)
    await database.start()
    cache = Child(await asyncio.to_thread(valkey.program, data, valkey_port))
    children.push_async_callback(cache.stop, _STOP_VALKEY)
    await cache.start()
    await postgres.await_ready(where, lambda: database.alive)
    if not await valkey.answers(valkey_port, seconds=5):
        _log.warning("Valkey does not answer; the server works without it and gets it when it comes")
    environment = {
        "DATABASE_URL": where.service_dsn,
        "DATABASE_ADMIN_URL": where.admin_dsn,
        "VALKEY_URL": valkey.url(data, valkey_port),
        "OBJECTS_URL": data.objects.as_uri(),
        "APARTE_SECRET_KEY_FILE": str(data.secret_file(SECRET_KEY, lambda: secrets.token_hex(32))),
    }
    data.write_secret(
        ENVIRONMENT, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    )
    return [database, cache], environment


async def _admit_service(data: DataFolder, dsn: str) -> str | None:
    """Let the service log in; make a setup token if nobody administers this server yet, else remove the old one."""
    if await store.admit_service(dsn, data.secret(postgres.SERVICE_PASSWORD)):
        (data.secrets / SETUP_TOKEN).unlink(missing_ok=True)
        return None
    token = secrets.token_urlsafe(32)
    data.write_secret(SETUP_TOKEN, token)
    return token


async def _start_workers(service: Service, stop: Stop, children: AsyncExitStack, engines: Sequence[Child] = ()) -> None:
    """Start the workers, wait until the server says that it is ready, and from then on keep everything running."""
    workers = [Child(service.worker(number)) for number in range(service.workers)]
    children.push_async_callback(_stop_workers, workers, stop)
    for worker in workers:
        await worker.start()
    everything = [*engines, *workers]
    give_up = time.monotonic() + READY_SECONDS
    while not await asyncio.to_thread(_ready, service.host, service.port):
        for child in everything:
            if not child.alive:
                raise CannotStart(f"{child.program.name} ended with {child.exit_code} while Aparté was starting.")
        if time.monotonic() > give_up:
            raise CannotStart(f"The server is not ready after {READY_SECONDS} seconds; its messages are above.")
        await asyncio.sleep(0.05)
    for child in everything:
        child.keep()


async def _stop_workers(workers: Sequence[Child], stop: Stop) -> None:
    steps = _STOP_WORKER_SOON if stop.deserted else _STOP_WORKER
    await asyncio.gather(*(worker.stop(steps, stop.hurry) for worker in workers))


def _ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=2)  # noqa: S104 - compared, not bound
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _reserved(host: str, port: int) -> Iterator[None]:
    """Hold the port, so that nobody else takes it while a worker is away. Raises `CannotStart` if somebody has it.

    Workers share a port with SO_REUSEPORT. Whoever binds it without that option is refused as long as anybody is bound:
    the first socket below asks, the second, which never listens and so gets no connection, answers others.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as question, socket.socket(family) as claim:
        try:
            question.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that were closed do not count
            question.bind((host, port))
            question.close()
            claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            claim.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).lower()}."
            ) from None
        yield


def _allow_many_files() -> None:
    """Each connection is an open file, and the usual soft limit is 1,024: children inherit the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
