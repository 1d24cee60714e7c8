"""Rooms and channels that the server can read: create, find, list."""

from dataclasses import replace

from aparte.server.audit import actions as audit
from aparte.server.audit.model import Event
from aparte.server.conversations import pages, profiles, rules, settings
from aparte.server.conversations.actions.access import seen
from aparte.server.conversations.actions.membership import enter
from aparte.server.conversations.model import NewRoom, Wanted, WantedRooms
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.wire import kinds
from aparte.wire.content import ConversationSettings, Profile
from aparte.wire.conversations import Conversation, ConversationPage, DirectoryPage, NewConversation
from aparte.wire.ids import AccountId, ConversationId, new_id

LOUNGE = "lounge"


async def create(db: Database, caller: Caller, new: NewConversation) -> Conversation:
    """Create a room or channel with the caller as its owner. Refuses with `name_taken`, `mode_needed`, `invalid`."""
    rules.check_platform(caller.role)
    profile = Profile(new.name, new.topic, new.description, new.welcome, new.rules, new.picture)
    room = NewRoom(
        ConversationId(new_id()),
        new.kind,
        settings.is_public(new),
        caller.account,
        settings.clean_profile(profile),
        settings.clean_settings(new.settings),
    )
    async with db.transaction() as tx:
        await create_room(tx, room)
        return await seen(tx, caller.account, room.id)


async def create_room(tx: Tx, room: NewRoom) -> None:
    """Create a room inside a transaction: its row, its log, its first entries, its owner."""
    await profiles.insert_room(tx, room, rules.name_key(room.profile.name))
    await log.begin(tx, room.id)
    await log.set_terms(tx, room.id, settings.terms_of("server", room.settings))
    at = await log.append(tx, NewEntry(room.id, kinds.CREATED, room.creator, room.profile))
    await enter(tx, room.id, room.creator, "owner", at, ordinal=0)
    if room.settings != ConversationSettings():
        await log.append(tx, NewEntry(room.id, kinds.SETTINGS, room.creator, room.settings))
    await audit.record(tx, Event("conversation_created", room.creator, conversation=room.id))


async def ensure_lounge(tx: Tx, owner: AccountId) -> None:
    """Give a new server its first room, so that the first two people meet somewhere."""
    if await profiles.select_is_empty(tx):
        room = NewRoom(ConversationId(new_id()), "room", True, owner, Profile(LOUNGE), ConversationSettings())
        await create_room(tx, room)


async def mine(db: Database, caller: Caller, wanted: Wanted) -> ConversationPage:
    """List the caller's conversations, newest activity first."""
    async with db.read() as reader:
        found = await pages.select_conversations(reader, caller.account, wanted)
    return ConversationPage(found, found[-1].head.id if len(found) == wanted.limit else None)


async def get(db: Database, caller: Caller, conversation: ConversationId) -> Conversation:
    """Read one of the caller's conversations."""
    async with db.read() as reader:
        return await seen(reader, caller.account, conversation)


async def directory(db: Database, caller: Caller, wanted: WantedRooms) -> DirectoryPage:
    """Find public rooms and channels, in order of names."""
    found = replace(
        wanted,
        name=rules.name_key(wanted.name) if wanted.name else None,
        part=rules.like(rules.name_key(wanted.part)) if wanted.part else None,
        limit=wanted.limit + 1,
    )
    async with db.read() as reader:
        rows = await pages.select_directory(reader, caller.account, found)
    has_more = len(rows) > wanted.limit
    return DirectoryPage([row for _, row in rows[: wanted.limit]], rows[wanted.limit - 1][0] if has_more else None)
