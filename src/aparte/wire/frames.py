"""Gateway frames: one WebSocket per device at `/api/v1/gateway`, JSON or MessagePack by subprotocol.

A frame is a map with its `type`. Requests carry a `ref` of the client's choice, repeated in the answer, which is the
frame named in the request's docstring or `error`. What the server sends unasked has no `ref`. Frames with marks and
whispers are not answered. What can be sent here can be sent over REST with the same structs and the same outcome.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from aparte.wire import limits
from aparte.wire.accounts import StateItem, Status, Token
from aparte.wire.conversations import Seq
from aparte.wire.ids import FIRST_ID, AccountId, ClientMessageId, ConversationId, EntryId, Position
from aparte.wire.messages import ChangeMessage, Entry, Head, PinMessage, React, SendMessage
from aparte.wire.sealed import SealEntry

SUBPROTOCOL_JSON = "aparte.v1.json"
SUBPROTOCOL_MSGPACK = "aparte.v1.msgpack"

Ref = Annotated[int, Meta(ge=0, le=limits.SAFE_INTEGER)]
Marker = Annotated[str, Meta(max_length=64)]


class Frame(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Anything that goes over the gateway."""


# From the client ------------------------------------------------------------------------------------------------


class Hello(Frame, frozen=True):
    """First frame, within five seconds. Answered by `welcome`."""

    access_token: Token
    protocol: int = limits.PROTOCOL
    rev: Seq = 0
    """The newest account state that the device has."""


class Changes(Frame, frozen=True):
    """Which of my conversations moved since `after`? Answered by `heads`, newest activity first.

    `after` is the marker of an earlier `welcome`; empty or of another generation means all. `before` continues.
    """

    ref: Ref
    after: Marker = ""
    before: EntryId | None = None
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_CHANGES)] = 50


class Entries(Frame, frozen=True):
    """The log of a conversation after an entry, in order. Answered by `log`; refused with `resync` below the floor."""

    ref: Ref
    conversation: ConversationId
    after: EntryId = FIRST_ID
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_ENTRIES)] = 200


class State(Frame, frozen=True):
    """The account state after a revision. Answered by `states`."""

    ref: Ref
    after: Seq = 0


class Send(Frame, frozen=True):
    """Store a message. Answered by `sent`."""

    ref: Ref
    conversation: ConversationId
    message: SendMessage


class Seal(Frame, frozen=True):
    """Store a sealed entry. Answered by `sent`."""

    ref: Ref
    conversation: ConversationId
    entry: SealEntry


class Edit(Frame, frozen=True):
    """Change a message. Answered by `sent` with the edit's own position."""

    ref: Ref
    conversation: ConversationId
    message: EntryId
    change: ChangeMessage


class Delete(Frame, frozen=True):
    """Delete a message for everyone, or only for me. Answered by `sent`, or `done` for me."""

    ref: Ref
    conversation: ConversationId
    message: EntryId
    client_message_id: ClientMessageId
    scope: Literal["everyone", "me"] = "everyone"


class Restore(Frame, frozen=True):
    """Take back a deletion for everyone, within 30 days. Answered by `sent`."""

    ref: Ref
    conversation: ConversationId
    message: EntryId
    client_message_id: ClientMessageId


class SetReaction(Frame, frozen=True, tag="react"):
    """Set a reaction, or take it back. Answered by `sent`, or `done` where it was so already."""

    ref: Ref
    conversation: ConversationId
    message: EntryId
    reaction: React


class SetPin(Frame, frozen=True, tag="pin"):
    """Pin a message, or unpin it. Answered by `sent`, or `done` where it was so already."""

    ref: Ref
    conversation: ConversationId
    message: EntryId
    pin: PinMessage


class Ack(Frame, frozen=True):
    """This device has stored the log up to here. Not answered."""

    conversation: ConversationId
    up_to: Position


class Read(Frame, frozen=True):
    """The person has read up to here; implies that it is stored. Not answered."""

    conversation: ConversationId
    up_to: Position


