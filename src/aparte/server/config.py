"""The settings of one server process: read from the environment once, at the start, and never again.

A setting that is missing or makes no sense stops the start with one sentence that names it (R21). What is secret (the
key, and the addresses of the stores, which hold passwords) is never part of `repr`, of a log line or of a refusal.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

SECRET_KEY_BYTES = 32
ARGON2_KIB = 19 * 1024
"""Least memory of a password hash, with `ARGON2_PASSES` (OWASP, RFC 9106): less only with APARTE_TESTING=1."""
ARGON2_PASSES = 2

PasswordHash = Literal["argon2id", "bcrypt"]
LogLevel = Literal["debug", "info", "warning", "error"]
_Choice = TypeVar("_Choice", bound=str)
_PASSWORD_HASHES: tuple[PasswordHash, ...] = ("argon2id", "bcrypt")
_LOG_LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")


class ConfigurationRefused(Exception):
    """A setting is missing or wrong; the message is one sentence for whoever runs the server."""


@dataclass(frozen=True, slots=True)
class Argon2:
    """What a new password hash costs: memory in KiB, passes over it. One lane."""

    memory_kib: int = 65_536
    passes: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the environment decides. Times are in seconds, addresses as given."""

    database_url: str = field(repr=False)
    """The service role."""
    database_admin_url: str = field(repr=False)
    """The maintenance role: migrations and partitions."""
    valkey_url: str = field(repr=False)
    """Must be given; being reachable is never required."""
    secret_key: bytes = field(repr=False)
    """Tokens are derived from it."""
    objects: Path
    """The folder of sealed objects; every process of every machine must see the same one."""
    host: str = "127.0.0.1"
    port: int = 8787
    worker: int = 0
    """Which of the `workers` processes on this machine this is."""
    workers: int = 1
    public_url: str = ""
    """Where people reach it; empty: whatever the Host header says."""
    allowed_origins: frozenset[str] = frozenset()
    """Foreign web origins whose pages may call."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    setup_token_file: Path | None = None
    log_level: LogLevel = "info"
    limits: float = 1.0
    """Factor of every rate limit."""
    argon2: Argon2 = Argon2()
    password_hash: PasswordHash = "argon2id"  # noqa: S105 - the name of a function
    pool_size: int = 10
    """Connections of each of the process's two pools."""
    testing: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Config":
        """Read and check everything. Raises `ConfigurationRefused`."""
        here = _Environment(environ)
        workers = here.integer("APARTE_WORKERS", 1, (1, 256))
        testing = here.one_of("APARTE_TESTING", ("0", "1"), "0") == "1"
        return cls(
            database_url=here.address("DATABASE_URL", ("postgres", "postgresql")),
            database_admin_url=here.address("DATABASE_ADMIN_URL", ("postgres", "postgresql")),
            valkey_url=here.address("VALKEY_URL", ("redis", "rediss", "valkey", "valkeys", "unix")),
            secret_key=here.secret_key(),
            objects=here.folder("OBJECTS_URL"),
            host=here.text("APARTE_HOST") or "127.0.0.1",
            port=here.integer("APARTE_PORT", 8787, (1, 65_535)),
            worker=here.integer("APARTE_WORKER", 0, (0, workers - 1)),
            workers=workers,
            public_url=here.origin("APARTE_PUBLIC_URL"),
            allowed_origins=frozenset(here.origins("APARTE_ALLOWED_ORIGINS")),
            trusted_proxies=tuple(here.networks("APARTE_TRUSTED_PROXIES")),
            setup_token_file=Path(name) if (name := here.text("APARTE_SETUP_TOKEN_FILE")) else None,
            log_level=here.one_of("APARTE_LOG_LEVEL", _LOG_LEVELS, "info"),
            limits=here.factor("APARTE_LIMITS"),
            argon2=Argon2(
                here.integer("APARTE_ARGON2_MEMORY_KIB", 65_536, (8 if testing else ARGON2_KIB, 4 * 1024 * 1024)),
                here.integer("APARTE_ARGON2_PASSES", 3, (1 if testing else ARGON2_PASSES, 100)),
            ),
            password_hash=here.one_of("APARTE_PASSWORD_HASH", _PASSWORD_HASHES, "argon2id"),
            pool_size=here.integer("APARTE_POOL_SIZE", 10, (2, 200)),
            testing=testing,
        )


