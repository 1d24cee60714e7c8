"""The stream of messages for an application: each once for the profile, in order within a conversation.

What was handed out is noted in the store when the next message is asked for, when `confirm` is called, or when the
client closes without an exception; a process killed before that sees the message again, and none is ever lost. One
stream of the profile is open at a time: a second one, in whatever process, waits until the first has ended.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from typing import Self

from aparte.client import local_log
from aparte.client.core import events
from aparte.client.core.bodies import body_of
from aparte.client.local_log import Unheard
from aparte.client.locks import Lock
from aparte.client.model import Message, ending, event_message, origin_of, quoted, rendered, title_of
from aparte.client.past import mentions_of
from aparte.client.session import Session
from aparte.wire import kinds
from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId

BATCH = 100
LOOK_SECONDS = 1.0
"""How often to look for what another process of the profile has stored."""
WAIT_SECONDS = 0.25

Names = Callable[[Iterable[AccountId]], Awaitable[dict[AccountId, str]]]


class MessageStream:
    """Messages from others and from one's own other devices, from the last time on, then live."""

    def __init__(
        self, session: Session, names: Names, ended: Callable[[], BaseException | None], told: Collection[int] = ()
    ) -> None:
        """Read out of a session's store. `ended` gives what has stopped the gateway, if anything has.

        `told`: kinds of entries that are handed out as events beside the messages.
        """
        self._session = session
        self._told = told
        self._names = names
        self._ended = ended
        self._lock = Lock(session.folder.lock("listen"))
        self._is_ours = False
        self._ready: deque[Message] = deque()
        self._handed: Message | None = None
        self._changed = asyncio.Event()

    @property
    def is_waiting(self) -> bool:
        """Whether another stream of the profile is open and this one waits for its end."""
        return not self._is_ours

    def wake(self) -> None:
        """Look: something new may be stored."""
        self._changed.set()

    def __aiter__(self) -> Self:
        """Iterate: `async for message in stream`."""
        return self

    async def __anext__(self) -> Message:
        """Wait for the next message. Raises what has ended the gateway, NotSignedIn for instance."""
        if not self._is_ours:
            await self._lock.take(WAIT_SECONDS)
            self._is_ours = True
        self.confirm()
        while not self._ready:
            self._changed.clear()
            await self._fill()
            if self._ready:
                break
            if (error := self._ended()) is not None:
                raise error
            await self._something_new()
        self._handed = self._ready.popleft()
        return self._handed

    def confirm(self) -> None:
        """Note that the message handed out last was taken care of: it will not be handed out again."""
        if self._handed is not None:
            local_log.mark_heard(self._session.store, [(self._handed.conversation_id, self._handed.seq)])
            self._handed = None

    def close(self) -> None:
        """Let the next stream of the profile begin."""
        self._lock.release()
        self._is_ours = False

    async def _something_new(self) -> None:
        """Wait until this process, or another one, has stored something."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _fill(self) -> None:
        """Read the next messages out of the store."""
        found = local_log.unheard(self._session.store, self._session.profile.device, BATCH, self._told)
        names = await self._names({account for item in found for account in _people(item)})
        self._ready.extend(_shown(item, names) for item in _gathered(found))
        if found and not self._ready:
            local_log.mark_heard(
                self._session.store, [(item.conversation.conversation, item.entry.seq) for item in found]
            )
            self._changed.set()


def _people(item: Unheard) -> set[AccountId]:
    """Name everybody who is named where this is shown."""
    people = {item.conversation.peer} if item.conversation.peer else set()
    if item.event is not None:
        return people | item.event.people
    if item.message is None:
        return set()
    answered = {item.reply.account} if item.reply else set()
    written = body_of(item.entry)
    forwarded = written.forwarded if isinstance(written, MessageContent) else None
    first = {forwarded.account} if forwarded is not None and forwarded.account is not None else set()
    return {*people, *answered, *first, item.entry.account, *_mentioned(item)}


def _mentioned(item: Unheard) -> tuple[AccountId, ...]:
    if item.message is None or item.message.content is None:
        return ()
    return mentions_of(item.message) if item.conversation.is_sealed else tuple(item.message.content.mentions)


def _gathered(found: list[Unheard]) -> list[Unheard]:
    """Leave out what there is nothing to show of, and make one of admissions that stand one after the other."""
    shown: list[Unheard] = []
    for item in found:
        last = shown[-1] if shown else None
        if last is not None and last.event and item.event and last.conversation == item.conversation:
            together = events.gathered([last.event, item.event])
            if len(together) == 1:
                shown[-1] = replace(item, event=together[0])
                continue
        if item.message is not None or item.event is not None:
            shown.append(item)
    return shown


def _shown(item: Unheard, names: dict[AccountId, str]) -> Message:
    title = title_of(item.conversation, names)
    if item.event is not None:
        return event_message(item.event, item.conversation, title, names)
    assert item.message is not None  # noqa: S101 - one of them is there
    message = rendered(item.message, title, names, kinds.name_of(item.entry.kind))
    mentions = tuple(names.get(account, str(account)) for account in _mentioned(item))
    written = body_of(item.entry)
    forwarded = written.forwarded if isinstance(written, MessageContent) else None
    return replace(
        ending(message, item.expiring),
        reply=quoted(item.reply, names),
        mentions=mentions,
        is_forwarded=forwarded is not None,
        origin=origin_of(forwarded, names),
    )
