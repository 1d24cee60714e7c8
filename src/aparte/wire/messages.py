"""REST bodies about messages and entries."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.content import Emoji, MessageContent
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position, ScheduledId
from aparte.wire.sealed import ChainId, Hash, Sealed, SealedTarget


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One position of a conversation's log. `body` is the struct that `wire.kinds` names for `kind`.

    An erased entry keeps everything but its body; so does a message that was deleted for everyone, and its edits.
    What people do in an encrypted conversation is `sealed` and has no body.
    """

    seq: int
    id: EntryId
    kind: int
    at: datetime
    account: AccountId
    device: DeviceId | None = None
    client_message_id: ClientMessageId | None = None
    ordinal: int | None = None
    """Messages only: 1, 2, 3 … among the countable ones, for unread counts."""
    target: Position | None = None
    """The message that is changed; of a message the root of the thread it belongs to."""
    expires_at: datetime | None = None
    """When a disappearing message is gone for everybody: no entry tells of it, every copy keeps the time."""
    body: Any = None
    sealed: Sealed | None = None


class EntryPage(msgspec.Struct, frozen=True):
    """Entries in order; ask again after the last one while `more`."""

    entries: list[Entry]
    more: bool


class Reaction(msgspec.Struct, frozen=True, omit_defaults=True):
    """One emoji under a message: how many set it, who (the first fifty), and whether the caller did."""

    count: int
    accounts: list[AccountId]
    is_mine: bool = False


class Thread(msgspec.Struct, frozen=True, omit_defaults=True):
    """What hangs under a message that is a thread's root: replies that are there, and the newest one."""

    count: int
    last: EntryId | None = None
    is_followed: bool = False
    """By the caller: said so, or wrote in it and did not say otherwise."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message as it is now: the text of its newest edit, or no text once it is deleted."""

    conversation: ConversationId
    seq: int
    id: EntryId
    at: datetime
    account: AccountId
    ordinal: int
    device: DeviceId | None = None
    client_message_id: ClientMessageId | None = None
    content: MessageContent | None = None
    edit_count: int = 0
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: AccountId | None = None
    erased_at: datetime | None = None
    expires_at: datetime | None = None
    root: EntryId | None = None
    """The thread it belongs to."""
    thread: Thread | None = None
    """The thread that it is the root of, once it has had a reply."""
    reactions: dict[str, Reaction] = {}
    pinned_at: datetime | None = None
    pinned_by: AccountId | None = None
    source: str | None = None
    """To its author alone: what was typed, where the server changed it (R-185)."""
    flag_count: int = 0
    """To moderators alone: how many people have flagged it."""
    moderation: Literal["approved", "flagged"] = "approved"


class MessagePage(msgspec.Struct, frozen=True):
    """Messages in order of time. `older` and `newer` are the ids to ask `before` and `after`, none at the ends."""

    messages: list[Message]
    older: EntryId | None
    newer: EntryId | None


class ForwardOf(msgspec.Struct, frozen=True):
    """The message that is forwarded: one that the caller can read, and so can the server."""

    conversation: ConversationId
    message: EntryId


class SendMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message to store. Repeating it with the same `client_message_id` stores it once (30 days)."""

    client_message_id: ClientMessageId
    content: MessageContent
    thread: EntryId | None = None
    """The root of the thread that it belongs to."""
    forward: ForwardOf | None = None
    """Then the words come from there, and `content.text` is not taken."""


class PostMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message over REST, as the gateway takes it, for programs that make no UUIDs: instead of the id the header
    `Idempotency-Key` (1–100 characters), or `client_random` (32 bits), which stand for one made of them."""

    content: MessageContent
    client_message_id: ClientMessageId | None = None
    client_random: Annotated[int, Meta(ge=-(2**31), le=2**32 - 1)] | None = None
    thread: EntryId | None = None
    forward: ForwardOf | None = None


class ChangeMessage(msgspec.Struct, frozen=True):
    """An edit: what the message says from now on."""

    client_message_id: ClientMessageId
    content: MessageContent


