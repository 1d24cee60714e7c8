"""The two implementations as processes; the official one is installed on first use, from its lock file."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from tests.interop.party_process import ORACLE, PartyProcess


def install_oracle() -> None:
    """Put the official library into oracle/node_modules; without node there is nothing to compare with."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs node and npm: the official Signal library runs on them")
        pytest.skip("node and npm are not installed")
    if not (ORACLE / "node_modules" / "@signalapp" / "libsignal-client").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=ORACLE, check=True, timeout=240)


@pytest.fixture(scope="session")
def aparte() -> Iterator[PartyProcess]:
    """Our parties."""
    process = PartyProcess("aparte")
    yield process
    process.close()


@pytest.fixture(scope="session")
def oracle() -> Iterator[PartyProcess]:
    """The official library's parties."""
    install_oracle()
    process = PartyProcess("oracle")
    yield process
    process.close()
