"""A real PostgreSQL for the whole run, and a fresh database cloned from a migrated template for each test."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from aparte.embedded import postgres
from aparte.server import migrate

SERVICE_PASSWORD = "service"
_names = itertools.count(1)


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL with a migrated template database."""

    admin_dsn: str
    """The maintenance role, on database `template_aparte`."""

    def dsn(self, database: str, *, service: bool) -> str:
        """Address of a database, for the maintenance or the service role."""
        parts = urlsplit(self.admin_dsn)
        netloc = parts.netloc
        if service:
            netloc = f"aparte_app:{SERVICE_PASSWORD}@{parts.hostname}:{parts.port}"
        return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start PostgreSQL in a temporary folder, migrate the template, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="aparte-test-"))
    folder.chmod(0o755)
    try:
        with postgres.running(folder) as server:
            admin = server.admin_dsn
            here = Cluster(admin)
            migrate.up(admin)
            psql = ["psql" if not (b := postgres.binaries() / "psql").exists() else str(b), admin, "-qAtc"]
            statement = f"CREATE ROLE aparte_app LOGIN PASSWORD '{SERVICE_PASSWORD}' IN ROLE aparte_service"
            subprocess.run([*psql, statement], check=True, env={**os.environ, "LC_ALL": "C"})
            yield here
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def cloned(here: Cluster) -> AsyncIterator[str]:
    """A fresh migrated database; yields its name."""
    template = urlsplit(here.admin_dsn).path.lstrip("/")
    name = f"test_{os.getpid()}_{next(_names)}"
    admin = await asyncpg.connect(here.dsn("postgres", service=False), ssl=False)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG')
        yield name
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()
