"""What the SDK hands to its users: plain, immutable values with names instead of ids where people read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

import msgspec

from aparte.client.core.events import Deed, Happened, Policy
from aparte.client.core.names import OWN_NOTES, group_title
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.expiring import ExpiringRow
from aparte.client.store.outbox import HELD, OutboxRow
from aparte.wire import kinds
from aparte.wire import messages as wire
from aparte.wire.content import ConversationSettings, Format, Forwarded, Permission, Role
from aparte.wire.ids import AccountId, ClientMessageId, ConversationId, DeviceId, EntryId, HeldId, RoleId

NO_REACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody did instead of saying something: `tell` words it."""

    deed: Deed
    subjects: tuple[str, ...] = ()
    """To whom: user names."""
    role: Role | None = None
    policy: tuple[Policy, ...] = ()
    """What holds in the group from here on."""
    text: str | None = None
    """Its new name or topic; the reaction; what a role or a member is called from here on."""
    ttl: tuple[str, int] | None = None
    """How long new messages stay from here on, in seconds, and from when; None: for good."""
    heir: str | None = None
    """Who owns the group from here on, because the owner went."""
    kind: str = "group"
    """Of what kind the conversation is."""
    message: EntryId | None = None
    """The message that was pinned or reacted to."""
    until: datetime | None = None
    """Until when somebody is silenced."""
    permissions: Mapping[Permission, bool] = field(default_factory=dict)
    """What a role, or a member alone, is granted or denied."""
    role_id: RoleId | None = None
    """The custom role that it is about."""
    settings: ConversationSettings | None = None
    """How the conversation is run from here on; `changed` names what is otherwise than before."""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message that a message answers, as far as it is here."""

    id: EntryId
    sender: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the words of a forwarded message were said first, between conversations that the server can read."""

    conversation_id: ConversationId | None
    message: EntryId | None
    sender: str | None


@dataclass(frozen=True, slots=True)
class Thread:
    """What hangs under a message: how many answers, and the newest of them."""

    count: int
    last: EntryId | None
    is_followed: bool = False
    """Whether one is told of what comes: said so, or written in it and not said otherwise."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a message has said from a moment on."""

    at: datetime
    text: str
    format: Format = "text"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is now. `text` is None when it was deleted, or when its kind needs a newer Aparté."""

    conversation: str
    """`+name` of a group or whatever else only its members know the name of, `#name` of a room or channel that the
    server can read, `@name` of a person, `@me` for one's own notes."""
    conversation_id: ConversationId
    seq: int
    id: EntryId
    sender: str
    """User name; the account's id if that is not known any more."""
    sender_id: AccountId
    device: DeviceId | None
    kind: str
    text: str | None
    at: datetime
    client_message_id: ClientMessageId | None = None
    edit_count: int = 0
    deleted_at: datetime | None = None
    code: str | None = None
    """Why an encrypted message cannot be shown, when `kind` is `waiting` or `refused`."""
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who has reacted with what; of many, the first fifty are named."""
    reaction_counts: Mapping[str, int] = field(default_factory=dict)
    """How many have reacted with what."""
    reply: Quoted | None = None
    """What it answers."""
    mentions: tuple[str, ...] = ()
    is_pinned: bool = False
    passed_by: str | None = None
    """Who has passed it on and vouches for it, as long as nothing from its own device proves it."""
    is_forwarded: bool = False
    """The words were somebody else's first."""
    origin: Origin | None = None
    """Where they were said first, as far as one may know."""
    root: EntryId | None = None
    """The message whose thread it belongs to."""
    thread: Thread | None = None
    """What hangs under it, if anything does."""
    expires_at: datetime | None = None
    """When it disappears."""
    lasts: int | None = None
    """How many seconds it is there from being read on, if it was not read here."""
    edited_at: datetime | None = None
    typed: str | None = None
    """To its author alone: what was typed, where the server has changed it."""
    flag_count: int = 0
    """To moderators alone: how many have flagged it."""
    event: Event | None = None
    """What happened, if this is no message but something that somebody did; then there is no `text`."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message in the outbox: it waits, is `held` until a moderator has decided, or was refused (`code`) when nobody
    was there to be told. One that is let through comes by the log."""

    conversation_id: ConversationId
    client_message_id: ClientMessageId
    text: str
    queued_at: datetime
    state: Literal["waiting", "held", "refused"]
    code: str | None
    held: HeldId | None = None
    """Under which id it is held."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in, and what the device is called."""

    username: str
    password: str
    device_name: str = "command line"

    def __repr__(self) -> str:
        """Keep the password out of logs and tracebacks."""
        return f"Credentials(username={self.username!r}, device_name={self.device_name!r})"


