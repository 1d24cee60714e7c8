"""Keeps the profile's copy of the logs up to date over the gateway: connects, carries out the synchronisation's steps,
comes back after every kind of end.

One process of the profile at a time has the gateway, by a lock that ends with it; the others wait for the lock and
read what that one stores. The server lets one gateway per device be open, so two would throw each other out.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable

from aparte.client import local_log
from aparte.client.api.conversations import Rooms
from aparte.client.core import checks, retry
from aparte.client.core.acks import INTERVAL, Acks
from aparte.client.core.steps import Append, Ask, Leave, LookUp, Pause, PutMarker, PutStates, Reset, Step
from aparte.client.core.sync import NOT_OURS, BrokenLog, Sync
from aparte.client.crypto import arriving, removed, scheduling
from aparte.client.crypto.mailbox import Mailbox
from aparte.client.errors import SIGN_IN_CODES, ClientError, Unreachable
from aparte.client.locks import Lock
from aparte.client.session import Session
from aparte.client.store import conversations, profile
from aparte.client.transport.socket import Closed, Socket, connect
from aparte.wire import limits
from aparte.wire.frames import Ack, Close, Error, FromServer, Hello, Typing, Waiting, Welcome
from aparte.wire.ids import ConversationId, Position
from aparte.wire.messages import Entry

FOLLOWER_SECONDS = 1.0
"""How often a process without the gateway looks whether it can have it."""
REPLACED_SECONDS = 60.0
"""How long to wait after another program of the same device took the gateway."""
ANSWER_SECONDS = 30.0
"""How long the server may take for `welcome`, or for any answer while something is asked for."""
OPENED_AT_ONCE = 4
"""How many sealed entries are opened in one transaction: what waits for it waits a few milliseconds."""
FEWEST = 20
"""The smallest page of entries, for a line so slow that larger ones end it."""

_random = random.SystemRandom()


class Gateway:
    """The profile's live line to the server."""

    def __init__(self, session: Session, rooms: Rooms, on_change: Callable[[], None]) -> None:
        """Prepare; `run` connects. `on_change` is called whenever the store has got something new."""
        self._session = session
        self._rooms = rooms
        self._on_change = on_change
        self._socket: Socket | None = None
        self._sync: Sync | None = None
        self._mailbox = Mailbox(session, on_change)
        self._acks = Acks()
        self._page = limits.PAGE_ENTRIES
        self.connected = asyncio.Event()
        """Set while the gateway is open."""

    @property
    def remaining(self) -> int:
        """How many entries are known to be missing here still."""
        return self._sync.remaining if self._sync else 0

    async def run(self) -> None:
        """Stay connected for as long as this is not cancelled. Raises NotSignedIn, and what no waiting helps."""
        lock = Lock(self._session.folder.lock("gateway"))
        await lock.take(FOLLOWER_SECONDS)
        try:
            await self._rooms.start()
            await self._keep_open()
        finally:
            lock.release()

    async def type_in(self, frame: Typing) -> None:
        """Whisper that the person is writing."""
        if self._socket is not None:
            await self._socket.send(frame)

    async def _keep_open(self) -> None:
        attempt = 0
        while True:
            wait: float | None = None
            try:
                await self._once()
            except Closed as closed:
                wait = await self._after(closed)
            except ClientError as error:
                if not retry.is_transient(error):
                    raise
                wait = None if error.retry_after is None else retry.delay(0, _random.random(), error.retry_after)
            except (BrokenLog, TimeoutError):
                pass
            attempt = 0 if self.connected.is_set() else attempt + 1
            self.connected.clear()
            self._sync = None
            await asyncio.sleep(retry.delay(attempt, _random.random()) if wait is None else wait)

    async def _after(self, closed: Closed) -> float | None:
        """Give the seconds to wait after a close, or None for the usual. Raises NotSignedIn."""
        if closed.code == Close.RESTART and closed.reason.isdecimal():
            return min(int(closed.reason) / 1000, retry.CAP)
        if closed.code == Close.REPLACED:
            return REPLACED_SECONDS * (0.5 + _random.random())
        if closed.code == Close.OVERLOADED:
            self._page = max(FEWEST, self._page // 2)
        return None

    async def _once(self) -> None:
        """Have one connection, from opening to end. Raises Closed, or what ended it."""
        token = await self._session.access_token()
        socket = await connect(self._session.http)
        try:
            welcome = await self._greet(socket, token)
            if welcome is None:
                return
            self._socket = socket
            self.connected.set()
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(work) for work in (self._acknowledge(socket), self._mailbox.run())]
                try:
                    await self._follow(socket, welcome)
                finally:
                    for task in beside:
                        task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._socket = None
            await self._farewell(socket)

    async def _greet(self, socket: Socket, token: str) -> Welcome | None:
        """Say who this is. None when a fresh token is needed and there is one now. Raises NotSignedIn."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(Hello(access_token=token, rev=self._session.profile.rev))
            frame = await socket.receive()
        if isinstance(frame, Error) and frame.code in SIGN_IN_CODES:
            await self._session.renewed(token)
            return None
        if isinstance(frame, Error):
            raise ClientError(frame.code, frame.detail, retry_after=frame.retry_after)
        if not isinstance(frame, Welcome):
            raise Unreachable("unreachable", "no welcome")
        return frame

    async def _follow(self, socket: Socket, welcome: Welcome) -> None:
        """Feed the synchronisation with frames and carry out its steps."""
        with self._session.store.reading() as tx:
            row = profile.select_profile(tx)
            cursors = conversations.select_cursors(tx)
        assert row is not None  # noqa: S101 - the profile is signed in
        sync = self._sync = Sync(cursors, row.marker, row.rev, self._page)
        await self._carry_out(socket, sync, sync.received(welcome))
        while True:
            frame = await self._next(socket, sync)
            if isinstance(frame, Waiting):
                self._mailbox.wake()
            await self._carry_out(socket, sync, sync.received(frame))
            if sync.is_caught_up:
                self._page = limits.PAGE_ENTRIES
                removed.settle(self._session.store)

    async def _next(self, socket: Socket, sync: Sync) -> FromServer:
        """Wait for a frame; while an answer is due, not for ever."""
        async with asyncio.timeout(None if sync.is_caught_up else ANSWER_SECONDS):
            return await socket.receive()

    async def _carry_out(self, socket: Socket, sync: Sync, steps: list[Step]) -> None:
        waiting = deque(steps)
        while waiting:
            step = waiting.popleft()
            match step:
                case Ask(frame):
                    await socket.send(frame)
                case LookUp():
                    waiting += await self._look_up(sync, step)
                case Pause(seconds):
                    await asyncio.sleep(retry.delay(0, _random.random(), seconds))
                    waiting += sync.resume()
                case Append(conversation, entries):
                    waiting += await self._append(sync, conversation, entries)
                case _:
                    waiting += self._store(sync, step)

    def _store(self, sync: Sync, step: Step) -> list[Step]:
        """Carry out a step that concerns the store alone."""
        store = self._session.store
        match step:
            case Reset(conversation, floor):
                return sync.stored(conversation, local_log.reset(store, conversation, floor))
            case Leave(conversation):
                local_log.leave(store, conversation, is_news=True)
            case PutStates(items, rev):
                local_log.keep_states(store, items, rev)
                if any(scheduling.is_stale(item.value) for item in items):
                    self._mailbox.wake()
            case PutMarker(marker):
                with store.transaction() as tx:
                    profile.update_marker(tx, marker)
        return []

    async def _append(self, sync: Sync, conversation: ConversationId, new: list[Entry]) -> list[Step]:
        """Store entries; sealed ones in small transactions, because opening them takes its time."""
        account = self._session.profile.account
        is_sealed = await arriving.prepare(self._session, conversation, new)
        size = OPENED_AT_ONCE if is_sealed else len(new)
        cursor: Position | None = None
        for start in range(0, len(new), size):
            cursor = local_log.append(self._session.store, account, conversation, new[start : start + size])
            if cursor is None:
                return sync.forget(conversation)
            self._acks.note(conversation, cursor)
            self._on_change()
            if is_sealed:
                await asyncio.sleep(0)
        if is_sealed and arriving.must_ask(self._session):
            self._mailbox.wake()
        return sync.stored(conversation, cursor) if cursor is not None else []

    async def _look_up(self, sync: Sync, step: LookUp) -> list[Step]:
        try:
            found = await self._rooms.get(step.conversation)
        except ClientError as error:
            if error.code not in NOT_OURS:
                raise
            local_log.leave(self._session.store, step.conversation, is_news=True)
            return sync.forget(step.conversation)
        cursor = local_log.keep(self._session.store, found)
        if checks.has_chain(found):
            self._mailbox.wake()  # what was passed on may have come before it
        return sync.known(found.id, cursor, found.head, found.floor)

    async def _acknowledge(self, socket: Socket) -> None:
        """Tell the server now and then what is stored here."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(INTERVAL)
            await self._tell(socket, self._acks.due(clock()))

    async def _tell(self, socket: Socket, acks: list[Ack]) -> None:
        """Acknowledge; what is acknowledged must outlive the machine, because the server may forget it."""
        if acks:
            self._session.store.settle()
        for ack in acks:
            await socket.send(ack)

    async def _farewell(self, socket: Socket) -> None:
        """Acknowledge what is left to, and close."""
        try:
            await self._tell(socket, self._acks.due(0, closing=True))
        except Closed:
            pass
        finally:
            await socket.close()