class Sent(msgspec.Struct, frozen=True):
    """Where an entry is in the log; the same for every repeat."""

    conversation: ConversationId
    seq: int
    id: EntryId
    at: datetime


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of an edited message."""

    at: datetime
    content: MessageContent | None
    source: str | None = None
    """To its author alone: what was typed, where the server changed it."""


class History(msgspec.Struct, frozen=True):
    """All versions of a message in order of time, the original first."""

    versions: list[Version]


class Head(msgspec.Struct, frozen=True):
    """Where a conversation's log ends: the answer of `changes`, and the hint to look."""

    conversation: ConversationId
    head: Position
    floor: Position
    epoch: int
    read: Position
    """The caller's own read mark."""


class RestoreMessage(msgspec.Struct, frozen=True):
    """Take back a deletion for everyone."""

    client_message_id: ClientMessageId


# Reactions, pins, threads ---------------------------------------------------------------------------------------------


class React(msgspec.Struct, frozen=True):
    """Set a reaction, or take it back. What is so already stays so."""

    client_message_id: ClientMessageId
    emoji: Emoji
    on: bool = True


class PinMessage(msgspec.Struct, frozen=True):
    """Pin a message for everybody, or unpin it. What is so already stays so."""

    client_message_id: ClientMessageId
    on: bool = True


class PinList(msgspec.Struct, frozen=True):
    """The pinned messages of a conversation in order of pinning, the newest first."""

    messages: list[Message]


class Follow(msgspec.Struct, frozen=True):
    """Follow a thread, or no longer."""

    on: bool


class Reactor(msgspec.Struct, frozen=True):
    """Somebody who has set a reaction, and when."""

    account: AccountId
    at: datetime


class ReactorPage(msgspec.Struct, frozen=True):
    """Who has set one emoji under a message, in order of time; `next` continues."""

    reactors: list[Reactor]
    next: EntryId | None


class QuotePage(msgspec.Struct, frozen=True):
    """Messages that answer another one by quoting it, in order of time; `next` continues."""

    messages: list[Message]
    next: EntryId | None


class ThreadPage(msgspec.Struct, frozen=True):
    """Roots of threads, the one with the newest reply first; `next` continues."""

    roots: list[Message]
    next: EntryId | None


class Mentioned(msgspec.Struct, frozen=True):
    """Messages that mention the caller, newest first, from all conversations; `next` continues."""

    messages: list[Message]
    next: EntryId | None


# Scheduled ------------------------------------------------------------------------------------------------------------


class ScheduledSeal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sealed message that is due later: outside of its device's chain (counter 0, prev zeros). Its content key has
    gone to every device of the epoch already; in a group it waits here with it."""

    epoch: Annotated[int, Meta(ge=1, le=limits.SAFE_INTEGER)]
    roster: Hash
    sealed: Annotated[bytes, Meta(min_length=192, max_length=limits.SEALED_BYTES)]
    thread: SealedTarget | None = None
    mentions: Annotated[list[AccountId], Meta(max_length=limits.MENTIONS)] = []
    ttl: Annotated[int, Meta(ge=limits.TTL_SECONDS[0], le=limits.TTL_SECONDS[1])] | None = None
    chain: ChainId | None = None
    key: Annotated[bytes, Meta(min_length=1, max_length=limits.GROUP_KEY_BYTES)] | None = None


class NewScheduled(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message to send when it is due: words that the server can read, or sealed ones, never both."""

    client_message_id: ClientMessageId
    due: datetime
    message: SendMessage | None = None
    sealed: ScheduledSeal | None = None


class ScheduledChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another time, other words, or sealed again; what is left out stays."""

    due: datetime | None = None
    message: SendMessage | None = None
    sealed: ScheduledSeal | None = None


class Scheduled(msgspec.Struct, frozen=True, omit_defaults=True):
    """A scheduled message, to its author alone. `stale`: sealed for an epoch that is over; one of the author's devices
    seals it again. `refused`: why it was not sent when it was due."""

    id: ScheduledId
    conversation: ConversationId
    due: datetime
    status: Literal["waiting", "stale", "sent", "cancelled", "refused"]
    created_at: datetime
    client_message_id: ClientMessageId
    device: DeviceId
    message: SendMessage | None = None
    sealed: ScheduledSeal | None = None
    sent: EntryId | None = None
    refused: str | None = None


class ScheduledList(msgspec.Struct, frozen=True):
    """One's own scheduled messages in a conversation that are not over, in order of their time."""

    scheduled: list[Scheduled]