def title_of(row: ConversationRow, names: Mapping[AccountId, str]) -> str:
    """Give how a conversation is written: `+name`, `#name`, `@name`, or `@me`."""
    if row.kind == "self":
        return OWN_NOTES
    if row.has_chain:
        return group_title(row.name, row.conversation)
    if row.peer is not None:
        return f"@{names.get(row.peer, row.peer)}"
    return f"#{row.name}"


def message_id(value: UUID | str) -> EntryId:
    """Read the id of a message. Raises ValueError."""
    return EntryId(value if isinstance(value, UUID) else UUID(value))


def rendered(
    message: wire.Message,
    title: str,
    names: Mapping[AccountId, str],
    kind: str = "message",
    *,
    code: str | None = None,
    reactions: Mapping[str, tuple[str, ...]] = NO_REACTIONS,
) -> Message:
    """Put names to a message of the wire."""
    return Message(
        conversation=title,
        conversation_id=message.conversation,
        seq=message.seq,
        id=message.id,
        sender=names.get(message.account, str(message.account)),
        sender_id=message.account,
        device=message.device,
        kind=kind,
        text=message.content.text if message.content else None,
        at=message.at,
        client_message_id=message.client_message_id,
        edit_count=message.edit_count,
        deleted_at=message.deleted_at,
        code=code,
        reactions=reactions,
        reaction_counts={emoji: len(people) for emoji, people in reactions.items()},
        root=message.root,
        edited_at=message.edited_at,
    )


def ending(message: Message, ends: ExpiringRow | None) -> Message:
    """Say until when a message is there, or how long once it is read."""
    if ends is None:
        return message
    if ends.expires_at is None:
        return replace(message, lasts=ends.lasts // 1000)
    return replace(message, expires_at=datetime.fromtimestamp(ends.expires_at / 1000, UTC))


def quoted(answered: wire.Message | None, names: Mapping[AccountId, str]) -> Quoted | None:
    """Show the message that is answered."""
    if answered is None:
        return None
    text = answered.content.text if answered.content else None
    return Quoted(answered.id, names.get(answered.account, str(answered.account)), text)


def origin_of(forwarded: Forwarded | None, names: Mapping[AccountId, str]) -> Origin | None:
    """Show where forwarded words were said first; None where that is not known."""
    if forwarded is None or (forwarded.conversation, forwarded.message, forwarded.account) == (None, None, None):
        return None
    sender = names.get(forwarded.account, str(forwarded.account)) if forwarded.account is not None else None
    return Origin(forwarded.conversation, forwarded.message, sender)


def event_message(item: Happened, row: ConversationRow, title: str, names: Mapping[AccountId, str]) -> Message:
    """Put names to something that happened."""
    entry = item.entry
    subjects = tuple(names.get(account, str(account)) for account in item.subjects)
    heir = names.get(item.heir, str(item.heir)) if item.heir else None
    return Message(
        conversation=title,
        conversation_id=row.conversation,
        seq=entry.seq,
        id=entry.id,
        sender=names.get(item.actor, str(item.actor)),
        sender_id=item.actor,
        device=entry.device,
        kind=kinds.name_of(entry.kind),
        text=None,
        at=entry.at,
        event=Event(
            item.deed,
            subjects,
            item.role,
            item.policy,
            item.text,
            item.ttl,
            heir,
            row.kind,
            item.message,
            item.until,
            item.permissions,
            item.role_id,
            item.settings,
            item.changed,
        ),
    )


def unsent_of(row: OutboxRow, held: str = "") -> Unsent:
    """Show a message of the outbox. `held`: under which id the server holds it."""
    return Unsent(
        conversation_id=row.conversation,
        client_message_id=row.client_message_id,
        text=msgspec.json.decode(row.body, type=wire.SendMessage).content.text if row.body else "",
        queued_at=datetime.fromtimestamp(row.queued_at_ms / 1000, UTC),
        state="waiting" if row.outcome is None else "held" if row.outcome == HELD else "refused",
        code=row.outcome,
        held=HeldId(UUID(held)) if held and row.outcome == HELD else None,
    )
