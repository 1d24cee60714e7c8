"""REST bodies about messages and entries."""

from datetime import datetime
from typing import Any

import msgspec

from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.sealed import Sealed


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
    body: Any = None
    sealed: Sealed | None = None


class EntryPage(msgspec.Struct, frozen=True):
    """Entries in order; ask again after the last one while `more`."""

    entries: list[Entry]
    more: bool


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


class MessagePage(msgspec.Struct, frozen=True):
    """Messages in order of time. `older` and `newer` are the ids to ask `before` and `after`, none at the ends."""

    messages: list[Message]
    older: EntryId | None
    newer: EntryId | None


class SendMessage(msgspec.Struct, frozen=True):
    """A message to store. Repeating it with the same `client_message_id` stores it once (30 days)."""

    client_message_id: ClientMessageId
    content: MessageContent


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
