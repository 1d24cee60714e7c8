"""Fixtures everybody uses: the cluster of the run, and a database of one's own."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from hypothesis import settings

from aparte.server.kit.db import Database
from tests.support import database, people
from tests.support.server import Aparte, aparte

# On whatever machine: how long an example takes is no property of the code.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def cluster() -> Iterator[database.Cluster]:
    """One PostgreSQL for the run."""
    with database.cluster() as here:
        yield here


@pytest.fixture
async def database_name(cluster: database.Cluster) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    async with database.cloned(cluster) as name:
        yield name


@pytest.fixture
async def db(cluster: database.Cluster, database_name: str) -> AsyncIterator[Database]:
    """The service's own view of a fresh database."""
    here = Database(cluster.dsn(database_name, service=True))
    await here.open()
    yield here
    await here.close()


@pytest.fixture
async def admin(cluster: database.Cluster, database_name: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the maintenance role to the same database."""
    connection = await asyncpg.connect(cluster.dsn(database_name, service=False), ssl=False)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Aparte]:
    """One whole Aparté for the run, for tests that bring their own people and rooms."""
    with aparte() as here:
        yield here


@pytest.fixture
async def world(server: Aparte) -> AsyncIterator[people.World]:
    """People's way to the server of the run."""
    async with people.world(server.url) as here:
        yield here


@pytest.fixture
async def server_admin(server: Aparte) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the maintenance role to the database of the server of the run."""
    connection = await asyncpg.connect(server.admin_dsn, ssl=False)
    yield connection
    await connection.close()
