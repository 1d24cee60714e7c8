"""The profile's copy of the logs: every change of it is one transaction that leaves floor..cursor without hole."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from aparte.client import past
from aparte.client.core import checks
from aparte.client.core.bodies import body_of
from aparte.client.core.events import Happened
from aparte.client.core.sync import before
from aparte.client.core.view import changed, lasting, message_of
from aparte.client.crypto import disappearing, lists, opening, own, passing, unearthing
from aparte.client.crypto.arrivals import Reader
from aparte.client.errors import ClientError, KeyRefused
from aparte.client.store import conversations, entries, expiring, notices, people, profile, sealed, state
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.client.store.expiring import ExpiringRow
from aparte.client.store.notices import Notice
from aparte.wire import kinds
from aparte.wire.accounts import Person, StateItem
from aparte.wire.content import Profile
from aparte.wire.conversations import Conversation
from aparte.wire.ids import AccountId, ConversationId, DeviceId, Position
from aparte.wire.messages import Entry, Message

AT_ONCE = 20
"""How many conversations are merged in order of time when many have something new."""
UNSEALED = frozenset({kinds.CREATED, kinds.JOINED, kinds.LEFT, kinds.REMOVED, kinds.ROLE, kinds.STATEMENT})
"""Kinds about who is where that nobody seals."""


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
        reader = reader_of(tx, me) if row.is_sealed else None
        for entry in fresh:
            kept = entry if reader is None else checked(tx, row, entry, reader)
            entries.insert_entries(tx, conversation, [kept])
            take_in(tx, me, row, kept)
            if reader is not None:
                passing.meet(tx, row, kept, reader)
                unearthing.follow(tx, conversation, kept.seq)
        cursor = Position(fresh[-1].seq, fresh[-1].id)
        conversations.update_cursor(tx, conversation, cursor)
        return cursor


def checked(tx: Tx, row: ConversationRow, entry: Entry, reader: Reader) -> Entry:
    """Give an entry of an encrypted conversation as the log keeps it: without its body if that is not to be believed.

    The server's own word of who came and went counts in rooms alone; here members sign it.
    """
    if entry.kind not in UNSEALED:
        return opening.take(tx, row, entry, reader)
    body = body_of(entry)
    if isinstance(body, kinds.StatementChange) and row.has_chain:
        return entry if lists.take_statement(tx, row, entry, body, reader.account) else replace(entry, body=None)
    about = Notice("bad_entry", own.now_ms(), entry.account, entry.device, row.conversation, entry.seq)
    notices.insert_notice(tx, about)
    return replace(entry, body=None, target=None)


def continuing(cursor: Position, new: list[Entry]) -> list[Entry]:
    """Give the entries that follow the cursor one by one."""
    fresh: list[Entry] = []
    for entry in new:
        if entry.seq == cursor.seq + 1 + len(fresh):
            fresh.append(entry)
    return fresh


def take_in(tx: Tx, me: AccountId, row: ConversationRow, entry: Entry) -> None:
    """Let an entry change what the store knows beside the log: names, one's own role, lists, words taken back."""
    body, conversation = body_of(entry), row.conversation
    if not row.is_sealed:
        disappearing.note_readable(tx, conversation, entry)
    if isinstance(body, Profile):
        conversations.update_profile(tx, conversation, body)
    elif isinstance(body, kinds.MemberChange) and body.account == me and not row.is_sealed:
        conversations.update_role(tx, conversation, body.role)
    elif isinstance(body, kinds.DevicesChange) and row.is_sealed:
        lists.take_change(tx, row, entry, body, me)
    elif isinstance(body, kinds.Switch) and entry.kind == kinds.DELETION and body.on and entry.target:
        entries.update_emptied(tx, conversation, entry.target.seq)


def reader_of(tx: Tx, me: AccountId) -> Reader:
    """Give who opens sealed entries here."""
    row = profile.select_profile(tx)
    assert row is not None  # noqa: S101 - the profile is signed in
    try:
        return Reader(me, row.device, own.load(tx))
    except KeyRefused:
        return Reader(me, row.device, None)


def reset(store: Store, conversation: ConversationId, floor: Position) -> Position:
    """Drop a log whose continuation is gone, to be fetched afresh from the floor."""
    with store.transaction() as tx:
        entries.delete_log(tx, conversation)
        sealed.delete_sealed(tx, conversation)
        expiring.delete_expiring(tx, conversation)
        cursor = before(floor)
        conversations.update_cursor(tx, conversation, cursor)
        return cursor


