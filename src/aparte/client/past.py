"""What an encrypted conversation looks like now, out of the store: its messages, and what happened between them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from aparte.client.core import events
from aparte.client.core.bodies import body_of
from aparte.client.core.events import TOLD, Happened
from aparte.client.core.view import changed, lasting, message_of, reactions_of
from aparte.client.crypto.folding import number_of, state_at
from aparte.client.store import entries, expiring, sealed, state, statements, threads
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.client.store.expiring import EXPIRED, ExpiringRow
from aparte.client.store.sealed import SealedRow
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.content import ConversationSettings, MessageContent, Profile
from aparte.wire.ids import AccountId, ConversationId, EntryId
from aparte.wire.limits import SAFE_INTEGER
from aparte.wire.messages import Entry, Message


@dataclass(frozen=True, slots=True)
class Thread:
    """What hangs under a message: how many there are, and the newest."""

    count: int
    last: EntryId


SETTINGS = 20
"""Among so many of the settings before, those of the server are looked for; in between stand those that are sealed."""
EVENTS = 500
"""So many of the newest things that happened are shown, however long ago the first message was."""


SHOWN = TOLD | {kinds.MESSAGE}
"""Kinds of which nothing is shown once they say nothing more, unlike those that this version does not know."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message of an encrypted conversation as it is now; `state` and `code` say why it cannot be read."""

    message: Message
    state: str
    code: str | None
    reactions: dict[str, tuple[AccountId, ...]]
    is_pinned: bool
    reply: Message | None
    """The message that it answers, if that is here."""
    mentions: tuple[AccountId, ...]
    passed_by: AccountId | None
    is_forwarded: bool
    expiring: ExpiringRow | None
    """Until when it is there, if it disappears."""
    thread: Thread | None
    """What hangs under it, if it is the root of a thread."""


def newest(store: Store, row: ConversationRow, before_seq: int, limit: int) -> list[Kept]:
    """Read the newest messages before a position, oldest first, but for those hidden."""
    with store.reading() as tx:
        return shown(tx, row, entries.select_messages(tx, row.conversation, before_seq, limit))


def at_once(tx: Tx, row: ConversationRow, seqs: Iterable[int]) -> list[Kept]:
    """Read the messages at some positions, in this order, but for those hidden or gone."""
    found = [entry for seq in seqs if (entry := entries.select_entry(tx, row.conversation, seq)) is not None]
    return [kept for entry in found for kept in shown(tx, row, [entry])]


def versions(tx: Tx, row: ConversationRow, seq: int) -> list[tuple[datetime, MessageContent]]:
    """Read what a message has said and when, the original first; as far as it is open here."""
    original = entries.select_entry(tx, row.conversation, seq)
    edits = [entry for entry in entries.select_about(tx, row.conversation, seq, seq) if entry.kind == kinds.EDIT]
    found = ((entry.at, body_of(entry)) for entry in ([original, *edits] if original is not None else []))
    return [(at, body) for at, body in found if isinstance(body, MessageContent)]


def written_hash(tx: Tx, row: ConversationRow, seq: int) -> bytes | None:
    """Give the hash of a message as answers to it have it in their body."""
    kept = sealed.select_at(tx, row.conversation, seq)
    return kept.hash.hex().encode() if kept is not None and kept.state != "refused" else None


def happened(store: Store, row: ConversationRow, between: tuple[int, int]) -> list[Happened]:
    """Read what happened between two positions, admissions by one person gathered."""
    with store.reading() as tx:
        found = entries.select_told(tx, row.conversation, TOLD, between, EVENTS)
        return events.gathered(told for entry in found if (told := event_of(tx, row, entry)) is not None)


def event_of(tx: Tx, row: ConversationRow, entry: Entry) -> Happened | None:
    """Tell what an entry did, as far as it was taken; None if that is nothing to be told."""
    if entry.kind not in TOLD or not _is_taken(tx, row, entry):
        return None
    told = events.happened(entry, _before(tx, row, entry))
    return told and replace(told, heir=_heir(tx, row, told))


def _before(tx: Tx, row: ConversationRow, entry: Entry) -> Profile | ConversationSettings | None:
    """Read what an entry stands in place of, if it is a profile or settings.

    A sealed profile without one before it is the first; a readable one may have had some before this device listened:
    what is otherwise is not known then, and taken for nothing that has words of its own.
    """
    if entry.kind == kinds.PROFILE:
        body = body_of(entry)
        unknown = body if not row.is_sealed and isinstance(body, Profile) else None
        return profile_before(tx, row, entry.seq) or unknown
    if entry.kind != kinds.SETTINGS:
        return None
    found = (
        body_of(one)
        for one in reversed(entries.select_told(tx, row.conversation, {kinds.SETTINGS}, (0, entry.seq), SETTINGS))
    )
    return next((body for body in found if isinstance(body, ConversationSettings)), None)


def profile_before(tx: Tx, row: ConversationRow, seq: int) -> Profile | None:
    """Read what the group said of itself before a position."""
    found = entries.select_told(tx, row.conversation, {kinds.PROFILE, kinds.CREATED}, (0, seq), 1)
    body = body_of(found[0]) if found else None
    return body if isinstance(body, Profile) else None


