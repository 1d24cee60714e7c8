"""The SQL around the embedded PostgreSQL: its database, the service's login, whether somebody administers it."""

import asyncio
import hashlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import Callable

import asyncpg

from aparte.embedded.errors import CannotStart

DATABASE = "aparte"
ADMIN_ROLE = "aparte_admin"
SERVICE_ROLE = "aparte_app"
SERVICE_GROUP = "aparte_service"
_SCRAM_ITERATIONS = 4096


async def ensure_database(dsn: str, alive: Callable[[], bool]) -> None:
    """Wait until PostgreSQL accepts connections, however long a recovery takes, and create `DATABASE` if it is missing.

    `dsn` names that database. Raises `CannotStart` once `alive()` says that PostgreSQL has gone, or if it does not know
    our password.
    """
    try:
        await (await _connect(dsn, alive)).close()
    except asyncpg.InvalidCatalogNameError:
        connection = await _connect(dsn, alive, database="postgres")
        try:
            await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()


async def _connect(dsn: str, alive: Callable[[], bool], database: str | None = None) -> asyncpg.Connection:
    while True:
        try:
            return await asyncpg.connect(dsn, database=database, timeout=10)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            if not alive():
                raise CannotStart("PostgreSQL stopped while it was starting; logs/postgres.log says why.") from None
        except asyncpg.InvalidPasswordError:
            raise CannotStart(
                "PostgreSQL refuses our password: secrets/ and postgres/ in the data folder do not belong together."
            ) from None
        await asyncio.sleep(0.02)


async def admit_service(dsn: str, password: str) -> bool:
    """Give the service its login, and say whether anybody administers this server yet; on the migrated database.

    Raises `CannotStart` if PostgreSQL goes away meanwhile.
    """
    try:
        connection = await asyncpg.connect(dsn)
        try:
            await ensure_service_login(connection, password)
            return await has_administrator(connection)
        finally:
            await connection.close()
    except (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
    ) as error:
        raise CannotStart(f"PostgreSQL went away while Aparté was starting: {error}") from None


async def ensure_service_login(connection: asyncpg.Connection, password: str) -> None:
    """Let the service log in with `password`, with the rights of the group that the migrations create.

    Only the SCRAM verifier travels: no statement, log or pg_stat_statements ever holds the password.
    """
    verifier = scram_verifier(password)
    async with connection.transaction():
        if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", SERVICE_ROLE):
            await connection.execute(f"CREATE ROLE {SERVICE_ROLE}")
        await connection.execute(
            f"ALTER ROLE {SERVICE_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT PASSWORD '{verifier}'"
        )
        await connection.execute(f"GRANT {SERVICE_GROUP} TO {SERVICE_ROLE}")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {SERVICE_ROLE}")


async def has_administrator(connection: asyncpg.Connection) -> bool:
    """Whether anybody administers this server yet."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT 1 FROM accounts WHERE role = 'admin' AND deleted_at IS NULL)")
    )


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for a password (RFC 5802 section 3, in the form of RFC 5803). ASCII passwords only."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