def keep(store: Store, found: Conversation, *, from_head: bool = False) -> Position:
    """Keep a conversation of the account; gives its cursor.

    One that is new here is followed from where the account joined, or `from_head` on a device that has just logged in;
    a group from the statement on that let it in, so that people are told who has added them.
    """
    joined = found.membership.joined
    with store.transaction() as tx:
        check_kind(tx, found)
        start = found.head if from_head else before(joined) if checks.has_chain(found) else joined
        conversations.upsert_conversation(tx, found, start)
        mine = profile.select_profile(tx)
        if checks.has_chain(found) and mine is not None:
            lists.keep_role(tx, found.id, mine.account, is_inside=True)
        row = conversations.select_conversation(tx, found.id)
        assert row is not None  # noqa: S101 - just written
        return row.cursor


def check_kind(tx: Tx, found: Conversation) -> None:
    """Refuse a conversation that is not what it is said to be, or was before, until anything is said in it."""
    row, known = profile.select_profile(tx), conversations.select_conversation(tx, found.id)
    code = checks.disguise_code(found, row.account) if row is not None else None
    if code is None and known is not None:
        code = checks.changed_code(known.kind, known.encryption_mode, found)
    if code is not None:
        raise ClientError(code, "a conversation is not what it is said to be")


def leave(store: Store, conversation: ConversationId, *, is_news: bool = False) -> None:
    """Remember that the account is out of a conversation; its log stays. `is_news`: nobody here has wished it."""
    with store.transaction() as tx:
        row = conversations.select_conversation(tx, conversation)
        if is_news and row is not None and row.has_chain and row.role is not None:
            notices.insert_notice(tx, Notice("out_of_group", own.now_ms(), conversation=conversation))
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
    """An entry that the application has not been given; `message` as it is now, or what it did to the conversation.

    Neither when there is nothing to show.
    """

    conversation: ConversationRow
    entry: Entry
    message: Message | None
    event: Happened | None = None
    reply: Message | None = None
    """The message that it answers, if that is here."""
    expiring: ExpiringRow | None = None
    """Until when it is there, if it disappears."""


def unheard(store: Store, device: DeviceId, limit: int, told: Collection[int] = ()) -> list[Unheard]:
    """Read what the application has not been given, in order within a conversation, the oldest conversations first.

    Where there is nothing for it, its pointer moves to the end of the log. `told`: kinds given beside messages.
    """
    with store.transaction() as tx:
        disappearing.sweep_some(tx)
        waiting: list[tuple[ConversationRow, list[Entry]]] = []
        for row in conversations.select_unheard(tx):
            first = unheard_of(tx, row, device, 1, told)
            if first:
                waiting.append((row, first))
            else:
                conversations.update_listened(tx, row.conversation, row.cursor.seq)
        waiting.sort(key=lambda item: item[1][0].id)
        found: list[Unheard] = []
        for row, _ in waiting[:AT_ONCE]:
            found += as_of_now(tx, row, unheard_of(tx, row, device, limit, told))
        found.sort(key=lambda item: item.entry.id)
        return found[:limit]


def unheard_of(tx: Tx, row: ConversationRow, device: DeviceId, limit: int, told: Collection[int] = ()) -> list[Entry]:
    """Read what a conversation has for the application: what opened late, and what is new."""
    late = entries.select_late(tx, row.conversation, row.listened_seq) if row.is_sealed else []
    return (late + entries.select_unheard(tx, row.conversation, row.listened_seq, device, limit, told))[:limit]


def as_of_now(tx: Tx, row: ConversationRow, unheard: list[Entry]) -> list[Unheard]:
    """Show entries as they are now: messages after their edits, none that was deleted or hidden by its reader."""
    first, last = unheard[0].seq, unheard[-1].seq
    changes: dict[int, list[Entry]] = {}
    for change in entries.select_about(tx, row.conversation, first, last):
        if change.target is not None:
            changes.setdefault(change.target.seq, []).append(change)
    hidden = state.select_keys(tx, f"hidden:{row.conversation}:")
    ends = expiring.select_between(tx, row.conversation, first, last)
    shown: list[Unheard] = []
    for entry in unheard:
        message = message_of(row.conversation, entry)
        for change in lasting(changes.get(entry.seq, ())):
            message = changed(message, change)
        is_gone = message.content is None or f"hidden:{row.conversation}:{entry.id}" in hidden
        event = past.event_of(tx, row, entry)
        is_shown = event is None and not (entry.kind in past.SHOWN and is_gone)
        reply = past.answered(tx, row, entry) if is_shown else None
        shown.append(Unheard(row, entry, message if is_shown else None, event, reply, ends.get(entry.seq)))
    return shown


def mark_heard(store: Store, heard: Iterable[tuple[ConversationId, int]]) -> None:
    """Remember that the application was given everything up to these positions."""
    with store.transaction() as tx:
        for conversation, seq in heard:
            conversations.update_listened(tx, conversation, seq)
            sealed.update_heard(tx, conversation, seq)
