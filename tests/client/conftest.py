"""Profiles in a folder of the test, and people who use the SDK against the server of the run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from tests.client.chains import Group
from tests.client.epochs import ANN, BOB, EVE, MY_DEVICE, Here, versions
from tests.support.server import Aparte

from aparte.client import Client, Credentials, Place
from aparte.client.profiles import Folder
from aparte.client.store import profile
from aparte.client.store.db import Store

PASSWORD = "correct horse battery staple"
Newcomer = Callable[[str], Awaitable[Client]]


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APARTE_PASSPHRASE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The empty store of somebody's profile."""
    here = Folder.of("ann", tmp_path).open(None, create=True)
    yield here
    here.close()


@pytest.fixture
def anns(store: Store) -> Store:
    """The store of Ann, on a device of hers."""
    with store.transaction() as tx:
        profile.upsert_profile(tx, "http://x", ANN.account, MY_DEVICE, "ann")
    return store


@pytest.fixture
def group() -> Group:
    """A group that Ann has made with Bob and Eve."""
    return Group.of(ANN, [BOB, EVE])


@pytest.fixture
def here(anns: Store, group: Group) -> Here:
    """Ann, who knows the first epoch."""
    made = Here(anns, group)
    made.hint(1, 3, versions(ANN, BOB, EVE))
    assert made.epoch(1, group.roster(), 1) is not None
    return made


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
