"""Verbs of encrypted conversations: what the server cannot do, because it cannot read, is done from the store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from aparte.client import local_log
from aparte.client.api.conversations import Rooms
from aparte.client.crypto.keyring import believed
from aparte.client.errors import ClientError
from aparte.client.local_log import Kept
from aparte.client.model import Message, rendered, title_of
from aparte.client.outbox import Outbox, now_ms, unsealed_text
from aparte.client.session import Session, time_over
from aparte.client.store import conversations, entries, sealed
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.outbox_sealed import Unsealed
from aparte.e2ee.content import Content, Deletion, Reaction, encode
from aparte.e2ee.errors import BadContent
from aparte.wire import kinds
from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ConversationId, EntryId, Position
from aparte.wire.messages import Sent
from aparte.wire.sealed import SealedTarget

CATCH_UP_SECONDS = 30.0
"""How long history waits for what the server has and this device has not."""
LOOK_SECONDS = 0.05

Names = Callable[[Iterable[AccountId]], Awaitable[dict[AccountId, str]]]


class Private:
    """The encrypted conversations of an open profile."""

    def __init__(self, session: Session, rooms: Rooms, outbox: Outbox, connect: Callable[[], None]) -> None:
        """Work with an open session. `connect` opens the gateway, over which the log comes."""
        self._session = session
        self._rooms = rooms
        self._outbox = outbox
        self._connect = connect

    async def has(self, conversation: ConversationId) -> bool:
        """Tell whether a conversation is encrypted."""
        return (await self._rooms.row(conversation)).is_sealed

    def unreadable(self) -> dict[ConversationId, int]:
        """Count the entries whose key is not here, by conversation."""
        with self._session.store.reading() as tx:
            return sealed.select_unreadable(tx)

    async def history(
        self, conversation: ConversationId, limit: int, before: EntryId | None, names: Names
    ) -> list[Message]:
        """Read the newest messages as they are now, or those before one, after fetching what is missing here."""
        row = await self._caught_up(conversation)
        place = self._position(row, before) if before is not None else None
        found = local_log.newest(self._session.store, row, place.seq if place else row.cursor.seq + 1, limit)
        reacted = {account for kept in found for accounts in kept.reactions.values() for account in accounts}
        people = {kept.message.account for kept in found} | reacted | ({row.peer} if row.peer else set())
        known = await names(people)
        return [_shown(kept, title_of(row, known), known) for kept in found]

    async def edit(self, conversation: ConversationId, message: EntryId, content: MessageContent, wait: float) -> Sent:
        """Change what a message says."""
        target = await self._target(conversation, message)
        return await self._deliver(conversation, unsealed_text(content, kinds.EDIT, target), wait)

    async def delete(self, conversation: ConversationId, message: EntryId, wait: float) -> Sent:
        """Delete a message for everyone."""
        target = await self._target(conversation, message)
        return await self._send(conversation, kinds.DELETION, Deletion(at=now_ms(), on=True), target, wait)

    async def restore(self, conversation: ConversationId, message: EntryId, wait: float) -> Sent:
        """Take back a deletion for everyone, with the key that this account has kept. Raises ClientError `gone`."""
        target = await self._target(conversation, message)
        me = self._session.profile
        with self._session.store.reading() as tx:
            found = believed(tx, target.hash, (me.account, me.device), me.account)
        if not found:
            raise ClientError("gone")
        content = Deletion(at=now_ms(), on=False, key=found[0].key)
        return await self._send(conversation, kinds.DELETION, content, target, wait)

    async def react(
        self, conversation: ConversationId, message: EntryId, reaction: tuple[str, bool], wait: float
    ) -> Sent:
        """Set a reaction, or take it back."""
        target = await self._target(conversation, message)
        content = Reaction(at=now_ms(), emoji=reaction[0], on=reaction[1])
        return await self._send(conversation, kinds.REACTION, content, target, wait)

    async def position(self, conversation: ConversationId, message: EntryId) -> Position:
        """Give the place of an entry in the log. Raises ClientError `not_found`."""
        return self._position(await self._caught_up(conversation), message)

    async def _send(
        self, conversation: ConversationId, kind: int, content: Content, target: SealedTarget, wait: float
    ) -> Sent:
        try:
            data = encode(content)
        except BadContent:
            raise ClientError("invalid") from None
        is_on = not isinstance(content, Deletion | Reaction) or content.on
        return await self._deliver(conversation, Unsealed(kind, data, target.id, target.hash, is_on), wait)

    async def _deliver(self, conversation: ConversationId, what: Unsealed, wait: float) -> Sent:
        return await self._outbox.deliver(conversation, self._outbox.put_sealed(conversation, what), wait)

    async def _target(self, conversation: ConversationId, message: EntryId) -> SealedTarget:
        """Find a message by its id, here or after fetching what is missing. Raises ClientError `not_found`."""
        found = self._hash_of(conversation, message)
        if found is None:
            await self._caught_up(conversation)
            found = self._hash_of(conversation, message)
        if found is None:
            raise ClientError("not_found")
        return SealedTarget(message, found)

    def _hash_of(self, conversation: ConversationId, message: EntryId) -> bytes | None:
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, conversation, message)
            row = sealed.select_at(tx, conversation, entry.seq) if entry is not None else None
        is_message = entry is not None and entry.kind == kinds.MESSAGE and row is not None and row.state != "refused"
        return row.hash if row is not None and is_message else None

    def _position(self, row: ConversationRow, message: EntryId) -> Position:
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, row.conversation, message)
        if entry is None:
            raise ClientError("not_found")
        return Position(entry.seq, entry.id)

    async def _caught_up(self, conversation: ConversationId) -> ConversationRow:
        """Wait until the store has what the server has at this moment. Raises TimeOver."""
        head = (await self._rooms.get(conversation)).head
        self._connect()
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while (row := self._row(conversation)).cursor.seq < head.seq:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)  # another process may be the one that stores
        except TimeoutError:
            raise time_over() from None
        return row

    def _row(self, conversation: ConversationId) -> ConversationRow:
        with self._session.store.reading() as tx:
            row = conversations.select_conversation(tx, conversation)
        if row is None:
            raise ClientError("not_member")
        return row


def _shown(kept: Kept, title: str, names: dict[AccountId, str]) -> Message:
    """Show a message, or that it cannot be read and why."""
    kind = kept.state if kept.state in {"waiting", "refused"} else "message"
    reactions = {
        emoji: tuple(names.get(account, str(account)) for account in accounts)
        for emoji, accounts in kept.reactions.items()
    }
    is_removed = kept.state == "deleted" and kept.message.deleted_at is None
    code = {"waiting": "waiting", "deleted": "removed" if is_removed else None}.get(kept.state, kept.code)
    return rendered(kept.message, title, names, kind, code=code, reactions=reactions)
