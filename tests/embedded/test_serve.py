"""`aparte serve` and `aparte migrate`: the same supervisor, with a database of somebody else's."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aparte.embedded import postgres, store
from aparte.server import migrate
from tests.embedded.host import UP, Host, eventually, host


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings that lead to a PostgreSQL without schema, and to a Valkey that is not there."""
    folder = tmp_path_factory.mktemp("serve")
    key = folder / "key"
    key.write_text("00" * 32)
    with postgres.running(folder / "data") as where:
        yield {
            "DATABASE_URL": where.service_dsn,
            "DATABASE_ADMIN_URL": where.admin_dsn,
            "VALKEY_URL": "redis://127.0.0.1:1/0",
            "OBJECTS_URL": (folder / "objects").as_uri(),
            "APARTE_SECRET_KEY_FILE": str(key),
        }


def aparte(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aparte", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def serving(here: Host, environment: dict[str, str]) -> Host:
    here.environment.update(environment)
    return here.start([*UP[:-1], "serve", "--port", str(here.port), "--workers", "2"])


def test_serve_names_the_settings_it_misses() -> None:
    clean = {
        "DATABASE_URL": "",
        "DATABASE_ADMIN_URL": "postgresql://here",
        "VALKEY_URL": "",
        "OBJECTS_URL": "",
        "APARTE_SECRET_KEY_FILE": "",
    }
    refused = aparte(clean, "serve")
    assert refused.returncode == 1
    assert refused.stderr == (
        "`aparte serve` needs DATABASE_URL, VALKEY_URL, OBJECTS_URL, APARTE_SECRET_KEY_FILE in the environment;"
        " `aparte up` needs nothing.\n"
    )


def test_the_command_line_does_without_the_server_s_packages_until_it_hosts() -> None:
    code = (
        "import sys, aparte.cli.main; sys.exit(len({'asyncpg', 'aparte.embedded', 'aparte.server'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_migrate_without_an_address_says_where_to_find_one() -> None:
    refused = aparte({"DATABASE_ADMIN_URL": ""}, "migrate", "up")
    assert refused.returncode == 1
    assert refused.stderr.startswith("DATABASE_ADMIN_URL is missing")


def test_serve_waits_for_a_migrated_schema_and_then_serves_until_it_is_stopped(
    environment: dict[str, str], tmp_path: Path
) -> None:
    names = sorted(path.name for path in migrate.MIGRATIONS.glob("*.sql"))
    with host(tmp_path) as early:
        assert serving(early, environment).exit_code() == 1
        assert early.errors() == (
            f"The database lacks {len(names)} migration(s), {names[0]} first: run `aparte migrate up`\n"
        )
    assert aparte(environment, "migrate", "status").stdout.split("\n") == [*(f"pending {name}" for name in names), ""]
    assert aparte(environment, "migrate", "up").stdout.split("\n") == [*(f"applied {name}" for name in names), ""]
    assert aparte(environment, "migrate", "up").stdout == "nothing to apply\n"
    assert aparte(environment, "migrate", "down").stdout == f"undone {names[-1]}\n"
    assert aparte(environment, "migrate", "up").stdout == f"applied {names[-1]}\n"
    password = environment["DATABASE_URL"].partition(":")[2].partition("@")[0].rpartition(":")[2]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, store.admit_service(environment["DATABASE_ADMIN_URL"], password)).result()
    with host(tmp_path) as here:
        serving(here, environment).wait_until_ready("Aparté is ready")
        assert here.get("/worker")["APARTE_WORKERS"] == "2"
        os.kill(here.get("/worker")["pid"], signal.SIGKILL)
        assert eventually(lambda: len(here.remains()) == 3), "the supervisor and two workers"
        here.send(signal.SIGTERM)
        assert here.exit_code() == 0
        assert here.remains() == []


def test_serve_refuses_a_schema_from_the_future(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "newer"
    folder.mkdir()
    for path in migrate.MIGRATIONS.glob("*.sql"):
        (folder / path.name).write_text(path.read_text())
    (folder / "9999_later.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n")
    migrate.up(environment["DATABASE_ADMIN_URL"], folder)
    with host(tmp_path) as here:
        assert serving(here, environment).exit_code() == 1
        assert "from the future: it has 9999" in here.errors()
    migrate.down(environment["DATABASE_ADMIN_URL"], folder)
