"""Reads into the index what this process has written, a moment after its commit, and what any process has missed.

The doorbell says where something is new; no send waits. A conversation is read by one process at a time, from where it
was read to: hints that are lost cost lateness and nothing else. Every 15 seconds, and when the process starts, what has
moved is compared with what was read. Between two steps there is a pause three times as long, so that the index never
takes more than a quarter of a process: after a storm it catches up.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from time import monotonic
from typing import TypeVar
from uuid import UUID

import structlog

from aparte.server.kit.db import Database
from aparte.server.kit.doorbell import Hint, ToAccount, ToConversation
from aparte.server.kit.tasks import TaskGroup, every
from aparte.server.log.model import Marker
from aparte.server.search import actions
from aparte.wire.frames import Live, States
from aparte.wire.ids import AccountId, ConversationId

LOOK_SECONDS = 15.0
REST = 3.0
"""Pause after a step, as a multiple of what it took."""
LEAST_PAUSE, AGAIN_SECONDS = 0.02, 30.0
GATHER_SECONDS = 0.1
"""How long hints are gathered before they are looked at: a busy room is read in steps, not message by message."""
NOWHERE = ConversationId(UUID(int=0))
T = TypeVar("T")

log = structlog.get_logger(__name__)


class Indexer:
    """The reader of one process. It answers the doorbell: `ring` notes where something is new."""

    def __init__(self, db: Database) -> None:
        """Read from this database."""
        self._db = db
        self._conversations: dict[ConversationId, None] = {}
        self._accounts: dict[AccountId, None] = {}
        self._news = asyncio.Event()
        self._tasks = TaskGroup()
        self._marker: Marker | None = None
        self._last_behind = NOWHERE
        self._is_behind = True

    def start(self) -> None:
        """Begin to read."""
        self._tasks.start(self._run(), "search.indexer")
        self._tasks.start(every(LOOK_SECONDS, self.look, "search.look"), "search.look")

    async def close(self) -> None:
        """Stop; what was not read yet is found when a process starts."""
        await self._tasks.close()

    def ring(self, hints: Sequence[Hint]) -> None:
        """Note where something is new that the server can read."""
        for hint in hints:
            if isinstance(hint, ToConversation):
                frame = hint.frame
                if not isinstance(frame, Live) or frame.entry.sealed is None:
                    self._conversations[hint.conversation] = None
            elif isinstance(hint, ToAccount) and isinstance(hint.frame, States):
                self._accounts[hint.account] = None
        if self._conversations or self._accounts:
            self._news.set()

    async def look(self) -> None:
        """Find what was missed: everything when the process starts, afterwards what has moved since the last look."""
        if self._marker is None:
            marker, _, _ = await actions.missed(self._db, None)
            conversations, accounts = await actions.unread_conversations(self._db), list[AccountId]()
            while found := await actions.unread_accounts(self._db):
                await self._rested(actions.read_accounts(self._db, found))
        else:
            marker, conversations, accounts = await actions.missed(self._db, self._marker)
        self._conversations.update(dict.fromkeys(conversations))
        self._accounts.update(dict.fromkeys(accounts))
        self._marker = marker
        self._is_behind = True
        self._news.set()

    async def catch_up(self) -> None:
        """Read everything that is noted, and what is behind, before it returns."""
        while self._accounts or self._conversations or self._is_behind:
            await self._step()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001 - whatever one step met, the index must go on
                log.warning("search_step_failed", error=type(error).__name__)
                await asyncio.sleep(1)
            if not (self._accounts or self._conversations or self._is_behind):
                self._news.clear()

    async def _step(self) -> None:
        """Read a little of everything: people, each conversation with news, and of one what is behind."""
        accounts, self._accounts = list(self._accounts), {}
        for at in range(0, len(accounts), actions.ACCOUNTS):
            await self._rested(actions.read_accounts(self._db, accounts[at : at + actions.ACCOUNTS]))
        conversations, self._conversations = list(self._conversations), {}
        for conversation in conversations:
            await self._read(conversation)
        if self._is_behind and not self._conversations:
            read = await self._rested(actions.read_behind(self._db, self._last_behind))
            self._is_behind = read is not None
            self._last_behind = read or NOWHERE

    async def _read(self, conversation: ConversationId) -> None:
        """Read one step of a conversation. One that cannot be read is tried again later and stops no other."""
        try:
            step = await self._rested(actions.read_conversation(self._db, conversation))
            self._is_behind |= step.is_behind
            if step.is_more:
                self._conversations[conversation] = None
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("conversation_not_indexed", error=type(error).__name__)
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._again, conversation)

    def _again(self, conversation: ConversationId) -> None:
        self._conversations[conversation] = None
        self._news.set()

    async def _rested(self, work: Awaitable[T]) -> T:
        """Do a step, and leave the others their time."""
        begun = monotonic()
        try:
            return await work
        finally:
            await asyncio.sleep(max(LEAST_PAUSE, REST * (monotonic() - begun)))
