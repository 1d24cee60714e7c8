"""What is flagged, and what came of sending an approved message."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aparte.server.kit.caller import Caller
from aparte.wire.accounts import PlatformRole
from aparte.wire.ids import ConversationId, EntryId
from aparte.wire.messages import SendMessage, Sent
from aparte.wire.moderation import FlagReason

Send = Callable[[Caller, ConversationId, SendMessage], Awaitable[Sent]]
"""The path of everything that is said, but for the word lists; handed in by `app`."""


class Author(NamedTuple):
    """Who the author of a message is by now."""

    role: PlatformRole
    is_open: bool
    """Whether the account is: active, neither suspended nor deleted."""


class Outcome(NamedTuple):
    """The message that it has become, or the code with which it was refused; neither: it is tried again."""

    sent: EntryId | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class FlagsOf:
    """The open flags of one message."""

    message: EntryId
    reasons: Mapping[FlagReason, int]
    notes: tuple[str, ...] = field(repr=False)


NOTES = 20
"""What was said of one message, as far as it is shown: the newest."""
