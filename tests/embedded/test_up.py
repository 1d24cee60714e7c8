"""`aparte up`: what starts, what is started again when it is killed, and what is refused."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from aparte.embedded import processes
from tests.embedded.host import Host, eventually, host

KILL = signal.SIGKILL


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """An Aparté of two workers that tests may hurt but not stop."""
    with host(tmp_path_factory.mktemp("up") / "data", workers=2) as here:
        yield here.start().wait_until_ready()


def sql(here: Host, statement: str) -> object:
    """Run a statement as the owner of the database."""

    async def run() -> object:
        connection = await asyncpg.connect(here.setting("DATABASE_ADMIN_URL"))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as pool:  # a loop of its own, beside the one of the run
        return pool.submit(asyncio.run, run()).result()


def make_administrator(here: Host) -> None:
    """What the setup page does in the end."""
    sql(
        here,
        "INSERT INTO accounts (account_id, username, email, display_name, role)"
        " VALUES (gen_random_uuid(), 'alice', 'alice@example.org', 'Alice', 'admin')",
    )


def test_the_greeting_says_where_it_is_and_how_to_become_administrator(running: Host) -> None:
    token = (running.data / "secrets" / "setup-token").read_text()
    assert f"Aparté is ready: http://127.0.0.1:{running.port}\n" in running.text
    assert f"http://127.0.0.1:{running.port}/setup#{token}\n" in running.text
    assert len(token) == 43, "256 bits in base64url"


def test_workers_share_the_port_and_are_told_all_they_need(running: Host) -> None:
    assert eventually(lambda: numbers_of_workers(running) == {"0", "1"})
    for settings in (running.get("/worker") for _ in range(10)):
        assert settings["APARTE_WORKERS"] == "2"
        assert settings["APARTE_PUBLIC_URL"] == f"http://127.0.0.1:{running.port}"
        assert len(bytes.fromhex(Path(settings["APARTE_SECRET_KEY_FILE"]).read_text())) == 32
        assert Path(settings["APARTE_SETUP_TOKEN_FILE"]).exists()


def test_secrets_are_in_closed_files_and_in_no_argument_list(running: Host) -> None:
    files = list((running.data / "secrets").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    arguments = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running.remains())
    assert b"valkey-server" in arguments
    for file in files:
        assert file.read_bytes() not in arguments


def test_valkey_keeps_nothing_on_disk(running: Host) -> None:
    assert running.get("/valkey") == {"pong": True, "maxmemory-policy": "volatile-ttl", "save": ""}
    assert list((running.data / "valkey").iterdir()) == []


def test_a_killed_worker_is_replaced(running: Host) -> None:
    pid = running.get("/worker")["pid"]
    os.kill(pid, KILL)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert eventually(lambda: len(numbers_of_workers(running)) == 2)


def numbers_of_workers(here: Host) -> set[str]:
    try:
        return {here.get("/worker")["APARTE_WORKER"] for _ in range(20)}
    except OSError:
        return set()


def test_a_killed_postmaster_is_replaced_and_its_data_is_there(running: Host) -> None:
    sql(running, "CREATE TABLE survives AS SELECT 1")
    pid = running.postmaster()
    os.kill(pid, KILL)
    assert eventually(lambda: running.postmaster() not in {0, pid} and running.answers())
    sql(running, "DROP TABLE survives")


def test_postgresql_comes_back_after_all_of_its_processes_were_killed(running: Host) -> None:
    pids = processes.working_in(running.data / "postgres")
    for pid in pids:
        os.kill(pid, KILL)
    assert eventually(lambda: running.postmaster() not in {0, *pids} and running.answers())


def test_a_killed_valkey_is_replaced_where_the_workers_look_for_it(running: Host) -> None:
    [pid] = processes.working_in(running.data / "valkey")
    os.kill(pid, KILL)
    assert eventually(lambda: running.answers("/valkey"))
    assert processes.working_in(running.data / "valkey") != [pid]


def test_a_second_start_keeps_data_and_asks_for_no_administrator_once_there_is_one(tmp_path: Path) -> None:
    with host(tmp_path / "data") as first:
        first.start().wait_until_ready()
        token = (first.data / "secrets" / "setup-token").read_text()
        make_administrator(first)
        first.send(signal.SIGTERM)
        assert first.exit_code() == 0
    with host(tmp_path / "data") as second:
        second.start().wait_until_ready()
        assert "/setup#" not in second.text
        assert not (second.data / "secrets" / "setup-token").exists()
        assert "APARTE_SETUP_TOKEN_FILE" not in second.get("/worker")
        assert sql(second, "SELECT count(*) FROM accounts WHERE role = 'admin'") == 1
        assert token not in (second.data / "logs" / "postgres.log").read_text()


def test_a_setup_link_works_for_one_run_only(tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        with host(tmp_path / "data") as here:
            texts.append(here.start().wait_until_ready().text.partition("/setup#")[2].split()[0])
            here.send(signal.SIGTERM)
            assert here.exit_code() == 0
    assert texts[0] != texts[1]


def test_a_port_in_use_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with host(tmp_path / "data") as here, socket.socket() as other:
        other.bind(("127.0.0.1", here.port))
        other.listen()
        assert here.start().exit_code() == 1
        assert here.errors() == f"Port {here.port} on 127.0.0.1 cannot be used: address already in use.\n"
        assert here.is_gone()


def test_nobody_can_take_the_port_while_it_runs(running: Host, tmp_path: Path) -> None:
    with host(tmp_path / "data") as other:
        other.arguments[other.arguments.index("--port") + 1] = str(running.port)
        assert other.start().exit_code() == 1
        assert "address already in use" in other.errors()


def test_a_data_folder_in_use_is_refused_in_one_sentence(running: Host) -> None:
    other = Host(running.data)
    assert other.start().exit_code() == 1
    assert "is in use by another Aparté" in other.errors()
    assert running.answers()
    assert other.process
    other.process.communicate()


def test_a_server_that_cannot_start_is_told_and_nothing_is_left_running(tmp_path: Path) -> None:
    with host(tmp_path / "data", environment={"WORKER_FAILS": "1"}) as here:
        assert here.start().exit_code() == 1
        assert "worker 0 ended with 3 while Aparté was starting." in here.errors()
        assert here.is_gone()
