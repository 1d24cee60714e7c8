"""A message on its way in, and a message as it is stored."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from aparte.server.conversations.model import Private
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, Position
from aparte.wire.sealed import Envelope

Key = tuple[ConversationId, DeviceId, ClientMessageId]
"""What makes two sends the same one."""

STORED, REPEAT, AGAIN, NOT_MEMBER, REUSED, CLOCK, MODE, BLOCKED, EPOCH, CHAIN, MISSING, TOO_OLD = range(12)
FORBIDDEN, ARCHIVED, SILENCED, SLOW, SCREEN, REFUSED = range(12, 18)
"""Outcomes of the function `send_v4`."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an entry is: its position, its ordinal if it is a message that is new, and whether it was stored just now
    (a repeat was not)."""

    position: Position
    ordinal: int | None
    is_new: bool
    is_addressed: bool = False
    """Devices were given the sender's chain with it, each its own: they fetch the entry instead of being pushed it."""
    expires_at: datetime | None = None
    """Of a message that is new and disappears."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Whether every device can read an entry, and what reaches them with it."""

    uncovered: int = STORED
    """Otherwise the outcome to give: `MISSING` or `TOO_OLD`."""
    envelopes: tuple[Envelope, ...] = field(default=(), repr=False)
    commits: frozenset[DeviceId] | None = None
    """In a group: whose pending distributions it commits; None where the chain is known to be complete."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """What a sealed entry has beside what every message has: its head, and how its readers get its key."""

    kind: int
    sealed: bytes
    epoch: int
    roster: bytes
    counter: int
    prev: bytes
    hash: bytes
    peer: AccountId | None
    """The other one of a direct conversation: between the two no block may be."""
    cover: Cover
    chain: int | None = None
    """In a group: the sender-key chain that opens `group_key`."""
    group_key: bytes | None = field(default=None, repr=False)
    target: Position | None = None
    target_hash: bytes | None = None
    tag: bytes | None = None
    is_on: bool | None = None


@dataclass(frozen=True, slots=True)
class Bonds:
    """What ties a message to others, and what few messages have beside."""

    root: Position | None = None
    """Of the thread that a readable message belongs to."""
    reply: EntryId | None = None
    references: tuple[EntryId, ...] = ()
    mentions: tuple[AccountId, ...] = ()
    source: str | None = field(default=None, repr=False)
    """What was typed, where something else is stored."""
    ttl: int | None = None
    """Seconds that it stays."""


class State(NamedTuple):
    """A message that another one hangs on."""

    position: Position
    is_reply: bool
    """It belongs to a thread itself."""
    is_gone: bool
    """Deleted, erased or expired."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A message that somebody forwards."""

    content: MessageContent | None
    account: AccountId
    is_public: bool
    """Anybody may read where it is from."""
    is_gone: bool


@dataclass(slots=True, eq=False)  # not frozen, which costs a microsecond a message: nobody changes one
class Outgoing:
    """A message that waits for its batch. `digest` stands for what its sender gave.

    Readable: `content` is its JSON, exactly as it is stored. Sealed: `sealing` is there instead. `refusal` is what was
    found against it before the lock: it is told unless this is a repeat, or no member is asking.
    """

    conversation: ConversationId
    account: AccountId
    device: DeviceId
    client_message_id: ClientMessageId
    message: MessageContent | None
    content: bytes | None
    digest: int
    done: "asyncio.Future[Placed]" = field(repr=False)
    sealing: Sealing | None = None
    bonds: Bonds | None = None
    refusal: Refusal | None = None
    screening: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Asks the word lists of a conversation that has them; None: they were asked, or need not be."""

    @property
    def key(self) -> Key:
        """What makes it the same message again."""
        return (self.conversation, self.device, self.client_message_id)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one message of a batch."""

    outcome: int
    id: EntryId | None
    seq: int | None
    ordinal: int | None
    known: int | None = None
    """With another epoch the right one; with a broken chain its newest counter; of a silence its end, of slow mode the
    wait, in milliseconds."""
    known_hash: bytes | None = None
    """The roster of that epoch; the hash of that entry; why somebody is silenced."""
    commits: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A message that somebody wants to change."""

    position: Position
    account: AccountId
    ordinal: int
    deletion: EntryId | None
    """The entry that deleted it for everyone, while it is deleted."""
    deleted_by: AccountId | None
    is_erased: bool
    hash: bytes | None = None
    """Of a sealed message: what an entry that aims at it must name."""
    is_reply: bool = False
    """It belongs to a thread."""


@dataclass(frozen=True, slots=True)
class Covering:
    """Who must have an envelope for what is sent in one epoch of a conversation."""

    private: Private
    listed: frozenset[DeviceId]
    dormant: frozenset[DeviceId]

    @property
    def is_group(self) -> bool:
        """Whether keys go in a sender-key message, and not in envelopes."""
        return self.private.kind not in {"direct", "self"}


@dataclass(frozen=True, slots=True)
class ChainState:
    """What is known of a device's sender-key chain: the newest epoch in which every device had it (None: it was never
    used, or another one since), and the devices whose distribution is pending."""

    complete: int | None
    pending: frozenset[DeviceId]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A device has newly acknowledged the entries after one position up to another."""

    conversation: ConversationId
    device: DeviceId
    after: int
    up_to: int
    is_group: bool


@dataclass(frozen=True, slots=True)
class Repeat:
    """What the same client_message_id did before."""

    position: Position
    digest: int


@dataclass(frozen=True, slots=True)
class Change:
    """Edit, deletion or restore of a message, as it was asked."""

    conversation: ConversationId
    message: EntryId
    client_message_id: ClientMessageId
    kind: int
    body: object
    stored: object | None = None
    """What the server makes of the body; None: it is stored as it is."""


RECOVERY_DAYS = 30
"""How long deleted content can be restored (G-11)."""
DEDUP_DAYS = 30
"""How long a client_message_id is remembered."""
ENVELOPE_DAYS = 60
"""How long envelopes, group keys and distributions wait for the slowest device."""
PENDING_MINUTES = 10
"""How long a distribution waits for the entry that names its chain."""
LATE_MINUTES = 15
"""After so long a pending one is forgotten: later than it counts, so that none goes while an entry is on its way."""
PENDING_CHAINS = 3
"""Chains of one device that are on their way into one conversation at once; of more the oldest are forgotten."""
