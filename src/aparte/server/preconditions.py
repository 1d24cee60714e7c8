"""What must be true of PostgreSQL before this server may serve (R21): asked once at the start, refused in clear text.

An acknowledged message survives a power loss only if PostgreSQL really flushes, and the service's rights protect the
audit trail only if its role is bound by rights. A schema that this code does not know, or not yet has, is refused too.
"""

from collections.abc import Iterable
from typing import Any

from aparte.server.config import ConfigurationRefused
from aparte.server.migrate import MIGRATIONS, Status

OLDEST = 16
"""Oldest major version of PostgreSQL that is tested."""

_SETTINGS = {
    "fsync": ({"on"}, "commits would not reach the disk"),
    "full_page_writes": ({"on"}, "a page torn by a power loss could not be repaired"),
    "synchronous_commit": ({"on", "remote_apply"}, "messages would be acknowledged before they are stored"),
}


async def check_database(admin: Any, service: Any) -> None:
    """Check a connection of the maintenance role and one of the service role.

    Raises `ConfigurationRefused`, and `MigrationRefused` for the schema. The settings are asked of the service's
    connection, because a role may have its own.
    """
    check_version(service.get_server_version().major)
    for name in _SETTINGS:
        check_setting(name, await service.fetchval("SELECT current_setting($1)", name))
    role = await service.fetchrow(
        "SELECT rolname, rolsuper, pg_has_role(current_user, 'aparte_service', 'USAGE') AS serves"
        "  FROM pg_roles WHERE rolname = current_user AND to_regrole('aparte_service') IS NOT NULL"
    )
    applied: list[str] = []
    if await admin.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        applied = [row["version"] for row in await admin.fetch("SELECT version FROM schema_migrations")]
    check_schema(applied, (file.name.partition("_")[0] for file in MIGRATIONS.glob("*.sql")))
    if role is not None:
        check_role(role["rolname"], is_superuser=role["rolsuper"], serves=role["serves"])


def check_version(major: int) -> None:
    """Refuse what is older than tested."""
    if major < OLDEST:
        raise ConfigurationRefused(f"PostgreSQL {OLDEST} or newer is needed; DATABASE_URL leads to {major}.")


def check_setting(name: str, value: str) -> None:
    """Refuse a setting that makes acknowledgements lies."""
    allowed, why = _SETTINGS[name]
    if value not in allowed:
        raise ConfigurationRefused(f"PostgreSQL runs with {name}={value}, with which {why}: set {name}=on.")


def check_schema(applied: Iterable[str], packaged: Iterable[str]) -> None:
    """Refuse a schema that is not exactly the one of this code; versions are the numbers of the migration files."""
    there, ours = set(applied), set(packaged)
    Status(
        applied=tuple(sorted(there & ours)),
        pending=tuple(sorted(ours - there)),
        unknown=tuple(sorted(there - ours)),
    ).require_current()


def check_role(name: str, *, is_superuser: bool, serves: bool) -> None:
    """Refuse a service role without its rights, or with all rights."""
    if is_superuser:
        raise ConfigurationRefused(
            f"DATABASE_URL logs in as {name!r}, a superuser, whom no right binds: name a role of its own there."
        )
    if not serves:
        raise ConfigurationRefused(f"The role {name!r} of DATABASE_URL must be a member of aparte_service.")
