"""What a conversation looks like after its entries: pure.

A stale copy, the entries after it and the account state give what a fresh fetch gives. `erased_at` is the exception:
erasing takes no position, so a copy learns of it only by fetching.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from aparte.client.core import changes
from aparte.client.core.bodies import body_of
from aparte.wire import kinds
from aparte.wire.content import (
    ConversationSettings,
    CustomRole,
    MemberNickname,
    MemberRights,
    MemberSilence,
    MessageContent,
    Permissions,
    Profile,
    Role,
)
from aparte.wire.conversations import Conversation, Member
from aparte.wire.ids import START, AccountId, ConversationId, EntryId, Position, RoleId
from aparte.wire.messages import Entry, Message


class Gap(ValueError):
    """An entry that is not the next one was to be applied: entries before it are missing."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place: the role, where they came in, and what is said of them alone."""

    role: Role
    joined: Position
    role_id: RoleId | None = None
    permissions: Permissions = field(default_factory=dict)
    nickname: str | None = None
    silenced_until: datetime | None = None
    """Whether they are silenced still is for who looks to tell: a silence ends without an entry."""


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as its entries up to `at` have made it."""

    conversation: ConversationId
    at: Position = START
    me: AccountId | None = None
    """Whose copy it is."""
    name: str = ""
    topic: str = ""
    description: str = ""
    welcome: str = ""
    rules: str = ""
    picture: str | None = None
    settings: ConversationSettings = field(default_factory=ConversationSettings)
    """Without the name that a fresh fetch shows in their metadata."""
    roles: Mapping[RoleId, CustomRole] = field(default_factory=dict)
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


def view_of(
    conversation: Conversation, members: Iterable[Member], messages: Iterable[Message], me: AccountId | None = None
) -> View:
    """Build the view of a fresh fetch; all three as of the same head."""
    return View(
        conversation=conversation.id,
        at=conversation.head,
        me=me,
        name=conversation.name,
        topic=conversation.topic,
        description=conversation.description,
        welcome=conversation.welcome,
        rules=conversation.rules,
        picture=conversation.picture,
        settings=unnamed(conversation.settings),
        roles={role.id: role for role in conversation.roles},
        members={member.person.id: seat_of(member) for member in members},
        messages={message.id: unflagged(message) for message in messages},
    )


def unflagged(message: Message) -> Message:
    """Give a message as its entries say it: how often it was flagged no entry says, and moderators ask."""
    return msgspec.structs.replace(message, flag_count=0, moderation="approved")


def unnamed(settings: ConversationSettings) -> ConversationSettings:
    """Give settings as their entries say them: what a conversation is called is said by its profile."""
    metadata = {key: value for key, value in settings.metadata.items() if key != "name"}
    return msgspec.structs.replace(settings, metadata=metadata)


def seat_of(member: Member) -> Seat:
    """Give the place of a member who was fetched."""
    return Seat(member.role, member.joined, member.role_id, member.permissions, member.nickname, member.silenced_until)


def apply(view: View, entry: Entry) -> View:
    """Give the view after one more entry. One that is in already changes nothing; raises Gap if one is missing."""
    return replay(view, (entry,))


def replay(view: View, entries: Iterable[Entry]) -> View:
    """Apply entries in order, copying the view once however many they are."""
    members, messages, roles = dict(view.members), dict(view.messages), dict(view.roles)
    for entry in entries:
        if entry.seq <= view.at.seq:
            continue
        if entry.seq != view.at.seq + 1:
            raise Gap(f"entry {entry.seq} after {view.at.seq}")
        view = replace(view, at=Position(entry.seq, entry.id), **fields_after(entry))
        change_members(members, entry)
        change_roles(roles, members, entry)
        change_messages(messages, view, entry)
        if entry.kind not in kinds.KINDS:
            view = replace(view, unknown=(*view.unknown, entry))
    return replace(view, members=members, messages=messages, roles=roles)


def fields_after(entry: Entry) -> dict[str, Any]:
    """Give the fields that an entry changes about the conversation itself."""
    if entry.kind not in {kinds.CREATED, kinds.PROFILE, kinds.SETTINGS}:
        return {}
    body = body_of(entry)
    if isinstance(body, ConversationSettings):
        return {"settings": body}
    return msgspec.structs.asdict(body) if isinstance(body, Profile) else {}


def change_members(members: dict[AccountId, Seat], entry: Entry) -> None:
    """Seat, move or unseat whom an entry is about. The creator is the owner without an entry of their own."""
    here = Position(entry.seq, entry.id)
    if entry.kind == kinds.CREATED:
        members[entry.account] = Seat("owner", here)
    match body_of(entry):
        case kinds.MemberChange(account, role, role_id):
            if role is None:
                members.pop(account, None)
            elif entry.kind == kinds.ROLE and account in members:
                members[account] = replace(members[account], role=role)
            else:
                members[account] = Seat(role, here, role_id)
        case MemberRights(account, role_id, permissions) if account in members:
            members[account] = replace(members[account], role_id=role_id, permissions=permissions)
        case MemberSilence(account, until) if account in members:
            members[account] = replace(members[account], silenced_until=until)
        case MemberNickname(account, nickname) if account in members:
            members[account] = replace(members[account], nickname=nickname)


def change_roles(roles: dict[RoleId, CustomRole], members: dict[AccountId, Seat], entry: Entry) -> None:
    """Define, change or end a custom role. One alone is the default; one that ends is nobody's any more."""
    body = body_of(entry) if entry.kind == kinds.ROLES else None
    if not isinstance(body, kinds.RolesChange):
        return
    if body.role is not None:
        if body.role.is_default:
            roles.update({key: msgspec.structs.replace(role, is_default=False) for key, role in roles.items()})
        roles[body.role.id] = body.role
    if body.gone is not None:
        roles.pop(body.gone, None)
        holders = [account for account, seat in members.items() if seat.role_id == body.gone]
        members.update({account: replace(members[account], role_id=None) for account in holders})


def change_messages(messages: dict[EntryId, Message], view: View, entry: Entry) -> None:
    """Add a message, or change the one that an entry names; and count it in the thread that it belongs to."""
    target = messages.get(entry.target.id) if entry.target is not None else None
    if entry.kind == kinds.MESSAGE:
        messages[entry.id] = message_of(view.conversation, entry)
        if target is not None:
            messages[target.id] = changes.answered(target, messages[entry.id], view.me)
    elif target is not None:
        now = messages[target.id] = changed(target, entry, view.me)
        root = messages.get(now.root) if now.root is not None else None
        if root is not None and (now.deleted_at is None) != (target.deleted_at is None):
            change = 1 if now.deleted_at is None else -1
            messages[root.id] = changes.recounted(root, messages.values(), change)


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
        expires_at=entry.expires_at,
        root=entry.target.id if entry.target is not None else None,
    )


def changed(message: Message, entry: Entry, me: AccountId | None = None) -> Message:
    """Give a message after an edit, a deletion for everyone or a restore of it, a reaction or a pin; other kinds leave
    it as it is."""
    body = body_of(entry)
    if entry.kind == kinds.EDIT:
        content = body if isinstance(body, MessageContent) else None
        return msgspec.structs.replace(message, content=content, edit_count=message.edit_count + 1, edited_at=entry.at)
    if entry.kind != kinds.DELETION or not isinstance(body, kinds.Switch):
        return changes.marked(message, entry, me)
    if body.on:
        return msgspec.structs.replace(message, content=None, deleted_at=entry.at, deleted_by=entry.account)
    return msgspec.structs.replace(message, content=body.content or message.content, deleted_at=None, deleted_by=None)
