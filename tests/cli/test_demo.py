"""`make up DEMO=1`: people talk on a fresh server, as the real limits let them; again, and nothing is said twice."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import OURS, Shell
from tests.support.server import TESTING, free_port

from aparte.cli.demo.cast import NAMES
from aparte.cli.demo.stage import DONE

READY_SECONDS = 150


@dataclass(frozen=True)
class Village:
    """A server that was started with people in it, what it said, and where their profiles are."""

    url: str
    home: Path
    output: Path


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    """`make up DEMO=1`, with the limits that people have, once it says that the people talk."""
    folder, port = Path(tempfile.mkdtemp(prefix="aparte-test-")), free_port()
    folder.chmod(0o755)
    here = Village(f"http://127.0.0.1:{port}", folder / "data" / "demo", folder / "output")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    clean |= {**TESTING, "APARTE_LIMITS": "1", "PORT": str(port), "DATA": str(folder / "data"), "DEMO": "1"}
    with here.output.open("w") as out:
        process = subprocess.Popen(
            ["make", "up"], env=clean, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    ends = time.monotonic() + READY_SECONDS
    try:
        while "listen" not in here.output.read_text().partition("People are talking")[2]:
            assert process.poll() is None, here.output.read_text()[-3000:]
            assert time.monotonic() < ends, here.output.read_text()[-3000:]
            time.sleep(0.2)
        yield here
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def anybody(village: Village) -> Shell:
    """Somebody who follows what the demonstration says at its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return Shell({**clean, "APARTE_HOME": str(village.home), "APARTE_SERVER": village.url}, "demo")


def titles(anybody: Shell, profile: str) -> dict[str, dict[str, Any]]:
    """Somebody's conversations by their names."""
    return {row["name"]: row for row in anybody.rows("--profile", profile, "conversations")}


def texts(anybody: Shell, profile: str, target: str) -> list[str]:
    """What is said in a conversation."""
    return [row["text"] for row in anybody.rows("--profile", profile, "history", target) if row["kind"] == "message"]


def test_a_server_is_filled_once_and_there_is_much_to_see(anybody: Shell, village: Village) -> None:
    said = village.output.read_text()
    password = re.findall(r"shown this once: (\S{20})\n", said)[0]
    assert not any(password in path.read_text(errors="ignore") for path in village.home.rglob("*") if path.is_file())
    assert f"export APARTE_HOME={village.home}\n" in said
    [shown] = anybody.rows("demo", "--folder", str(village.home))
    assert [person["username"] for person in shown["people"]] == list(NAMES)
    assert (shown["server"], shown["password"]) == (village.url, None)

    mine = titles(anybody, "alice")
    assert {"village", "news", "Book club", "Week-end à Étretat", "Comité surprise"} <= set(mine)
    assert mine["Comité surprise"]["encryption_mode"] == "e2ee"
    assert mine["Book club"]["unread"] > 0

    square = anybody.rows("--profile", "alice", "history", "#village")
    assert any(row.get("thread") for row in square)
    assert any(row.get("reactions") for row in square)
    assert any(row.get("pinned") for row in square)
    assert anybody.rows("--profile", "alice", "held", "#village")
    assert "Non." in texts(anybody, "alice", "+Week-end à Étretat")
    assert "The library has two. One is a bit theatrical." in texts(anybody, "noor", "+Comité surprise")

    assert "Oui pour une." in texts(anybody, "alice-phone", "#village")
    anybody.run("--profile", "bob", "send", "@alice", "Are you at home?")
    assert "Are you at home?" in texts(anybody, "alice-phone", "@bob")

    before = texts(anybody, "alice", "#village"), texts(anybody, "alice", "@bob")
    (anybody.home / DONE).unlink()  # as if it had broken off just before its end
    [resumed] = anybody.rows("demo", "--folder", str(anybody.home))
    assert resumed["password"] is None
    assert (texts(anybody, "alice", "#village"), texts(anybody, "alice", "@bob")) == before
    assert len(anybody.rows("--profile", "alice", "held", "#village")) == 1


def test_names_that_somebody_has_are_said_to_be_taken(anybody: Shell, tmp_path: Path) -> None:
    """The people of the test before are on this server."""
    error = anybody.both("--json", "demo", "--folder", str(tmp_path / "others"), code=1)[1]
    assert json.loads(error.splitlines()[-1])["error"] == "username_taken"


def test_a_server_that_does_not_come_leaves_nothing_behind(anybody: Shell, tmp_path: Path) -> None:
    error = anybody.both("--json", "--server", "http://127.0.0.1:1", "demo", "--folder", str(tmp_path / "x"), code=1)[1]
    assert json.loads(error.splitlines()[-1])["error"] == "unreachable"
    assert not (tmp_path / "x").exists()
