"""Opening a profile: from a name to a client, with everything closed again at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from aparte.client.api import accounts
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import disappearing, linking
from aparte.client.crypto.linking import Tell
from aparte.client.errors import NotSignedIn
from aparte.client.model import Credentials
from aparte.client.profiles import Folder
from aparte.client.session import Session
from aparte.client.store import profile
from aparte.client.transport.http import Http

PATIENCE = 20.0
DEFAULT_SERVER = "http://127.0.0.1:8787"


@dataclass(frozen=True, slots=True)
class Place:
    """Which profile, where, and how to open it."""

    name: str
    passphrase: str | None = None
    """What locks the store; without one, APARTE_PASSPHRASE, else a key file beside it."""
    home: Path | None = None
    """The folder of profiles; without one, APARTE_HOME."""
    server: str | None = None
    """The server's address, when it is not where it was."""
    patience: float = PATIENCE
    """Seconds for which a request is repeated while the server does not answer."""

    def __repr__(self) -> str:
        """Keep the passphrase out of logs and tracebacks."""
        return f"Place(name={self.name!r})"


def place_of(profile: Place | str) -> Place:
    """Take a profile's name for its place."""
    return profile if isinstance(profile, Place) else Place(profile)


class Running(Protocol):
    """What is made of an open session: started, used, closed."""

    def start(self) -> None:
        """Begin what goes on beside the user's own requests."""

    async def close(self, *, confirm: bool = True) -> None:
        """End everything."""


C = TypeVar("C", bound=Running)


@asynccontextmanager
async def opened(make: Callable[[Session], C], place: Place) -> AsyncIterator[C]:
    """Open a profile that is signed in. Raises ClientError `no_profile`, `not_signed_in`, `wrong_passphrase` …"""
    async with session_at(place, create=False) as session:
        with session.store.reading() as tx:
            if profile.select_tokens(tx) is None:
                raise NotSignedIn("not_signed_in")
        async with running(make(session)) as client:
            yield client


@asynccontextmanager
async def registered(
    make: Callable[[Session], C], place: Place, who: Credentials, email: str, display_name: str | None
) -> AsyncIterator[C]:
    """Make an account, with a new profile as its first device."""
    async with session_at(place, create=True) as session:
        await accounts.register(session, who, email, display_name)
        await Rooms(session).start()
        async with running(make(session)) as client:
            yield client


@asynccontextmanager
async def logged_in(make: Callable[[Session], C], place: Place, who: Credentials) -> AsyncIterator[C]:
    """Sign in: a new profile becomes a device of the account, one that was signed in before stays the same device."""
    async with session_at(place, create=True) as session:
        await accounts.log_in(session, who)
        await Rooms(session).start()
        async with running(make(session)) as client:
            yield client


@asynccontextmanager
async def linked(make: Callable[[Session], C], place: Place, who: Credentials, tell: Tell) -> AsyncIterator[C]:
    """Become another device of an account, with the help of one that is on its list."""
    async with session_at(place, create=True) as session:
        await linking.link(session, who, tell)
        await Rooms(session).start()
        async with running(make(session)) as client:
            yield client


@asynccontextmanager
async def session_at(place: Place, *, create: bool) -> AsyncIterator[Session]:
    """Open the store of a profile and the way to its server."""
    folder = Folder.of(place.name, place.home)
    store = folder.open(place.passphrase, create=create)
    try:
        disappearing.sweep(store)
        with store.reading() as tx:
            known = profile.select_profile(tx)
        http = Http(place.server or (known.server if known else DEFAULT_SERVER))
        try:
            yield Session(http, store, folder, place.patience)
        finally:
            await http.close()
    finally:
        store.close()


@asynccontextmanager
async def running(client: C) -> AsyncIterator[C]:
    """Start a client and close it at the end; what was handed out last is confirmed unless its user failed on it."""
    client.start()
    try:
        yield client
    except BaseException:
        await client.close(confirm=False)
        raise
    await client.close()
