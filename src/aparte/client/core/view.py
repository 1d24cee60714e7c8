"""What a conversation looks like after its entries: pure.

A stale copy, the entries after it and the account state give what a fresh fetch gives. `erased_at` is the exception:
erasing takes no position, so a copy learns of it only by fetching.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from aparte.client.core.bodies import body_of
from aparte.wire import kinds
from aparte.wire.content import MessageContent, Profile, Role
from aparte.wire.conversations import Conversation, Member
from aparte.wire.ids import START, AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Entry, Message


class Gap(ValueError):
    """An entry that is not the next one was to be applied: entries before it are missing."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place: the role, and where they came in."""

    role: Role
    joined: Position


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as its entries up to `at` have made it."""

    conversation: ConversationId
    at: Position = START
    name: str = ""
    topic: str = ""
    description: str = ""
    members: Mapping[AccountId, Seat] = field(default_factory=dict)
    messages: Mapping[EntryId, Message] = field(default_factory=dict)
    unknown: tuple[Entry, ...] = ()
    """Entries of kinds that this version does not know: kept, and shown as in need of a newer Aparté."""

    @property
    def owner(self) -> AccountId | None:
        """The member who owns the room."""
        return next((account for account, seat in self.members.items() if seat.role == "owner"), None)

    @property
    def message_count(self) -> int:
        """Messages that are there, that is, not deleted for everyone."""
        return sum(message.deleted_at is None for message in self.messages.values())


def view_of(conversation: Conversation, members: Iterable[Member], messages: Iterable[Message]) -> View:
    """Build the view of a fresh fetch; all three as of the same head."""
    return View(
        conversation=conversation.id,
        at=conversation.head,
        name=conversation.name,
        topic=conversation.topic,
        description=conversation.description,
        members={member.person.id: Seat(member.role, member.joined) for member in members},
        messages={message.id: message for message in messages},
    )


def apply(view: View, entry: Entry) -> View:
    """Give the view after one more entry. One that is in already changes nothing; raises Gap if one is missing."""
    return replay(view, (entry,))


def replay(view: View, entries: Iterable[Entry]) -> View:
    """Apply entries in order, copying the view once however many they are."""
    members, messages = dict(view.members), dict(view.messages)
    for entry in entries:
        if entry.seq <= view.at.seq:
            continue
        if entry.seq != view.at.seq + 1:
            raise Gap(f"entry {entry.seq} after {view.at.seq}")
        view = replace(view, at=Position(entry.seq, entry.id), **profile_after(entry))
        change_members(members, entry)
        change_messages(messages, view.conversation, entry)
        if entry.kind not in kinds.KINDS:
            view = replace(view, unknown=(*view.unknown, entry))
    return replace(view, members=members, messages=messages)


def profile_after(entry: Entry) -> dict[str, Any]:
    """Give the fields that an entry changes about the conversation itself."""
    body = body_of(entry) if entry.kind in {kinds.CREATED, kinds.PROFILE} else None
    if not isinstance(body, Profile):
        return {}
    return {"name": body.name, "topic": body.topic, "description": body.description}


def change_members(members: dict[AccountId, Seat], entry: Entry) -> None:
    """Seat, move or unseat whom an entry is about. The creator is the owner without an entry of their own."""
    here = Position(entry.seq, entry.id)
    if entry.kind == kinds.CREATED:
        members[entry.account] = Seat("owner", here)
    body = body_of(entry)
    if not isinstance(body, kinds.MemberChange):
        return
    if body.role is None:
        members.pop(body.account, None)
    elif entry.kind == kinds.ROLE and body.account in members:
        members[body.account] = replace(members[body.account], role=body.role)
    else:
        members[body.account] = Seat(body.role, here)


def change_messages(messages: dict[EntryId, Message], conversation: ConversationId, entry: Entry) -> None:
    """Add a message, or change the one that an entry names."""
    if entry.kind == kinds.MESSAGE:
        messages[entry.id] = message_of(conversation, entry)
    elif entry.target is not None and entry.target.id in messages:
        messages[entry.target.id] = changed(messages[entry.target.id], entry)


def lasting(changes: Iterable[Entry]) -> list[Entry]:
    """Leave out deletions that were taken back where the message was kept: there the restore brings no words."""
    kept: list[Entry] = []
    for change in changes:
        body = body_of(change) if change.kind == kinds.DELETION else None
        if isinstance(body, kinds.Switch) and not body.on and body.content is None:
            kept = [before for before in kept if before.kind != kinds.DELETION]
        else:
            kept.append(change)
    return kept


def reactions_of(changes: Iterable[Entry]) -> dict[str, tuple[AccountId, ...]]:
    """Give who has reacted with what after the entries about a message, in order: the last of each person counts."""
    found: dict[str, dict[AccountId, None]] = {}
    for change in changes:
        body = body_of(change)
        if isinstance(body, kinds.Reacted):
            people = found.setdefault(body.emoji, {})
            people.pop(change.account, None)
            if body.on:
                people[change.account] = None
    return {emoji: tuple(people) for emoji, people in found.items() if people}


def message_of(conversation: ConversationId, entry: Entry) -> Message:
    """Give the message that an entry is when nothing has changed it yet."""
    body = body_of(entry)
    return Message(
        conversation=conversation,
        seq=entry.seq,
        id=entry.id,
        at=entry.at,
        account=entry.account,
        ordinal=entry.ordinal or 0,
        device=entry.device,
        client_message_id=entry.client_message_id,
        content=body if isinstance(body, MessageContent) else None,
    )


def changed(message: Message, entry: Entry) -> Message:
    """Give a message after an edit, a deletion for everyone or a restore of it; other kinds leave it as it is."""
    body = body_of(entry)
    if entry.kind == kinds.EDIT:
        content = body if isinstance(body, MessageContent) else None
        return msgspec.structs.replace(message, content=content, edit_count=message.edit_count + 1, edited_at=entry.at)
    if entry.kind != kinds.DELETION or not isinstance(body, kinds.Switch):
        return message
    if body.on:
        return msgspec.structs.replace(message, content=None, deleted_at=entry.at, deleted_by=entry.account)
    return msgspec.structs.replace(message, content=body.content or message.content, deleted_at=None, deleted_by=None)
