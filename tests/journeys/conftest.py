"""A server that lies, when it is told to, and people who know no other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.malice import Malice, malicious
from tests.support.server import Aparte
from tests.support.talk import Company, company


@pytest.fixture
async def evil(server: Aparte) -> AsyncIterator[Malice]:
    """What stands before the server of the run: it passes everything on, and keeps what it has seen."""
    async with malicious(server.url) as here:
        yield here


@pytest.fixture
async def people(evil: Malice, tmp_path: Path) -> AsyncIterator[Company]:
    """Makes people, who know no other server."""
    async with company(tmp_path, evil.url) as here:
        yield here
