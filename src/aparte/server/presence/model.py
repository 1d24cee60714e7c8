"""What a process knows of live sessions and of those who watch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aparte.server.kit.caller import Caller
from aparte.wire.accounts import Status
from aparte.wire.frames import FromServer
from aparte.wire.ids import AccountId, ConversationId, SessionId

Shown = Status | Literal["unknown"]
"""What others see; `unknown` while nobody can tell."""


LiveSessionKey = str
"""`{session}/{device}`, the member of `presence:sessions:{account}`."""


@dataclass(slots=True)
class LiveSession:
    """A session with a socket here. A socket may be replaced by a newer one of the same session."""

    caller: Caller
    connected_at: float
    sockets: int = 1
    typing: dict[ConversationId, tuple[bool, float]] = field(default_factory=dict)
    """What was last said about typing, and when (monotonic seconds)."""


@dataclass(slots=True)
class Here:
    """An account with live sessions in this process. Times are seconds since 1970."""

    sessions: dict[SessionId, LiveSession] = field(default_factory=dict)
    departed: set[LiveSessionKey] = field(default_factory=set)
    last_activity: float = 0.0
    noted_at: float = 0.0
    """When `last_seen_at` was last written from here."""
    declared: Status = "online"


@dataclass(frozen=True, slots=True)
class Found:
    """What Valkey knows of an account, over all processes."""

    connections: int
    last_activity: float


@dataclass(eq=False, slots=True)
class Watcher:
    """A socket that has people or conversations on screen."""

    caller: Caller
    push: Callable[[FromServer], None]
    accounts: set[AccountId] = field(default_factory=set)
    conversations: set[ConversationId] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Watched:
    """An account that sockets of this process have on screen."""

    watchers: set[Watcher] = field(default_factory=set)
    told: Shown | None = None
    told_at: float = 0.0
    """Monotonic seconds."""
