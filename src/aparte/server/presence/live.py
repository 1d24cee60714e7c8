"""Who is here: this process's live sessions, kept in Valkey by a heartbeat, and the news that follows from them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import structlog

from aparte.server.accounts import actions as accounts
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.valkey import Valkey, ValkeyAway
from aparte.server.presence import rules, store
from aparte.server.presence.model import Found, Here, LiveSession
from aparte.wire.accounts import Status
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ConversationId

NOTE_SECONDS = 60.0
"""`last_seen_at` is written at most so often (C-15)."""
AT_ONCE = 100

log = structlog.get_logger(__name__)


class Live:
    """The live sessions of this process. Arrivals and departures only mark an account; `work` writes them together."""

    def __init__(self, db: Database, valkey: Valkey, node: str, changed: Callable[[AccountId, Status], None]) -> None:
        """`changed` is told what others see of somebody, when that becomes something else."""
        self._db = db
        self._valkey = valkey
        self._node = node
        self._changed = changed
        self._here: dict[AccountId, Here] = {}
        self._marked: dict[AccountId, None] = {}
        self._wake = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def arrived(self, caller: Caller) -> None:
        """A socket has opened."""
        here = self._here.setdefault(caller.account, Here())
        session = here.sessions.get(caller.session)
        if session is None:
            here.sessions[caller.session] = LiveSession(caller, time.time())
        else:
            session.sockets += 1
        here.last_activity = time.time()
        self.mark(caller.account)

    def gone(self, caller: Caller) -> bool:
        """A socket has closed; tells whether it was the session's last one here."""
        here = self._here.get(caller.account)
        session = here.sessions.get(caller.session) if here else None
        if here is None or session is None:
            return False
        session.sockets -= 1
        if session.sockets > 0:
            return False
        del here.sessions[caller.session]
        here.departed.add(store.session_key(session))
        here.noted_at = 0.0
        self.mark(caller.account)
        return True

    def active(self, caller: Caller) -> None:
        """The person did something. Written with the next heartbeat, at once only if they seemed to be away."""
        here = self._here.get(caller.account)
        if here is not None:
            now = time.time()
            if now - here.last_activity >= rules.AWAY_SECONDS:
                self.mark(caller.account)
            here.last_activity = now

    def types(self, caller: Caller, conversation: ConversationId, *, on: bool) -> bool:
        """Remember what was said about typing; tells whether it is worth a whisper."""
        here = self._here.get(caller.account)
        session = here.sessions.get(caller.session) if here else None
        if session is None:
            return False
        now = time.monotonic()
        if not rules.is_news(session.typing.get(conversation), on=on, now=now):
            return False
        if len(session.typing) > 50:
            session.typing.clear()
        session.typing[conversation] = (on, now)
        return True

    def mark(self, account: AccountId) -> None:
        """Write this account soon."""
        if account in self._here:
            self._marked[account] = None
            self._is_idle.clear()
            self._wake.set()

    def mark_all(self) -> None:
        """The heartbeat: write everybody soon."""
        for account in self._here:
            self.mark(account)

    async def work(self) -> None:
        """Write what is marked, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._marked:
                try:
                    await self._flush()
                except Exception as error:  # noqa: BLE001 - one round that fails must not end presence
                    log.warning("presence_unwritten", error=type(error).__name__)
            self._is_idle.set()

    async def idle(self) -> None:
        """Wait until everything that is marked has been written."""
        await self._is_idle.wait()

    async def _flush(self) -> None:
        """Write some of the marked accounts: PostgreSQL first, which is told of a departure only once."""
        marked = sorted(islice(self._marked, AT_ONCE))
        for account in marked:
            del self._marked[account]
        chunk = [(account, self._taken(account)) for account in marked if account in self._here]
        try:
            await self._note(chunk)
        except Refusal as refusal:
            log.info("presence_unnoted", code=refusal.code, accounts=len(chunk))
        with suppress(ValkeyAway):  # the next heartbeat writes everything again, and what departed expires
            await self._write(chunk)
        for account in marked:
            here = self._here.get(account)
            if here is not None and not here.sessions and not here.departed:
                del self._here[account]

    def _taken(self, account: AccountId) -> Here:
        """What is to be written now; what departs from here on is for the next time."""
        here = self._here[account]
        taken = replace(here, sessions=dict(here.sessions))
        here.departed = set()
        return taken

    async def _note(self, chunk: Sequence[tuple[AccountId, Here]]) -> None:
        """Write `last_seen_at` where that is due, and read what people declare."""
        now = time.time()
        due = [a for a, h in chunk if h.last_activity > h.noted_at and now - h.noted_at >= NOTE_SECONDS]
        async with self._db.transaction() as tx:
            if due:
                await accounts.seen(tx, *due)
            for row in await accounts.people(tx, [account for account, _ in chunk]):
                self._here[row.account].declared = row.status
        for account in due:
            self._here[account].noted_at = now

    async def _write(self, chunk: Sequence[tuple[AccountId, Here]]) -> None:
        now = time.time()
        written = await store.write_sessions(self._valkey, chunk, self._node, now)
        commands: list[store.Command] = []
        changes: list[tuple[AccountId, Status]] = []
        for (account, _), (members, last, before) in zip(chunk, written, strict=True):
            status = rules.shown_status(Found(len(members), last), self._here[account].declared, now)
            commands += store.user_written(account, members, last, self._node, status)
            if status != before:
                changes.append((account, status))
        await self._valkey.batch(commands)
        for account, status in changes:
            self._changed(account, status)
