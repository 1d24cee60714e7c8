"""Where the demonstration plays: everybody's profile below one folder, open until the end."""

import asyncio
import json
import secrets
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from aparte.cli.demo.cast import PEOPLE, Person
from aparte.client import Client, ClientError, CodeShown, Credentials, NotSignedIn, Offered, Place

AT_ONCE = 3
"""People who come in at the same time: their keys are made by the one processor of this process."""
DONE = "demo.json"


class Stage:
    """The people of a demonstration."""

    def __init__(self, stack: AsyncExitStack, home: Path, server: str) -> None:
        """Keep profiles in a folder; what is entered is left with the stack."""
        self._stack = stack
        self._home = home
        self._server = server
        self._clients: dict[str, Client] = {}
        self._new: set[str] = set()
        self.password = "-".join(secrets.token_hex(3) for _ in range(3))
        """Of everybody who is new; nobody keeps it."""

    def __getitem__(self, profile: str) -> Client:
        """The client of a profile."""
        return self._clients[profile]

    @property
    def newcomers(self) -> tuple[str, ...]:
        """Who has been registered, and so has the password."""
        return tuple(person.username for person in PEOPLE if person.username in self._new)

    async def fill(self) -> None:
        """Bring everybody in, then their second devices. Raises ClientError `username_taken` …"""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        seats = asyncio.Semaphore(AT_ONCE)

        async def enter(person: Person) -> None:
            async with seats:
                await self._enter(person)

        await asyncio.gather(*map(enter, PEOPLE))
        for person in PEOPLE:
            if person.second:
                await self._enter_second(person)

    async def _enter(self, person: Person) -> None:
        try:
            client = await self._stack.enter_async_context(Client.open(self._place(person.username)))
        except NotSignedIn as error:
            if error.code != "no_profile":
                raise
            who = Credentials(person.username, self.password, person.device)
            email = f"{person.username}@example.org"
            registering = Client.register(
                self._place(person.username), who, email=email, display_name=person.display_name
            )
            client = await self._stack.enter_async_context(registering)
            self._new.add(person.username)
            await client.change_account(bio=person.bio)
        self._clients[person.username] = client

    async def _enter_second(self, person: Person) -> None:
        with suppress(NotSignedIn):
            self._clients[person.second] = await self._stack.enter_async_context(
                Client.open(self._place(person.second))
            )
            return
        if person.username not in self._new:  # whose password nobody knows any more
            return
        shown: asyncio.Queue[Offered | CodeShown] = asyncio.Queue(2)  # an offer, then a code
        who = Credentials(person.username, self.password, person.second)
        linking = Client.link(self._place(person.second), who, shown.put_nowait)
        self._clients[person.second], _ = await asyncio.gather(
            self._stack.enter_async_context(linking), self._approve(self._clients[person.username], shown)
        )

    async def _approve(self, known: Client, shown: "asyncio.Queue[Offered | CodeShown]") -> None:
        """Carry over what a new device shows, as a person with both in hand does."""
        offered = await shown.get()
        if not isinstance(offered, Offered):
            raise ClientError("bad_offer")
        answered = await known.keys.answer(await known.keys.look_at_offer(offered.text), self.password)
        code = await shown.get()
        if not isinstance(code, CodeShown):
            raise ClientError("link_over")
        await known.keys.admit(answered, code.code)

    def _place(self, profile: str) -> Place:
        return Place(profile, home=self._home, server=self._server)


def is_done(home: Path, server: str) -> bool:
    """Tell whether the demonstration of this folder was played to its end, at this server."""
    with suppress(OSError, ValueError):
        return bool(json.loads((home / DONE).read_text())["server"] == server)
    return False


def mark_done(home: Path, server: str) -> None:
    """Remember that it was."""
    (home / DONE).write_text(json.dumps({"server": server}) + "\n")
