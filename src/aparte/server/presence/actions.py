"""What the gateway and other slices may ask of presence, by verb."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import structlog

from aparte.server.accounts import actions as accounts
from aparte.server.contacts import actions as contacts
from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.kit.tasks import TaskGroup, every
from aparte.server.kit.valkey import Valkey, ValkeyAway
from aparte.server.presence import rules, store
from aparte.server.presence.live import Live
from aparte.server.presence.model import Found, Shown
from aparte.server.presence.watching import Bus, News, Sockets, Watching
from aparte.wire import frames
from aparte.wire.accounts import Status
from aparte.wire.ids import AccountId, ConversationId

HEARTBEAT_SECONDS = 30.0
REFRESH_ROUND_SECONDS = 20.0
REFRESH_AT_ONCE = 200
CLOSE_SECONDS = 2.0
NEWS = 10_000
"""Whispers that wait to be told; more are dropped, which the next round of asking makes good."""

log = structlog.get_logger(__name__)


class Presence:
    """Presence and typing of one process."""

    def __init__(self, db: Database, valkey: Valkey, bus: Bus, sockets: Sockets) -> None:
        """Nothing runs before `start`."""
        self._db = db
        self._valkey = valkey
        self._bus = bus
        self._live = Live(db, valkey, bus.name, self._changed)
        self._watching = Watching(db, bus, sockets, self._note)
        self._news: dict[News, frames.FromServer] = {}
        self._wake = asyncio.Event()
        self._tasks = TaskGroup()
        self._is_open = False

    def start(self) -> None:
        """Begin to write, to tell and to ask again."""
        self._is_open = True
        self._tasks.start(self._live.work(), "presence")
        self._tasks.start(self._tell(), "whispers")
        self._tasks.start(every(HEARTBEAT_SECONDS, self._heartbeat, "presence heartbeat"), "presence heartbeat")
        self._tasks.start(every(REFRESH_ROUND_SECONDS, self._refresh, "presence refresh"), "presence refresh")

    async def close(self) -> None:
        """Stop. Sessions that are still open expire, unless their devices come back elsewhere first."""
        self._is_open = False
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._live.idle()
        await self._tasks.close()

    # Who is here ------------------------------------------------------------------------------------------------

    def arrived(self, caller: Caller) -> None:
        """A socket has opened."""
        self._live.arrived(caller)

    def gone(self, caller: Caller) -> None:
        """A socket has closed."""
        if self._live.gone(caller):
            left = self._watching.forget(caller.session)
            if left and self._is_open:
                self._tasks.start(self._show(_seen_at(left, caller.account, "")), "presence turned away")

    def active(self, caller: Caller) -> None:
        """The person did something."""
        self._live.active(caller)

    def declared(self, account: AccountId) -> None:
        """Somebody has declared another status: others see it now rather than with the next heartbeat."""
        self._live.mark(account)

    # What others see --------------------------------------------------------------------------------------------

    async def look(self, asker: AccountId, wanted: Sequence[AccountId]) -> list[frames.Presence]:
        """Tell the presence of people as far as each lets the asker see it, in the order asked.

        `unknown` stands for what is hidden and, while Valkey is away, for everybody.
        """
        ids = list(dict.fromkeys(wanted))
        async with self._db.read() as reader:
            rows = {row.account: row for row in await accounts.people(reader, ids)}
            seeing = await contacts.allowed(reader, asker, ids, "see_presence")
            timing = await contacts.allowed(reader, asker, ids, "see_last_seen")
        found = await self._found([account for account in ids if account in seeing])
        answers = []
        for account in ids:
            shown: Shown = "unknown"
            if account in found:
                shown = rules.shown_status(found[account], rows[account].status, time.time())
            is_timed = account in timing and shown in {"offline", "unknown"}
            answers.append(frames.Presence(account, shown, rows[account].last_seen_at if is_timed else None))
        return answers

    async def watch(
        self, caller: Caller, wanted: frames.Watch, push: Callable[[frames.FromServer], None]
    ) -> list[frames.Presence]:
        """Whisper to a socket from now on about these people and conversations only; gives how things are now."""
        seen, left = self._watching.watch(caller, wanted, push)
        await self._show(_seen_at(seen, caller.account, "reading") + _seen_at(left, caller.account, ""))
        return await self.look(caller.account, wanted.accounts)

    async def typing(self, caller: Caller, conversation: ConversationId, *, on: bool) -> None:
        """Whisper that a member writes or has stopped. Silent for the invisible and without Valkey."""
        if not self._valkey.available or not self._live.types(caller, conversation, on=on):
            return
        async with self._db.read() as reader:
            await conversations.authorise(reader, caller, conversation, "post")
            rows = await accounts.people(reader, [caller.account])
        if not rows or rows[0].status == "offline":
            return
        written = store.typing_written(conversation, caller.account, on=on, now=time.time())
        await self._show(written + _seen_at([conversation], caller.account, "writing" if on else "reading"))
        frame = frames.Writing(conversation, caller.account, on)
        self._bus.whisper(f"typing:{conversation}", frame)
        self._note((caller.account, conversation), frame)

    # What is told -----------------------------------------------------------------------------------------------

    def _changed(self, account: AccountId, status: Status) -> None:
        frame = frames.Presence(account, status, now() if status == "offline" else None)
        self._bus.whisper(f"presence:{account}", frame)
        self._note((account, None), frame)

    def _note(self, news: News, frame: frames.FromServer) -> None:
        """Tell soon; of several news about the same only the newest is told."""
        if news in self._news or len(self._news) < NEWS:
            self._news[news] = frame
            self._wake.set()

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._news:
                try:
                    await self.tell_one()
                except Exception as error:  # noqa: BLE001 - one whisper that fails must not silence the others
                    log.warning("whisper_untold", error=type(error).__name__)

    async def tell_one(self) -> None:
        """Tell the oldest news that waits."""
        news = next(iter(self._news))
        frame = self._news.pop(news)
        if isinstance(frame, frames.Presence):
            self._watching.know(frame.account, frame.status)
            await self._watching.tell_presence(frame)
        elif isinstance(frame, frames.Writing):
            await self._watching.tell_typing(frame)

    async def _heartbeat(self) -> None:
        self._live.mark_all()
        screens = list(self._watching.screens())
        for start in range(0, len(screens), REFRESH_AT_ONCE):
            some = screens[start : start + REFRESH_AT_ONCE]
            await self._show([command for here, account in some for command in _seen_at([here], account, "reading")])

    async def _refresh(self) -> None:
        """Ask again for watched people of whom nothing was heard: a process that dies whispers nothing."""
        stale = self._watching.stale()
        for start in range(0, len(stale), REFRESH_AT_ONCE):
            ids = stale[start : start + REFRESH_AT_ONCE]
            found = await self._found(ids)
            async with self._db.read() as reader:
                rows = await accounts.people(reader, ids)
            for row in rows:
                shown: Shown = "unknown"
                if row.account in found:
                    shown = rules.shown_status(found[row.account], row.status, time.time())
                if self._watching.know(row.account, shown):
                    self._note((row.account, None), frames.Presence(row.account, shown, row.last_seen_at))

    async def _found(self, ids: Sequence[AccountId]) -> dict[AccountId, Found]:
        try:
            return dict(zip(ids, await store.read_found(self._valkey, ids, time.time()), strict=True))
        except ValkeyAway:
            return {}

    async def _show(self, commands: Sequence[store.Command]) -> None:
        with suppress(ValkeyAway):
            await self._valkey.batch(commands)


def _seen_at(conversations: Iterable[ConversationId], account: AccountId, activity: str) -> list[store.Command]:
    """The commands that say what a member does in conversations; empty: has turned away."""
    moment = time.time()
    return [
        command
        for conversation in conversations
        for command in store.activity_written(conversation, account, activity, moment)
    ]
