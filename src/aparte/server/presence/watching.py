"""Who watches: sockets of this process with people and conversations on screen, and what they are told.

A whisper is delivered only after PostgreSQL has said, now, who of the watchers may see it: privacy and blocks hold from
the next whisper on, and one question covers all watchers of a person or conversation.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from aparte.server.contacts import actions as contacts
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database
from aparte.server.presence.model import Shown, Watched, Watcher
from aparte.wire import frames
from aparte.wire.ids import AccountId, ConversationId, SessionId

REFRESH_SECONDS = 60.0
"""Who vanished without a whisper is noticed so late."""


class Bus(Protocol):
    """What whispers need of the doorbell between processes."""

    @property
    def name(self) -> str:
        """Of this process."""

    def whisper(self, channel: str, frame: frames.FromServer) -> None:
        """Tell the watchers in other processes."""

    def overhear(self, channel: str, callback: Callable[[frames.FromServer], None]) -> None:
        """Hear what is whispered there."""

    def unwatch(self, audience: str) -> None:
        """No longer."""


class Sockets(Protocol):
    """What whispers need to know of sockets."""

    def hears(self, session: SessionId, conversation: ConversationId) -> bool:
        """Whether a session's socket belongs to the conversation's audience."""


News = tuple[AccountId, ConversationId | None]
"""Somebody's presence, or their typing in a conversation."""


class Watching:
    """The watchers of this process."""

    def __init__(
        self, db: Database, bus: Bus, sockets: Sockets, heard: Callable[[News, frames.FromServer], None]
    ) -> None:
        """`heard` takes what is whispered; it calls `tell` when it comes to it."""
        self._db = db
        self._bus = bus
        self._sockets = sockets
        self._heard = heard
        self._watchers: dict[SessionId, Watcher] = {}
        self._people: dict[AccountId, Watched] = {}
        self._screens: dict[ConversationId, set[Watcher]] = {}

    def watch(
        self, caller: Caller, wanted: frames.Watch, push: Callable[[frames.FromServer], None]
    ) -> tuple[set[ConversationId], set[ConversationId]]:
        """Replace what a session watches; gives the conversations it has on screen now, and those it turned from."""
        before = self._watchers.get(caller.session)
        conversations = {c for c in wanted.conversations if self._sockets.hears(caller.session, c)}
        watcher = Watcher(caller, push, set(wanted.accounts), conversations)
        self._watchers[caller.session] = watcher
        for account in watcher.accounts:
            if account not in self._people:
                self._people[account] = Watched()
                self._bus.overhear(f"presence:{account}", partial(self._whispered, (account, None)))
            self._people[account].watchers.add(watcher)
        for conversation in watcher.conversations:
            if conversation not in self._screens:
                self._screens[conversation] = set()
                self._bus.overhear(f"typing:{conversation}", partial(self._written, conversation))
            self._screens[conversation].add(watcher)
        if before is None:
            return conversations, set()
        self._remove(before)
        return conversations, before.conversations - conversations

    def forget(self, session: SessionId) -> set[ConversationId]:
        """A session is gone and watches nothing; gives the conversations it had on screen."""
        watcher = self._watchers.pop(session, None)
        if watcher is None:
            return set()
        self._remove(watcher)
        return watcher.conversations

    def screens(self) -> Iterable[tuple[ConversationId, AccountId]]:
        """Who has which conversation on screen."""
        return [(each, watcher.caller.account) for each, watchers in self._screens.items() for watcher in watchers]

    def know(self, account: AccountId, shown: Shown) -> bool:
        """Remember what is known of a watched account; tells whether that is news."""
        watched = self._people.get(account)
        if watched is None:
            return False
        is_news = watched.told is not None and watched.told != shown
        watched.told, watched.told_at = shown, time.monotonic()
        return is_news

    def stale(self) -> list[AccountId]:
        """Watched accounts that must be asked for again."""
        since = time.monotonic() - REFRESH_SECONDS
        return [a for a, watched in self._people.items() if watched.told_at < since or watched.told == "unknown"]

    async def tell_presence(self, frame: frames.Presence) -> None:
        """Tell the watchers of somebody who may see it; when they were last here is for those who may see that."""
        watched = self._people.get(frame.account)
        if watched is None:
            return
        if frame.status == "unknown":  # says nothing about anybody, and holds for everybody
            for watcher in watched.watchers:
                watcher.push(frames.Presence(frame.account, "unknown"))
            return
        askers = list({watcher.caller.account for watcher in watched.watchers})
        async with self._db.read() as reader:
            seeing = await contacts.audience(reader, frame.account, askers, "see_presence")
            timing = set()
            if frame.status == "offline":
                timing = await contacts.audience(reader, frame.account, askers, "see_last_seen")
        plain = frames.Presence(frame.account, frame.status)
        timed = frames.Presence(frame.account, frame.status, frame.last_seen_at or now())
        for watcher in list(watched.watchers):
            if watcher.caller.account in seeing:
                watcher.push(timed if watcher.caller.account in timing else plain)

    async def tell_typing(self, frame: frames.Writing) -> None:
        """Tell the others who have the conversation on screen, are in it, and may see the writer."""
        watchers = [
            watcher
            for watcher in self._screens.get(frame.conversation, ())
            if watcher.caller.account != frame.account
            and self._sockets.hears(watcher.caller.session, frame.conversation)
        ]
        if not watchers:
            return
        askers = list({watcher.caller.account for watcher in watchers})
        async with self._db.read() as reader:
            seeing = await contacts.audience(reader, frame.account, askers, "see_presence")
        for watcher in watchers:
            if watcher.caller.account in seeing:
                watcher.push(frame)

    def _whispered(self, news: News, frame: frames.FromServer) -> None:
        self._heard(news, frame)

    def _written(self, conversation: ConversationId, frame: frames.FromServer) -> None:
        if isinstance(frame, frames.Writing):
            self._heard((frame.account, conversation), frame)

    def _remove(self, watcher: Watcher) -> None:
        for account in watcher.accounts:
            watched = self._people[account]
            watched.watchers.discard(watcher)
            if not watched.watchers:
                del self._people[account]
                self._bus.unwatch(f"presence:{account}")
        for conversation in watcher.conversations:
            self._screens[conversation].discard(watcher)
            if not self._screens[conversation]:
                del self._screens[conversation]
                self._bus.unwatch(f"typing:{conversation}")
