"""The server refuses a PostgreSQL on which its promises would be lies, in clear text (R21)."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.support.database import Cluster

from aparte.server.config import ConfigurationRefused
from aparte.server.migrate import MigrationRefused
from aparte.server.preconditions import check_database, check_setting, check_version

Connection = Any


@pytest.fixture
async def service(cluster: Cluster, database_name: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(cluster.dsn(database_name, service=True), ssl=False)
    yield connection
    await connection.close()


async def test_a_migrated_database_and_a_plain_role_are_accepted(admin: Connection, service: Connection) -> None:
    await check_database(admin, service)


async def test_a_superuser_is_no_service_role(admin: Connection) -> None:
    with pytest.raises(ConfigurationRefused, match="superuser"):
        await check_database(admin, admin)


async def test_a_role_without_the_services_rights_is_refused(
    cluster: Cluster, database_name: str, admin: Connection
) -> None:
    await admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    stranger = await asyncpg.connect(
        cluster.dsn(database_name, service=True), user="stranger", password="stranger", ssl=False
    )
    try:
        with pytest.raises(ConfigurationRefused, match="member of aparte_service"):
            await check_database(admin, stranger)
    finally:
        await stranger.close()
        await admin.execute("DROP ROLE stranger")


@pytest.mark.parametrize("level", ["off", "local", "remote_write"])
async def test_a_role_whose_commits_are_not_flushed_is_refused(
    admin: Connection, service: Connection, level: str
) -> None:
    await service.execute(f"SET synchronous_commit = {level}")
    with pytest.raises(ConfigurationRefused, match=f"synchronous_commit={level}"):
        await check_database(admin, service)


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_database_that_does_not_flush_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationRefused, match=f"{name}=off"):
        check_setting(name, "off")


def test_an_old_postgresql_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="16"):
        check_version(15)
    check_version(16)


async def test_a_schema_from_the_future_is_refused(admin: Connection, service: Connection) -> None:
    await admin.execute("INSERT INTO schema_migrations (version) VALUES ('9001')")
    with pytest.raises(MigrationRefused, match=r"future.*9001"):
        await check_database(admin, service)


async def test_a_schema_that_lacks_a_migration_is_refused(admin: Connection, service: Connection) -> None:
    await admin.execute("DELETE FROM schema_migrations WHERE version = '0003'")
    with pytest.raises(MigrationRefused, match="0003"):
        await check_database(admin, service)


async def test_an_empty_database_is_refused(admin: Connection, service: Connection) -> None:
    await admin.execute("DROP TABLE schema_migrations")
    with pytest.raises(MigrationRefused, match="migrate up"):
        await check_database(admin, service)
