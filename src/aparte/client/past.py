"""What an encrypted conversation looks like now, out of the store: its messages, and what happened between them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from aparte.client.core import events
from aparte.client.core.bodies import body_of
from aparte.client.core.events import TOLD, Happened
from aparte.client.core.view import changed, lasting, message_of, reactions_of
from aparte.client.crypto.folding import number_of, state_at
from aparte.client.store import entries, sealed, state, statements
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Store, Tx
from aparte.client.store.sealed import SealedRow
from aparte.e2ee.primitives import sha256
from aparte.wire import kinds
from aparte.wire.content import MessageContent, Profile
from aparte.wire.ids import AccountId
from aparte.wire.messages import Entry, Message

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


def newest(store: Store, row: ConversationRow, before_seq: int, limit: int) -> list[Kept]:
    """Read the newest messages before a position, oldest first, but for those hidden."""
    with store.reading() as tx:
        return _kept(tx, row, entries.select_messages(tx, row.conversation, before_seq, limit))


def pinned(store: Store, row: ConversationRow) -> list[Kept]:
    """Read the messages that are pinned, oldest first."""
    with store.reading() as tx:
        pins = entries.select_told(tx, row.conversation, {kinds.PIN}, (0, row.cursor.seq + 1), EVENTS)
        seqs = sorted({pin.target.seq for pin in pins if pin.target is not None})
        found = [entry for seq in seqs if (entry := entries.select_entry(tx, row.conversation, seq)) is not None]
        return [kept for entry in found for kept in _kept(tx, row, [entry]) if kept.is_pinned]


def happened(store: Store, row: ConversationRow, between: tuple[int, int]) -> list[Happened]:
    """Read what happened between two positions, admissions by one person gathered."""
    with store.reading() as tx:
        found = entries.select_told(tx, row.conversation, TOLD, between, EVENTS)
        return events.gathered(told for entry in found if (told := event_of(tx, row, entry)) is not None)


def event_of(tx: Tx, row: ConversationRow, entry: Entry) -> Happened | None:
    """Tell what an entry did, as far as it was taken; None if that is nothing to be told."""
    if entry.kind not in TOLD or not row.is_sealed or not _is_taken(tx, row, entry):
        return None
    told = events.happened(entry, profile_before(tx, row, entry.seq) if entry.kind == kinds.PROFILE else None)
    return told and replace(told, heir=_heir(tx, row, told))


def profile_before(tx: Tx, row: ConversationRow, seq: int) -> Profile | None:
    """Read what the group said of itself before a position."""
    found = entries.select_told(tx, row.conversation, {kinds.PROFILE}, (0, seq), 1)
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


def _kept(tx: Tx, row: ConversationRow, found: list[Entry]) -> list[Kept]:
    if not found:
        return []
    first, last = found[0].seq, found[-1].seq
    changes: dict[int, list[Entry]] = {}
    for change in entries.select_about(tx, row.conversation, first, last):
        if change.target is not None:
            changes.setdefault(change.target.seq, []).append(change)
    states = sealed.select_states(tx, row.conversation, first, last)
    hidden = state.select_keys(tx, f"hidden:{row.conversation}:")
    return [
        _one(tx, row, entry, changes.get(entry.seq, []), states.get(entry.seq))
        for entry in found
        if f"hidden:{row.conversation}:{entry.id}" not in hidden
    ]


def _one(tx: Tx, row: ConversationRow, entry: Entry, about: list[Entry], how: SealedRow | None) -> Kept:
    state_now, code = (how.state, how.code) if how else ("refused", "bad_entry")
    message = _as_of_now(row, entry, about)
    return Kept(
        message=message,
        state=state_now,
        code=code,
        reactions=reactions_of(about),
        is_pinned=message.deleted_at is None and _is_pinned(about),
        reply=answered(tx, row, entry) if message.content is not None else None,
        mentions=mentions_of(message),
        passed_by=how.mark if how else None,
    )


def _as_of_now(row: ConversationRow, entry: Entry, about: Iterable[Entry]) -> Message:
    message = message_of(row.conversation, entry)
    for change in lasting(about):
        message = changed(message, change)
    return message


def _is_pinned(about: Iterable[Entry]) -> bool:
    """The last one counts, whoever set it."""
    pins = [body_of(change) for change in about if change.kind == kinds.PIN]
    return next((body.on for body in reversed(pins) if isinstance(body, kinds.Switch)), False)


def answered(tx: Tx, row: ConversationRow, entry: Entry) -> Message | None:
    """Find the message that an entry answers by its hash: its words are not repeated in the answer."""
    body = body_of(entry)
    written = body.metadata.get("reply") if isinstance(body, MessageContent) else None
    if not isinstance(written, str):
        return None
    target = sealed.select_hashed(tx, row.conversation, bytes.fromhex(written))
    found = entries.select_entry(tx, row.conversation, target.seq) if target is not None else None
    if found is None or found.kind != kinds.MESSAGE:
        return None
    return _as_of_now(row, found, entries.select_about(tx, row.conversation, found.seq, found.seq))


def mentions_of(message: Message) -> tuple[AccountId, ...]:
    """Name the accounts that a message mentions."""
    written = message.content.metadata.get("mentions", ()) if message.content is not None else ()
    found: list[AccountId] = []
    for account in written:
        with suppress(ValueError, TypeError):
            found.append(AccountId(UUID(hex=account)))
    return tuple(found)
