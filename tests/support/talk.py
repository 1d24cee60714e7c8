"""People who talk with the SDK: each device listens from the moment it is there and keeps what it hears and is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aparte.client import Client, Credentials, Place
from aparte.client.crypto.linking import CodeShown, Offered
from aparte.client.model import Message
from aparte.client.store import notices
from aparte.wire.ids import AccountId, ConversationId, DeviceId
from tests.support.valkey import until

PASSWORD = "correct horse battery staple"
SECONDS = 15.0


@dataclass(eq=False)
class Talker:
    """A person on one device."""

    client: Client
    place: Place
    username: str
    account: AccountId
    device: DeviceId
    doors: AsyncExitStack
    heard: list[Message] = field(default_factory=list)
    answer: Callable[[Message], Awaitable[Any]] | None = None
    """What this person does when something is heard."""
    listening: "asyncio.Task[None] | None" = None

    @property
    def name(self) -> str:
        """How others write to this person."""
        return f"@{self.username}"

    def listen(self) -> None:
        """Hear everything from here on."""
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.client.messages():
            self.heard.append(message)
            if self.answer is not None:
                await self.answer(message)

    async def leave(self) -> None:
        """Close the client; `come_back` opens it again."""
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.gather(self.listening, return_exceptions=True)
            self.listening = None
        await self.doors.aclose()

    async def come_back(self) -> None:
        """Open the client again, and listen from where it ended."""
        self.client = await self.doors.enter_async_context(Client.open(self.place))
        self.listen()

    def texts(self, conversation: str | None = None) -> list[str | None]:
        """What was said, in the order it was heard."""
        return [m.text for m in self.heard if m.text is not None and conversation in {None, m.conversation}]

    async def hears(self, *texts: str) -> None:
        """Wait until all of these were heard."""
        await self.comes(lambda: set(texts) <= set(self.texts()), f"{texts} in {self.texts()}, {self.states()}")

    async def comes(self, happens: Callable[[], bool], what: str = "") -> None:
        """Wait until something is so; whatever has ended the listening ends this too."""

        def looked() -> bool:
            if self.listening is not None and self.listening.done():
                self.listening.result()
            return happens()

        try:
            await until(looked, SECONDS)
        except BaseException as error:
            error.add_note(f"{self.username}: {what}; told {self.told()}, entries {self.states()}")
            raise

    # What the store knows: there is no other way to see that nothing came of an attack --------------------------------

    def states(self) -> list[tuple[int, str, str | None]]:
        """Seq, state and code of every sealed entry that is kept, in order."""
        with self.client._session.store.reading() as tx:
            rows = tx.rows("SELECT seq, state, code FROM sealed ORDER BY conversation_id, seq")
        return [(seq, state, code) for seq, state, code in rows]

    def refused(self) -> set[str | None]:
        """Codes of the entries that were refused."""
        return {code for _, state, code in self.states() if state == "refused"}

    def told(self) -> set[str]:
        """Codes of the notices, shown or not."""
        with self.client._session.store.reading() as tx:
            return {code for (code,) in tx.rows("SELECT code FROM notices")}

    def is_told(self) -> set[str]:
        """Codes of the notices that are still to be shown."""
        with self.client._session.store.reading() as tx:
            return {notice.code for notice in notices.select_unshown(tx)}

    def looks_at_notices(self) -> None:
        """See all notices there are; what happens again is told again."""
        with self.client._session.store.transaction() as tx:
            notices.update_shown(tx, max((notice.number for notice in notices.select_unshown(tx)), default=0))

    def named(self) -> set[str | None]:
        """Everything that went wrong here by name."""
        return {*self.refused(), *self.told()}

    def account_key(self) -> bytes:
        """The private account key, which a test may use as a thief would."""
        with self.client._session.store.reading() as tx:
            row = tx.row("SELECT account_private FROM own_keys")
        assert row is not None
        return bytes(row[0])

    def conversation_with(self, other: AccountId) -> ConversationId:
        """The id of the direct conversation with somebody, as the store has it."""
        with self.client._session.store.reading() as tx:
            row = tx.row("SELECT conversation_id FROM conversations WHERE peer_id = ?", other.bytes)
        assert row is not None
        return ConversationId(UUID(bytes=row[0]))


class Company:
    """Makes people and their devices; closes them in the end."""

    def __init__(self, stack: AsyncExitStack, home: Path, url: str) -> None:
        """Keep profiles in a folder."""
        self._stack = stack
        self._home = home
        self._url = url

    def place(self, name: str) -> Place:
        """A profile of this test by its name."""
        return Place(name, home=self._home, server=self._url, patience=15)

    async def newcomer(self, name: str) -> Talker:
        """Somebody new on a first device, who listens."""
        username = f"{name}-{uuid4().hex[:8]}"
        place, doors = self.place(username), AsyncExitStack()
        registering = Client.register(place, Credentials(username, PASSWORD), email=f"{username}@example.org")
        client = await doors.enter_async_context(registering)
        return await self._settle(client, place, username, doors)

    async def link(self, old: Talker) -> Talker:
        """Another device of somebody, with the help of one that is there."""
        place, doors = self.place(f"{old.username}-{uuid4().hex[:4]}"), AsyncExitStack()
        shown: asyncio.Queue[Offered | CodeShown] = asyncio.Queue()
        linking = Client.link(place, Credentials(old.username, PASSWORD), shown.put_nowait)
        entering = asyncio.create_task(doors.enter_async_context(linking))
        approving = asyncio.create_task(approve(old, shown))
        try:
            await asyncio.wait((entering, approving), return_when=asyncio.FIRST_EXCEPTION)
            if approving.done():
                approving.result()
            client = await entering
            await approving
        finally:
            for task in (entering, approving):
                task.cancel()
            await asyncio.gather(entering, approving, return_exceptions=True)
        return await self._settle(client, place, old.username, doors)

    async def _settle(self, client: Client, place: Place, username: str, doors: AsyncExitStack) -> Talker:
        talker = Talker(client, place, username, (await client.who_am_i()).id, client.device_id, doors)
        self._stack.push_async_callback(talker.leave)
        talker.listen()
        return talker


async def approve(old: Talker, shown: "asyncio.Queue[Offered | CodeShown]") -> None:
    """Carry over what a new device shows, as a person with both in hand does."""
    offered = await shown.get()
    assert isinstance(offered, Offered)
    answered = await old.client.keys.answer(await old.client.keys.look_at_offer(offered.text), PASSWORD)
    code = await shown.get()
    assert isinstance(code, CodeShown)
    await old.client.keys.admit(answered, code.code)


@asynccontextmanager
async def company(home: Path, url: str) -> AsyncIterator[Company]:
    """Have people at a server."""
    async with AsyncExitStack() as stack:
        yield Company(stack, home, url)
