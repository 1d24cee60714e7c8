"""Group commit: concurrent sends to this process are written together, with one outcome each.

One batch is in flight; what arrives meanwhile forms the next one. There is no timer, so a lone sender never waits for
company. A conversation whose row somebody else holds goes to a lane of its own, on another connection that waits, and
later messages of it follow there: one stuck transaction delays nobody else, and the order per sender holds. So does one
whose messages pass word lists first, each in its turn.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import asyncpg
import structlog

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import UNREACHABLE, Database
from aparte.server.kit.doorbell import Hint
from aparte.server.kit.metrics import BATCH_MESSAGES, BATCH_SECONDS, SENDS
from aparte.server.kit.tasks import TaskGroup
from aparte.server.messages import store
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.model import AGAIN, SCREEN, Key, Outgoing, Placed, Verdict
from aparte.server.messages.outcomes import answer_to, hint_of
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, DeviceId
from aparte.wire.messages import SendMessage

log = structlog.get_logger(__name__)

BATCH = 500
WAITING = 20_000
"""How many messages may wait in this process before more are refused."""

UNDECIDED = frozenset({AGAIN, SCREEN})
"""Outcomes after which a message is written again."""

Undecided = tuple[Outgoing, int]
"""A message that is to be written again, with the outcome it has so far."""
Screen = Callable[[Caller, ConversationId, SendMessage], Awaitable[None]]
"""Asks the word lists of a conversation; refuses with `held` or `filtered`."""


class Writer:
    """Takes messages from every door of this process and writes them in batches."""

    def __init__(
        self, lanes: Lanes, ring: Callable[[Sequence[Hint]], None], db: Database, screen: Screen | None = None
    ) -> None:
        """Write over `lanes`; `ring` hears of everything that was stored, in order; what messages refer to is looked up
        in `db`, and `screen` is asked about those of conversations that want it."""
        self.db = db
        self.screen = screen
        self._lanes = lanes
        self._ring = ring
        self._fast: deque[Outgoing] = deque()
        self._slow: dict[ConversationId, deque[Outgoing]] = {}
        self._flying: dict[Key, Outgoing] = {}
        self._work = asyncio.Event()
        self._tasks = TaskGroup()

    def start(self) -> None:
        """Begin to write."""
        self._tasks.start(self._run(), "messages.writer")

    async def close(self, seconds: float = 10) -> None:
        """Let what was taken be written, then stop."""
        waiting = [message.done for message in self._flying.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        await self._tasks.close()

    def put(self, message: Outgoing) -> "asyncio.Future[Placed]":
        """Queue a message; the future has its place after COMMIT, or a Refusal.

        The same key while the first is under way joins it: a repeat is answered when the first is safe, not before.
        """
        first = self._flying.get(message.key)
        if first is not None:
            if first.digest != message.digest:
                raise Refusal("client_id_reused")
            return first.done
        if len(self._flying) >= WAITING:
            raise Refusal("unavailable", retry_after=1)
        self._flying[message.key] = message
        slow = self._slow.get(message.conversation)
        if slow is not None:
            slow.append(message)
        else:
            self._fast.append(message)
            self._work.set()
        return message.done

    async def settled(self, conversation: ConversationId, device: DeviceId) -> None:
        """Wait until what a device has under way in a conversation is decided: what follows continues its chain."""
        waiting = [m.done for m in self._flying.values() if m.conversation == conversation and m.device == device]
        if waiting:
            await asyncio.wait(waiting)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._fast:
                batch = [self._fast.popleft() for _ in range(min(BATCH, len(self._fast)))]
                aside: dict[ConversationId, list[Undecided]] = {}
                for message, outcome in self._settle(batch, await self._write(batch, wait=False)):
                    aside.setdefault(message.conversation, []).append((message, outcome))
                for conversation, undecided in aside.items():
                    self._step_aside(conversation, undecided)

    async def _drain(self, conversation: ConversationId, undecided: list[Undecided]) -> None:
        """Write one conversation's messages, waiting for its lock, until none is left; then it is fast again.

        Of those that are undecided the first is decided by the next round at the latest.
        """
        queue = self._slow[conversation]
        try:
            await self._put_back(queue, undecided)
            while queue:
                batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
                await self._put_back(queue, self._settle(batch, await self._write(batch, wait=True)))
        finally:
            del self._slow[conversation]

    async def _put_back(self, queue: deque[Outgoing], undecided: list[Undecided]) -> None:
        """Let what is undecided be written before all that came later, but for what the word lists keep."""
        passed = [await self._screened(message, outcome) for message, outcome in undecided]
        queue.extendleft(message for message in reversed(passed) if message is not None)

    async def _write(self, batch: list[Outgoing], *, wait: bool) -> "list[Verdict | Refusal]":
        BATCH_MESSAGES.observe(len(batch))
        try:
            with BATCH_SECONDS.time():
                async with self._lanes.connection(wait=wait) as connection:
                    return list(await store.send(connection, batch, wait=wait))
        except (*UNREACHABLE, asyncpg.InterfaceError) as error:
            log.warning("batch_unwritten", error=type(error).__name__, size=len(batch))
            return [Refusal("unavailable", retry_after=1)] * len(batch)
        except asyncpg.DiskFullError:
            return [Refusal("storage_full", retry_after=10)] * len(batch)
        except asyncpg.PostgresError as error:
            if len(batch) == 1:
                log.warning("message_unwritten", error=type(error).__name__)
                return [Refusal("internal")]
            # Something in it poisons the whole batch: once more, one by one, so that the others are not harmed.
            return [(await self._write([message], wait=wait))[0] for message in batch]
        except Exception as error:  # noqa: BLE001 - a writer that ended would take messages and never store one
            log.error("batch_failed", error=type(error).__name__, size=len(batch))
            return [Refusal("internal")] * len(batch)

    def _settle(self, batch: list[Outgoing], verdicts: "list[Verdict | Refusal]") -> list[Undecided]:
        """Answer what is decided; gives what is not, with the outcome that it has so far."""
        hints: list[Hint] = []
        undecided: list[Undecided] = []
        for message, verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Verdict) and verdict.outcome in UNDECIDED:
                undecided.append((message, verdict.outcome))
                continue
            answer = self._answer(message, answer_to(message, verdict))
            if isinstance(answer, Placed) and answer.is_new:
                hints.append(hint_of(message, answer))
        SENDS.labels("stored").inc(len(hints))
        if hints:
            self._ring(hints)
        return undecided

    def _answer(self, message: Outgoing, answer: Placed | Refusal) -> Placed | Refusal:
        """Let go of a message, and tell whoever waits."""
        self._flying.pop(message.key, None)
        tell(message, answer)
        if isinstance(answer, Refusal):
            SENDS.labels(answer.code).inc()
        return answer

    async def _screened(self, message: Outgoing, outcome: int) -> Outgoing | None:
        """Ask the word lists about a message that was not asked about; None if it ends there."""
        if outcome != SCREEN or message.screening is None:
            return message
        try:
            await message.screening()
        except Refusal as refusal:
            self._answer(message, refusal)
        except Exception as error:  # noqa: BLE001 - the messages behind it must not wait for ever
            log.error("message_unscreened", error=type(error).__name__)
            self._answer(message, Refusal("unavailable", retry_after=1))
        else:
            return replace(message, screening=None)
        return None

    def _step_aside(self, conversation: ConversationId, undecided: list[Undecided]) -> None:
        """Give a locked conversation a lane of its own; what is queued behind must not overtake it."""
        followers = [m for m in self._fast if m.conversation == conversation]
        if followers:
            self._fast = deque(m for m in self._fast if m.conversation != conversation)
        self._slow[conversation] = deque(followers)
        self._tasks.start(self._drain(conversation, undecided), "messages.drain")


def tell(message: Outgoing, answer: Placed | Refusal) -> None:
    """Answer whoever waits; nobody may, and the message is stored all the same."""
    if message.done.done():
        return
    if isinstance(answer, Refusal):
        message.done.set_exception(answer)
    else:
        message.done.set_result(answer)