def _is_taken(tx: Tx, row: ConversationRow, entry: Entry) -> bool:
    """Tell whether a statement is of the chain as it was checked here; whatever else was opened is."""
    body = body_of(entry) if entry.kind == kinds.STATEMENT else None
    if not isinstance(body, kinds.StatementChange):
        return entry.kind != kinds.STATEMENT
    known = statements.select_hash(tx, row.conversation, number_of(body.signed))
    return known == sha256(body.signed.statement)


def _heir(tx: Tx, row: ConversationRow, told: Happened) -> AccountId | None:
    """Name who owns the group since somebody went, if it is another one."""
    body = body_of(told.entry) if told.deed in {"left", "removed"} else None
    if not isinstance(body, kinds.StatementChange):
        return None
    number = number_of(body.signed)
    before, after = state_at(tx, row.conversation, number - 1), state_at(tx, row.conversation, number)
    if before is None or after is None or after.owner in {None, before.owner}:
        return None
    return AccountId(UUID(bytes=after.owner))


def shown(tx: Tx, row: ConversationRow, found: list[Entry]) -> list[Kept]:
    """Show messages as they are now, but for those that are hidden or have disappeared."""
    if not found:
        return []
    conversation, first, last = row.conversation, found[0].seq, found[-1].seq
    changes: dict[int, list[Entry]] = {}
    for change in entries.select_about(tx, conversation, first, last):
        if change.target is not None:
            changes.setdefault(change.target.seq, []).append(change)
    states = sealed.select_states(tx, conversation, first, last)
    ends = expiring.select_between(tx, conversation, first, last)
    counts = {
        root: Thread(count, last_id)
        for root, count, _, last_id in threads.select_threads(tx, conversation, (first, last), SAFE_INTEGER, len(found))
    }
    hidden = state.select_keys(tx, f"hidden:{conversation}:")
    return [
        replace(
            _one(tx, row, entry, changes.get(entry.seq, []), states.get(entry.seq)),
            expiring=ends.get(entry.seq),
            thread=counts.get(entry.seq),
        )
        for entry in found
        if f"hidden:{conversation}:{entry.id}" not in hidden and not _has_disappeared(states.get(entry.seq))
    ]


def _one(tx: Tx, row: ConversationRow, entry: Entry, about: list[Entry], how: SealedRow | None) -> Kept:
    state_now, code = (how.state, how.code) if how else ("refused", "bad_entry")
    message, written = _as_of_now(row, entry, about), body_of(entry)
    is_there = message.content is not None
    return Kept(
        message=message,
        state=state_now,
        code=code,
        reactions=reactions_of(about) if is_there else {},
        is_pinned=message.deleted_at is None and is_pinned(about),
        reply=answered(tx, row, entry) if is_there else None,
        mentions=mentions_of(message),
        passed_by=how.mark if how else None,
        is_forwarded=is_there and isinstance(written, MessageContent) and written.forwarded is not None,
        expiring=None,
        thread=None,
    )


def _has_disappeared(how: SealedRow | None) -> bool:
    return how is not None and how.code == EXPIRED


def _as_of_now(row: ConversationRow, entry: Entry, about: Iterable[Entry]) -> Message:
    message = message_of(row.conversation, entry)
    for change in lasting(about):
        message = changed(message, change)
    return message


def is_pinned(about: Iterable[Entry]) -> bool:
    """The last one counts, whoever set it."""
    pins = [body_of(change) for change in about if change.kind == kinds.PIN]
    return next((body.on for body in reversed(pins) if isinstance(body, kinds.Switch)), False)


def answered(tx: Tx, row: ConversationRow, entry: Entry) -> Message | None:
    """Find the message that an entry answers, a sealed one by its hash: its words are not repeated in the answer."""
    body = body_of(entry)
    if not row.is_sealed:
        named = body.reply if isinstance(body, MessageContent) else None
        return known(tx, row.conversation, named) if named is not None else None
    written = body.metadata.get("reply") if isinstance(body, MessageContent) else None
    if not isinstance(written, str):
        return None
    target = sealed.select_hashed(tx, row.conversation, bytes.fromhex(written))
    found = entries.select_entry(tx, row.conversation, target.seq) if target is not None else None
    if found is None or found.kind != kinds.MESSAGE:
        return None
    if state.select_value(tx, f"hidden:{row.conversation}:{found.id}") is not None:
        return None
    return _as_of_now(row, found, entries.select_about(tx, row.conversation, found.seq, found.seq))


def known(tx: Tx, conversation: ConversationId, message: EntryId) -> Message | None:
    """Find a message of a readable conversation in this device's copy, as it is now; None if it is not here."""
    found = entries.select_by_id(tx, conversation, message)
    if found is None or found.kind != kinds.MESSAGE:
        return None
    if state.select_value(tx, f"hidden:{conversation}:{message}") is not None:
        return None
    shown = message_of(conversation, found)
    for change in lasting(entries.select_about(tx, conversation, found.seq, found.seq)):
        shown = changed(shown, change)
    return shown


def mentions_of(message: Message) -> tuple[AccountId, ...]:
    """Name the accounts that a message mentions, in the form of today or of data folders from before."""
    if message.content is None:
        return ()
    found = list(message.content.mentions)
    written = message.content.metadata.get("mentions", ())
    for account in written:
        with suppress(ValueError, TypeError):
            found.append(AccountId(UUID(hex=account)))
    return tuple(found)
