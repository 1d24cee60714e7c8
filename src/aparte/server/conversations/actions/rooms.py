"""Rooms themselves: create, find, list, change."""

from aparte.server.conversations import pages, rules, store
from aparte.server.conversations.actions.access import administer, seen
from aparte.server.conversations.actions.membership import enter
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database, Tx
from aparte.server.log import actions as log
from aparte.server.log.model import NewEntry
from aparte.wire import kinds
from aparte.wire.content import Profile
from aparte.wire.conversations import (
    Conversation,
    ConversationChange,
    ConversationPage,
    DirectoryPage,
    NewConversation,
)
from aparte.wire.ids import AccountId, ConversationId, EntryId, new_id

LOUNGE = "lounge"


async def create(db: Database, caller: Caller, new: NewConversation) -> Conversation:
    """Create a public room with the caller as its owner. Refuses with `name_taken`, `invalid`."""
    rules.check_platform(caller.role)
    async with db.transaction() as tx:
        conversation = await create_room(tx, caller.account, new)
        return await seen(tx, caller.account, conversation)


async def create_room(tx: Tx, owner: AccountId, new: NewConversation) -> ConversationId:
    """Create a room inside a transaction: its row, its log, its first entry, its owner."""
    conversation = ConversationId(new_id())
    profile = rules.clean_profile(new.name, new.topic, new.description)
    await store.insert_room(tx, conversation, profile, rules.name_key(profile.name), owner)
    await log.begin(tx, conversation)
    at = await log.append(tx, NewEntry(conversation, kinds.CREATED, owner, profile))
    await enter(tx, conversation, owner, "owner", at, ordinal=0)
    return conversation


async def ensure_lounge(tx: Tx, owner: AccountId) -> None:
    """Give a new server its first room, so that the first two people meet somewhere."""
    if await store.select_is_empty(tx):
        await create_room(tx, owner, NewConversation(kind="room", name=LOUNGE))


async def mine(db: Database, caller: Caller, before: EntryId | None, limit: int) -> ConversationPage:
    """List the caller's conversations, newest activity first."""
    async with db.read() as reader:
        found = await pages.select_conversations(reader, caller.account, before=before, limit=limit)
    return ConversationPage(found, found[-1].head.id if len(found) == limit else None)


async def get(db: Database, caller: Caller, conversation: ConversationId) -> Conversation:
    """Read one of the caller's conversations."""
    async with db.read() as reader:
        return await seen(reader, caller.account, conversation)


async def change(
    db: Database, caller: Caller, conversation: ConversationId, wanted: ConversationChange
) -> Conversation:
    """Change name, topic or description; members see it as a profile entry. Nothing changed, nothing written."""
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        await administer(tx, caller, conversation, "edit_profile")
        now = await seen(tx, caller.account, conversation)
        old = Profile(now.name, now.topic, now.description)
        new = rules.merged(old, wanted)
        if new == old:
            return now
        await store.update_profile(tx, conversation, new, rules.name_key(new.name))
        await log.append(tx, NewEntry(conversation, kinds.PROFILE, caller.account, new, caller.device))
        return await seen(tx, caller.account, conversation)


async def directory(
    db: Database, caller: Caller, *, name: str | None, query: str | None, after: str, limit: int
) -> DirectoryPage:
    """Find public rooms by exact name or by a part of it, in order of names."""
    key = rules.name_key(name) if name else None
    pattern = rules.like(rules.name_key(query)) if query else None
    async with db.read() as reader:
        rows = await pages.select_directory(
            reader, caller.account, key=key, pattern=pattern, after=after, limit=limit + 1
        )
    return DirectoryPage([row for _, row in rows[:limit]], rows[limit - 1][0] if len(rows) > limit else None)
