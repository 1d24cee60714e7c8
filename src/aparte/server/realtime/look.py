"""The look: every 15 s a process asks PostgreSQL what it may have missed, and rings its own sockets.

Lost hints cost lateness and nothing else: a Valkey that is gone, a process that died between COMMIT and publish, a
subscription that was not there yet. Markers are exact, so the look itself misses nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aparte.server.kit.metrics import LOOKS
from aparte.server.realtime.hub import Hub
from aparte.wire.ids import AccountId, ConversationId, Position, SessionId

SECONDS = 15.0
M = TypeVar("M")


@dataclass(frozen=True)
class Questions(Generic[M]):
    """What a look asks; `app` hands in the slices' actions. `M` is a marker of the log."""

    moved: Callable[[M | None], Awaitable[tuple[M, Sequence[tuple[ConversationId, Position]]]]]
    stated: Callable[[M | None], Awaitable[tuple[M, Sequence[tuple[AccountId, int]]]]]
    conversations: Callable[[AccountId], Awaitable[Sequence[ConversationId]]]
    valid: Callable[[Sequence[SessionId]], Awaitable[set[SessionId]]]


class Look(Generic[M]):
    """What this process knew at its last look."""

    def __init__(self, hub: Hub, questions: Questions[M]) -> None:
        """Look for this hub."""
        self._hub = hub
        self._questions = questions
        self._entries: M | None = None
        self._states: M | None = None

    async def once(self) -> None:
        """Ask everything once. A marker moves only when its answer has been passed on."""
        LOOKS.inc()
        sessions = self._hub.sessions()
        if sessions:
            for session in set(sessions) - await self._questions.valid(sessions):
                self._hub.end(session)
        marker, accounts = await self._questions.stated(self._states)
        here = set(self._hub.accounts())
        for account, rev in accounts:
            if account in here:
                self._hub.settle(account, set(await self._questions.conversations(account)))
                self._hub.stated(account, rev)
        self._states = marker
        marker, conversations = await self._questions.moved(self._entries)
        for conversation, head in conversations:
            self._hub.moved(conversation, head)
        self._entries = marker