class Watch(Frame, frozen=True):
    """Whose presence, and typing in which conversations, to whisper from now on; replaces the earlier list."""

    accounts: Annotated[list[AccountId], Meta(max_length=limits.WATCHED)] = []
    conversations: Annotated[list[ConversationId], Meta(max_length=limits.WATCHED)] = []


class Typing(Frame, frozen=True):
    """I am writing, or have stopped. Not answered, not stored, over after five seconds."""

    conversation: ConversationId
    on: bool = True


# From the server ------------------------------------------------------------------------------------------------


class Welcome(Frame, frozen=True):
    """The gateway is open. Keep `marker` once everything that `changes` names is fetched, for the next time."""

    marker: str
    rev: int
    server_time: datetime
    ping_seconds: int = 20


class Heads(Frame, frozen=True):
    """Where the conversations that moved stand; ask again with `before` = `next` while it is there."""

    ref: Ref
    heads: list[Head]
    next: EntryId | None = None


class Log(Frame, frozen=True):
    """Entries in order; ask again after the last one while `more`."""

    ref: Ref
    conversation: ConversationId
    entries: list[Entry]
    more: bool


class States(Frame, frozen=True):
    """Account state, oldest change first; without `ref` a hint that there is more up to `rev`."""

    rev: int
    items: list[StateItem] = []
    more: bool = False
    ref: Ref | None = None


class Sent(Frame, frozen=True):
    """An entry is stored: its position and time."""

    ref: Ref
    conversation: ConversationId
    seq: int
    id: EntryId
    at: datetime


class Done(Frame, frozen=True):
    """A request without another answer has been done."""

    ref: Ref


class Error(Frame, frozen=True, omit_defaults=True):
    """A request is refused, with the code of `wire.errors`; without `ref` it concerns the socket itself."""

    code: str
    ref: Ref | None = None
    detail: str = ""
    retry_after: float | None = None
    reference: str | None = None
    data: dict[str, Any] = {}


class Live(Frame, frozen=True, tag="entry"):
    """An entry as it is written. If `seq` is not the next one, ask `entries`."""

    conversation: ConversationId
    entry: Entry


class Moved(Frame, frozen=True, tag="head"):
    """A hint: the log of this conversation reaches at least here. Ask `entries` if that is news."""

    conversation: ConversationId
    seq: int
    id: EntryId


class Receipts(Frame, frozen=True, tag="receipt"):
    """A member's devices have stored, or the member has read, up to here."""

    conversation: ConversationId
    account: AccountId
    kind: Literal["delivered", "read"]
    up_to: int


class Waiting(Frame, frozen=True, tag="waiting"):
    """A hint: payloads wait for this device. Ask for them over REST."""


class Writing(Frame, frozen=True, tag="writing"):
    """A member of a watched conversation is writing, or has stopped."""

    conversation: ConversationId
    account: AccountId
    on: bool


class Presence(Frame, frozen=True, tag="presence"):
    """The presence of a watched account; `unknown` while the presence store is away."""

    account: AccountId
    status: Status | Literal["unknown"]
    last_seen_at: datetime | None = None


FromClient = (
    Hello
    | Changes
    | Entries
    | State
    | Send
    | Seal
    | Edit
    | Delete
    | Restore
    | SetReaction
    | SetPin
    | Ack
    | Read
    | Watch
    | Typing
)
FromServer = (
    Welcome | Heads | Log | States | Sent | Done | Error | Live | Moved | Receipts | Waiting | Writing | Presence
)


class Close:
    """Close codes of the gateway beside those of RFC 6455."""

    RESTART = 1012
    """The server restarts; the reason is the delay in milliseconds to wait before coming back."""
    OVERLOADED = 1013
    """The reader was too slow, or the server sheds load; catch up with `changes`."""
    UNAUTHENTICATED = 4001
    REPLACED = 4009
    """Another gateway of the same device took over."""
    PROTOCOL = 4002
    """Malformed, too large or unknown frames, or no hello."""
