"""What encrypted conversations show of what was said: the server cannot read it, so it is read out of the store.

What is here is what counts: threads are counted, answers and mentions looked for, in the messages that this device has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aparte.client import past
from aparte.client.crypto import disappearing
from aparte.client.errors import ClientError
from aparte.client.model import Message, Thread, Version, ending, event_message, quoted, rendered, title_of
from aparte.client.past import Kept
from aparte.client.private import Names, Private
from aparte.client.session import Session
from aparte.client.store import conversations, entries, state, threads
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.wire.ids import LAST_ID, AccountId, ConversationId, EntryId
from aparte.wire.limits import SAFE_INTEGER

ANSWERS = 500
"""How many answers to one message are shown."""
PINS = 500
"""How many messages that were pinned once are looked at, of which a hundred may be pinned still."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a conversation's history is asked for."""

    limit: int
    before: EntryId | None = None
    events: bool = False


class History:
    """What was said in the encrypted conversations of an open profile."""

    def __init__(self, session: Session, private: Private, names: Names) -> None:
        """Read out of a session's store. `names`: what people are called."""
        self._session = session
        self._private = private
        self._names = names

    async def newest(self, conversation: ConversationId, asked: Asked) -> list[Message]:
        """Read the newest messages as they are now, or those before one; with events, what happened between them.

        Of a conversation that one is out of, what is stored here.
        """
        row = await self._private.readable(conversation)
        place = self._place(row, asked.before)
        disappearing.sweep(self._session.store)
        found = past.newest(self._session.store, row, place, asked.limit)
        first = found[0].message.seq if len(found) == asked.limit else 0
        told = past.happened(self._session.store, row, (first, place)) if asked.events else []
        known = await self._names(_people(row, found) | {who for item in told for who in item.people})
        title = title_of(row, known)
        shown = [_shown(kept, title, known) for kept in found]
        shown += [event_message(item, row, title, known) for item in told]
        return sorted(shown, key=lambda message: message.seq)

    async def one(self, conversation: ConversationId, message: EntryId) -> Message:
        """Read one message as it is now. Raises ClientError `not_found`, or `gone` if it has disappeared."""
        row = await self._private.readable(conversation)
        seq = self._seq(row, message)
        found = await self._at(row, [seq])
        if not found:
            raise ClientError("gone")
        return found[0]

    async def pinned(self, conversation: ConversationId) -> list[Message]:
        """Read the messages that are pinned, the one that was pinned last first."""
        row = await self._private.caught_up(conversation)
        with self._session.store.reading() as tx:
            seqs = threads.select_pinned(tx, conversation, PINS)
        return [message for message in await self._at(row, seqs) if message.is_pinned]

    async def versions(self, conversation: ConversationId, message: EntryId) -> list[Version]:
        """Read everything that a message has said, the original first. Raises ClientError `not_found`, `gone`."""
        row = await self._private.readable(conversation)
        now = await self.one(conversation, message)
        if now.text is None:
            raise ClientError("gone")
        with self._session.store.reading() as tx:
            return [Version(at, said.text, said.format) for at, said in past.versions(tx, row, now.seq)]

    async def answers(self, conversation: ConversationId, message: EntryId) -> list[Message]:
        """Read the messages that answer one, oldest first. Raises ClientError `not_found`."""
        row = await self._private.readable(conversation)
        seq = self._seq(row, message)
        with self._session.store.reading() as tx:
            said = past.written_hash(tx, row, seq)
            found = threads.select_saying(tx, conversation, said, seq, ANSWERS) if said is not None else []
        return [shown for shown in await self._at(row, [entry.seq for entry in found]) if shown.text is not None]

    async def thread(self, conversation: ConversationId, root: EntryId, asked: Asked) -> list[Message]:
        """Read the newest messages of a thread, or those before one, oldest first. Raises ClientError `not_found`."""
        row = await self._private.readable(conversation)
        seq, place = self._seq(row, root), self._place(row, asked.before)
        with self._session.store.reading() as tx:
            found = threads.select_answers(tx, conversation, seq, place, asked.limit)
        return await self._at(row, [entry.seq for entry in found])

    async def threads(
        self, conversation: ConversationId, limit: int, *, before: EntryId | None = None, followed: bool = False
    ) -> list[Message]:
        """Read the roots of threads, the one with the newest message first; or those whose newest is before another's.

        With `followed`, those that one follows.
        """
        row = await self._private.readable(conversation)
        place = self._place(row, before)
        with self._session.store.reading() as tx:
            every = SAFE_INTEGER if followed else limit
            found = threads.select_threads(tx, conversation, (0, row.cursor.seq), place, every)
        roots = [root for root in await self._at(row, [seq for seq, *_ in found]) if root.thread is not None]
        return [root for root in roots if not followed or (root.thread and root.thread.is_followed)][:limit]

    async def mentioning(self, limit: int, *, before: EntryId | None = None) -> list[Message]:
        """Read the newest messages of all encrypted conversations that mention one, or those before one.

        What is said by people that one blocks is left out.
        """
        me = self._session.profile.account
        found: list[Message] = []
        before = before or LAST_ID
        while len(found) < limit:
            with self._session.store.reading() as tx:
                named = threads.select_naming(tx, [str(me).encode(), me.hex.encode()], before, limit)
                rows = {where: conversations.select_conversation(tx, where) for where, _, _ in named}
            if not named:
                break
            before = named[-1][2]
            for where, seq, _ in named:
                row = rows[where]
                found += await self._at(row, [seq], mentioned=me) if row is not None else []
        return found[:limit]

    async def _at(
        self, row: ConversationRow, seqs: Iterable[int], *, mentioned: AccountId | None = None
    ) -> list[Message]:
        """Show the messages at some positions, in this order, but for those that are hidden or have disappeared."""
        disappearing.sweep(self._session.store)
        me = self._session.profile.account
        with self._session.store.reading() as tx:
            found = past.at_once(tx, row, seqs)
            if mentioned is not None:
                found = [kept for kept in found if mentioned in kept.mentions and not _is_blocked(tx, kept)]
            followed = {kept.message.id: _is_followed(tx, row, kept, me) for kept in found if kept.thread is not None}
        known = await self._names(_people(row, found))
        title = title_of(row, known)
        return [_shown(kept, title, known, is_followed=followed.get(kept.message.id, False)) for kept in found]

    def _place(self, row: ConversationRow, before: EntryId | None) -> int:
        return row.cursor.seq + 1 if before is None else self._seq(row, before)

    def _seq(self, row: ConversationRow, message: EntryId) -> int:
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, row.conversation, message)
        if entry is None:
            raise ClientError("not_found")
        return entry.seq


