"""REST bodies of what keeps public rooms fit to be in: word lists, messages held back, flags.

The desk where reports are worked through stands elsewhere; here are the states that messages can be in.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ConversationId, EntryId, HeldId
from aparte.wire.messages import Message

FlagReason = Literal["spam", "abuse", "violence", "sexual", "illegal", "other"]


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """A word or phrase that is looked for: whole words, without case and accents; `*` at its end finds beginnings.

    `hold` lets a moderator decide, `refuse` refuses at once.
    """

    text: Annotated[str, Meta(min_length=1, max_length=limits.WORD)]
    action: Literal["hold", "refuse"] = "hold"


class WordList(msgspec.Struct, frozen=True):
    """A word list, whole: of one conversation, or the server's own, which holds in every room that is moderated
    automatically."""

    words: Annotated[list[Word], Meta(max_length=limits.WORDS)]


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that waits for a moderator, or was rejected: seen by its author and by moderators. It has no position
    until it is approved."""

    id: HeldId
    conversation: ConversationId
    account: AccountId
    content: MessageContent
    status: Literal["pending", "approved", "rejected"]
    at: datetime
    thread: EntryId | None = None
    words: list[str] = []
    """To moderators alone: what was found."""
    decided_by: AccountId | None = None
    decided_at: datetime | None = None
    reason: str = ""
    message: EntryId | None = None
    """Once it is approved."""


class HeldList(msgspec.Struct, frozen=True):
    """Messages that wait, the oldest first: everybody's for moderators, one's own for members."""

    held: list[Held]


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """Let a held message through, or reject it and say why."""

    approve: bool
    reason: Annotated[str, Meta(max_length=limits.REASON)] = ""


class Flag(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tell moderators of a message; one open flag of a person per message."""

    reason: FlagReason
    note: Annotated[str, Meta(max_length=limits.REASON)] = ""


class Flagged(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that members have flagged, as moderators see it: how often for which reason, and what was said of it;
    who has is not told."""

    message: Message
    reasons: dict[FlagReason, int]
    notes: list[str] = []


class FlaggedPage(msgspec.Struct, frozen=True):
    """Flagged messages, the newest first; `next` continues."""

    flagged: list[Flagged]
    next: EntryId | None
