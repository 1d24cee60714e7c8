"""Profiles in a folder of the test, and people who use the SDK against the server of the run."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.server import Aparte

from aparte.client import Client, Credentials, Place

PASSWORD = "correct horse battery staple"
Newcomer = Callable[[str], Awaitable[Client]]


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)


@pytest.fixture
def tag() -> str:
    """Makes names of this test unlike those of others, which share the server."""
    return uuid4().hex[:8]


@pytest.fixture
def place(server: Aparte, tmp_path: Path) -> Callable[[str], Place]:
    """A profile of this test by its name."""
    return lambda name: Place(name, home=tmp_path, server=server.url, patience=15)


@pytest.fixture
async def newcomer(place: Callable[[str], Place], tag: str) -> AsyncIterator[Newcomer]:
    """Register somebody; their client is open until the test ends."""
    async with AsyncExitStack() as stack:

        async def register(name: str) -> Client:
            who = Credentials(f"{name}-{tag}", PASSWORD)
            return await stack.enter_async_context(Client.register(place(name), who, email=f"{name}-{tag}@example.org"))

        yield register