class _Environment:
    """The environment, each variable read by what it must be. An empty variable is a missing one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ConfigurationRefused(f"{name} is missing from the environment.")
        return value

    def integer(self, name: str, default: int, within: tuple[int, int]) -> int:
        text = self.text(name)
        if not text:
            return default
        low, high = within
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:20]) <= high:
            raise ConfigurationRefused(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)

    def factor(self, name: str) -> float:
        text = self.text(name) or "1"
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise ConfigurationRefused(f"{name} must be a number above 0, not {text!r}.")
        return value

    def one_of(self, name: str, choices: tuple[_Choice, ...], default: _Choice) -> _Choice:
        text = self.text(name).lower()
        for choice in choices:
            if text == choice:
                return choice
        if text:
            raise ConfigurationRefused(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
        return default

    def address(self, name: str, schemes: tuple[str, ...]) -> str:
        """Read the address of a store. It may hold a password, so a refusal never quotes it."""
        value = self.required(name)
        parts = _split(value)
        if parts is None or parts.scheme not in schemes:
            raise ConfigurationRefused(f"{name} must be an address that begins with {schemes[0]}://")
        return value

    def folder(self, name: str) -> Path:
        """Read the address of a folder: file:///, the one kind of store that is spoken to."""
        parts = _split(self.required(name))
        path = Path(unquote(parts.path)) if parts is not None and "%00" not in parts.path else Path()
        is_local = parts is not None and parts.scheme == "file" and parts.netloc in ("", "localhost")
        if parts is None or not (is_local and path.is_absolute() and path.name) or parts.query or parts.fragment:
            raise ConfigurationRefused(f"{name} must be the address of a folder, like file:///srv/aparte/objects.")
        return path

    def secret_key(self) -> bytes:
        file = self.text("APARTE_SECRET_KEY_FILE")
        if file and self.text("APARTE_SECRET_KEY"):
            raise ConfigurationRefused("Only one of APARTE_SECRET_KEY_FILE and APARTE_SECRET_KEY may be given.")
        if file:
            try:
                key = Path(file).read_bytes().strip()
            except OSError as error:
                raise ConfigurationRefused(
                    f"The file named in APARTE_SECRET_KEY_FILE, {file}, cannot be read: {error.strerror}."
                ) from None
        else:
            key = self.text("APARTE_SECRET_KEY").encode("utf-8", "surrogateescape")
            if not key:
                raise ConfigurationRefused("APARTE_SECRET_KEY_FILE (or APARTE_SECRET_KEY) is missing.")
        if len(key) < SECRET_KEY_BYTES:
            source = "APARTE_SECRET_KEY_FILE" if file else "APARTE_SECRET_KEY"
            raise ConfigurationRefused(
                f"The key in {source} has {len(key)} bytes; it needs {SECRET_KEY_BYTES} or more."
            )
        return key

    def origin(self, name: str) -> str:
        return next(iter(self.origins(name, most=1)), "")

    def origins(self, name: str, most: int = 100) -> list[str]:
        """Web origins: scheme, host and port, separated by commas."""
        origins = [item.strip().rstrip("/") for item in self.text(name).split(",") if item.strip()]
        for origin in origins:
            if not _is_origin(origin):
                raise ConfigurationRefused(f"{name} must hold https://host or https://host:port, not {origin!r}.")
        if len(origins) > most:
            raise ConfigurationRefused(f"{name} must hold {most} address(es) at most, not {len(origins)}.")
        return [origin.lower() for origin in origins]

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        networks = []
        for item in self.text(name).replace(",", " ").split():
            try:
                networks.append(ip_network(item))
            except ValueError:
                raise ConfigurationRefused(
                    f"{name} must hold networks like 10.0.0.0/8 or fd00::/8, not {item!r}."
                ) from None
        return networks


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # parsed when asked for
    except ValueError:
        return None
    return parts


def _is_origin(value: str) -> bool:
    parts = _split(value)
    return (
        parts is not None
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not (parts.username or parts.password or parts.path or parts.query or parts.fragment)
    )
