"""The people of a measurement: accounts with one device each, and the rooms they are in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from aparte.bench import keys
from aparte.bench.rest import Connection, connections, request
from aparte.wire.accounts import NewDevice, Register, Tokens
from aparte.wire.conversations import Conversation, NewConversation
from aparte.wire.ids import AccountId, ConversationId, DeviceId

AT_ONCE = 16
PASSWORD = "a password of the benchmark"  # noqa: S105 - of accounts that live for a minute

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on one device, signed in."""

    account: AccountId
    device: DeviceId
    token: str = field(repr=False)


def name_of(account: AccountId) -> str:
    """The user name of an account of the crowd."""
    return f"bench_{account.hex}"


class Crowd:
    """Makes people and rooms, a few requests at once."""

    def __init__(self, url: str, free: Sequence[Connection]) -> None:
        """Ask over these connections."""
        self.url = url
        self._free = list(free)
        self._places = asyncio.Semaphore(len(free))

    async def people(self, count: int) -> list[Person]:
        """Register accounts."""
        return await self.each(range(count), lambda connection, _: self._register(connection))

    async def rooms(self, members: Sequence[Sequence[Person]]) -> list[ConversationId]:
        """Make a room for each of these lists; the first of a list owns it, the others join."""
        made = await self.each(members, self._make)
        joins = [(room, person) for room, people in zip(made, members, strict=True) for person in people[1:]]
        await self.each(joins, self._join)
        return made

    async def each(self, items: Iterable[T], what: Callable[[Connection, T], Awaitable[R]]) -> list[R]:
        """Do something with each of these, a few at once."""

        async def one(item: T) -> R:
            async with self._places:
                connection = self._free.pop()
                try:
                    return await what(connection, item)
                finally:
                    self._free.append(connection)

        return await asyncio.gather(*(one(item) for item in items))

    async def _register(self, connection: Connection) -> Person:
        account, device = AccountId(uuid4()), DeviceId(uuid4())
        name = name_of(account)
        body = Register(
            account_id=account,
            device=NewDevice(device, "generator"),
            username=name,
            password=PASSWORD,
            keys=keys.first(account, device),
            email=f"{name}@example.org",
        )
        answer = await connection.ask(request(self.url, "POST", "/accounts", body))
        tokens = answer.read(Tokens)
        return Person(tokens.account_id, tokens.device_id, tokens.access_token)

    async def _make(self, connection: Connection, members: Sequence[Person]) -> ConversationId:
        body = NewConversation("room", f"bench {uuid4().hex}")
        answer = await connection.ask(request(self.url, "POST", "/conversations", body, members[0].token))
        return answer.read(Conversation).id

    async def _join(self, connection: Connection, join: tuple[ConversationId, Person]) -> None:
        room, person = join
        answer = await connection.ask(request(self.url, "POST", f"/conversations/{room}/join", token=person.token))
        answer.read(Conversation)


@asynccontextmanager
async def crowd(url: str) -> AsyncIterator[Crowd]:
    """A crowd at a server."""
    async with connections(url, AT_ONCE) as opened:
        yield Crowd(url, opened)