def _is_blocked(tx: Tx, kept: Kept) -> bool:
    return state.select_value(tx, f"block:{kept.message.account}") is not None


def _is_followed(tx: Tx, row: ConversationRow, kept: Kept, me: AccountId) -> bool:
    """Tell whether one follows a thread: one has said so, or else has begun it or written in it."""
    said = state.select_value(tx, f"thread:{row.conversation}:{kept.message.id}")
    if isinstance(said, dict) and isinstance(said.get("is_followed"), bool):
        return bool(said["is_followed"])
    return kept.message.account == me or threads.has_answered(tx, row.conversation, kept.message.seq, me)


def _people(row: ConversationRow, found: list[Kept]) -> set[AccountId]:
    """Name everybody who is named where these messages are shown."""
    people = {row.peer} if row.peer else set()
    for kept in found:
        people |= {kept.message.account, *kept.mentions}
        people |= {account for accounts in kept.reactions.values() for account in accounts}
        people |= {kept.reply.account} if kept.reply else set()
        people |= {kept.passed_by} if kept.passed_by else set()
    return people


def _shown(kept: Kept, title: str, names: dict[AccountId, str], *, is_followed: bool = False) -> Message:
    """Show a message, or that it cannot be read and why."""
    kind = kept.state if kept.state in {"waiting", "refused"} else "message"
    reactions = {
        emoji: tuple(names.get(account, str(account)) for account in accounts)
        for emoji, accounts in kept.reactions.items()
    }
    message = rendered(kept.message, title, names, kind, code=_code(kept), reactions=reactions)
    return replace(
        ending(message, kept.expiring),
        reply=quoted(kept.reply, names),
        mentions=tuple(names.get(account, str(account)) for account in kept.mentions),
        is_pinned=kept.is_pinned,
        passed_by=names.get(kept.passed_by, str(kept.passed_by)) if kept.passed_by else None,
        is_forwarded=kept.is_forwarded,
        thread=Thread(kept.thread.count, kept.thread.last, is_followed) if kept.thread else None,
    )


def _code(kept: Kept) -> str | None:
    """Say why a message has no words, if nobody here has deleted it."""
    if kept.state == "deleted" and kept.message.deleted_at is None:
        return "vanished" if kept.code == "vanished" else "removed"
    return {"waiting": "waiting", "deleted": None}.get(kept.state, kept.code)
