"""`aparte demo`: people who talk on a fresh server, as the real limits let them; again, and nothing is said twice."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import OURS, Shell
from tests.support.server import Aparte, aparte

from aparte.cli.demo.cast import NAMES
from aparte.cli.demo.stage import DONE


@pytest.fixture(scope="module")
def village() -> Iterator[Aparte]:
    """A server of its own, with the limits that people have."""
    with aparte(environment={"APARTE_LIMITS": "1"}) as here:
        yield here


@pytest.fixture
def anybody(village: Aparte, tmp_path: Path) -> Shell:
    """Somebody who follows what the demonstration says at its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return Shell({**clean, "APARTE_HOME": str(tmp_path), "APARTE_SERVER": village.url}, "demo")


def titles(anybody: Shell, profile: str) -> dict[str, dict[str, Any]]:
    """Somebody's conversations by their names."""
    return {row["name"]: row for row in anybody.rows("--profile", profile, "conversations")}


def texts(anybody: Shell, profile: str, target: str) -> list[str]:
    """What is said in a conversation."""
    return [row["text"] for row in anybody.rows("--profile", profile, "history", target) if row["kind"] == "message"]


def test_a_server_is_filled_once_and_there_is_much_to_see(anybody: Shell, village: Aparte) -> None:
    [shown] = anybody.rows("demo", "--folder", str(anybody.home))
    assert [person["username"] for person in shown["people"]] == list(NAMES)
    assert shown["server"] == village.url
    password = shown["password"]
    assert len(password) > 15
    assert not any(password in path.read_text(errors="ignore") for path in anybody.home.rglob("*") if path.is_file())

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
    [again] = anybody.rows("demo", "--folder", str(anybody.home))
    assert again["password"] is None
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
