"""The profile's copy of the logs: every change of it is one transaction that leaves floor..cursor without hole."""

from collections.abc import Iterable
from dataclasses import dataclass

from aparte.client.core.bodies import body_of
from aparte.client.core.sync import before
from aparte.client.core.view import changed, message_of
from aparte.client.store import conversations, entries, people, state
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.wire import kinds
from aparte.wire.accounts import Person, StateItem
from aparte.wire.content import Profile
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position
from aparte.wire.messages import Entry, Message

AT_ONCE = 20
"""How many conversations are merged in order of time when many have something new."""


def append(store: Store, me: AccountId, conversation: ConversationId, new: list[Entry]) -> Position | None:
    """Store the entries that continue the log, with what they change, and move the cursor.

    Gives the cursor as it is afterwards: what another process has stored meanwhile is not stored again, and entries
    that do not join up are left out. None when the conversation is not known.
    """
    with store.transaction() as tx:
        row = conversations.select_conversation(tx, conversation)
        if row is None:
            return None
        fresh = continuing(row.cursor, new)
        if not fresh:
            return row.cursor
        entries.insert_entries(tx, conversation, fresh)
        for entry in fresh:
            take_in(tx, me, conversation, entry)
        cursor = Position(fresh[-1].seq, fresh[-1].id)
        conversations.update_cursor(tx, conversation, cursor)
        return cursor


def continuing(cursor: Position, new: list[Entry]) -> list[Entry]:
    """Give the entries that follow the cursor one by one."""
    fresh: list[Entry] = []
    for entry in new:
        if entry.seq == cursor.seq + 1 + len(fresh):
            fresh.append(entry)
    return fresh


def take_in(tx: Tx, me: AccountId, conversation: ConversationId, entry: Entry) -> None:
    """Let an entry change what the store knows beside the log: names, one's own role, words that were taken back."""
    body = body_of(entry)
    if isinstance(body, Profile):
        conversations.update_profile(tx, conversation, body)
    elif isinstance(body, kinds.MemberChange) and body.account == me:
        conversations.update_role(tx, conversation, body.role)
    elif isinstance(body, kinds.Switch) and entry.kind == kinds.DELETION and body.on and entry.target:
        entries.update_emptied(tx, conversation, entry.target.seq)


def reset(store: Store, conversation: ConversationId, floor: Position) -> Position:
    """Drop a log whose continuation is gone, to be fetched afresh from the floor."""
    with store.transaction() as tx:
        entries.delete_log(tx, conversation)
        cursor = before(floor)
        conversations.update_cursor(tx, conversation, cursor)
        return cursor


def keep(store: Store, found: Conversation, *, from_head: bool = False) -> Position:
    """Keep a conversation of the account; gives its cursor.

    One that is new here is followed from where the account joined, or `from_head` on a device that has just logged in.
    """
    with store.transaction() as tx:
        conversations.upsert_conversation(tx, found, found.head if from_head else found.membership.joined)
        row = conversations.select_conversation(tx, found.id)
        assert row is not None  # noqa: S101 - just written
        return row.cursor


def leave(store: Store, conversation: ConversationId) -> None:
    """Remember that the account is out of a conversation; its log stays."""
    with store.transaction() as tx:
        conversations.update_role(tx, conversation, None)


def keep_states(store: Store, items: list[StateItem], rev: int) -> None:
    """Keep account state and the revision it reaches."""
    with store.transaction() as tx:
        state.upsert_states(tx, items, rev)


def keep_people(store: Store, found: list[Person]) -> None:
    """Keep what people are called."""
    with store.transaction() as tx:
        people.upsert_people(tx, found)


def usernames(store: Store, accounts: set[AccountId]) -> dict[AccountId, str]:
    """Name the accounts that are known here."""
    with store.reading() as tx:
        return people.select_usernames(tx, accounts)


@dataclass(frozen=True, slots=True)
class Unheard:
    """An entry that the application has not been given; `message` as it is now, None when there is nothing to show."""

    conversation: ConversationRow
    entry: Entry
    message: Message | None


def unheard(store: Store, device: DeviceId, limit: int) -> list[Unheard]:
    """Read what the application has not been given, in order within a conversation, the oldest conversations first.

    Where there is nothing for it, its pointer moves to the end of the log.
    """
    with store.transaction() as tx:
        waiting: list[tuple[ConversationRow, list[Entry]]] = []
        for row in conversations.select_unheard(tx):
            first = entries.select_unheard(tx, row.conversation, row.listened_seq, device, 1)
            if first:
                waiting.append((row, first))
            else:
                conversations.update_listened(tx, row.conversation, row.cursor.seq)
        waiting.sort(key=lambda item: item[1][0].id)
        found: list[Unheard] = []
        for row, _ in waiting[:AT_ONCE]:
            found += as_of_now(tx, row, entries.select_unheard(tx, row.conversation, row.listened_seq, device, limit))
        found.sort(key=lambda item: item.entry.id)
        return found[:limit]


def as_of_now(tx: Tx, row: ConversationRow, unheard: list[Entry]) -> list[Unheard]:
    """Show entries as they are now: messages after their edits, none that was deleted or hidden by its reader."""
    first, last = unheard[0].seq, unheard[-1].seq
    changes: dict[int, list[Entry]] = {}
    for change in entries.select_about(tx, row.conversation, first, last):
        if change.target is not None:
            changes.setdefault(change.target.seq, []).append(change)
    hidden = state.select_keys(tx, f"hidden:{row.conversation}:")
    shown: list[Unheard] = []
    for entry in unheard:
        message = message_of(row.conversation, entry)
        for change in changes.get(entry.seq, ()):
            message = changed(message, change)
        is_gone = message.content is None or f"hidden:{row.conversation}:{entry.id}" in hidden
        shown.append(Unheard(row, entry, None if entry.kind == kinds.MESSAGE and is_gone else message))
    return shown


def mark_heard(store: Store, heard: Iterable[tuple[ConversationId, int]]) -> None:
    """Remember that the application was given everything up to these positions."""
    with store.transaction() as tx:
        for conversation, seq in heard:
            conversations.update_listened(tx, conversation, seq)
