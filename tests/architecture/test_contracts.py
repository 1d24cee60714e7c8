"""The contracts of `.importlinter` can fail: each is shown a violation in a copy of the package.

A contract that nothing can break is a comment. They drift easily: a slice that is not listed is not looked at.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT, SERVER
from tests.architecture.test_slices import NO_SLICES, SLICES

PLANTED = {
    "Parts": ("client/errors.py", "from aparte.server.kit import clock"),
    "Ranks": ("server/accounts/rules.py", "from aparte.server.messages import model"),
    "Inside a slice": ("server/messages/rules.py", "from aparte.server.messages import store"),
    "The edge": ("server/realtime/socket.py", "from aparte.server.log import model"),
    "aiohttp stays": ("server/receipts/actions.py", "import aiohttp"),
}


def lint(folder: Path) -> str:
    """Check the package in a folder; gives what the tool said."""
    command = [
        Path(sys.executable).with_name("lint-imports"),
        "--no-cache",
        "--no-logo",
        "--config",
        ROOT / ".importlinter",
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "src" / "aparte", folder / "aparte", ignore=shutil.ignore_patterns("__pycache__"))
    for name, line in PLANTED.values():
        path = folder / "aparte" / name
        path.write_text(f"{path.read_text()}\n{line}\n")
    return " ".join(lint(folder).split())


def test_they_are_kept() -> None:
    said = lint(ROOT / "src")
    assert " 0 broken" in said, said


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_breaks_its_contract(broken: str, contract: str) -> None:
    verdict = re.search(rf"{contract}[^.]*?(KEPT|BROKEN)", broken)
    assert verdict is not None, broken
    assert verdict.group(1) == "BROKEN"


def test_every_slice_is_looked_at() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    inside = set(contracts["importlinter:contract:inside"]["containers"].split())
    assert inside == {f"aparte.server.{name}" for name in SLICES}
    forbidden = set(contracts["importlinter:contract:edges"]["forbidden_modules"].split())
    assert forbidden == inside
    folders = {path.parent.name for path in SERVER.glob("*/__init__.py")}
    without_aiohttp = set(contracts["importlinter:contract:http_library"]["source_modules"].split())
    assert {f"aparte.server.{name}" for name in folders - {"edge", "realtime"}} <= without_aiohttp
    assert set(PLANTED) == {
        next(start for start in PLANTED if contracts[section]["name"].startswith(start))
        for section in contracts.sections()
        if ":contract:" in section
    }
    assert {"edge", "realtime", "openapi", "kit"} <= NO_SLICES
