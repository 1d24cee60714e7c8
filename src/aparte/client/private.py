"""Verbs of encrypted conversations: what the server cannot do, because it cannot read, is done from the store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from aparte.client import past
from aparte.client.api.conversations import Rooms
from aparte.client.crypto import disappearing, keyring
from aparte.client.errors import ClientError
from aparte.client.outbox import Outbox, now_ms
from aparte.client.session import Session, time_over
from aparte.client.store import conversations, entries, sealed
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.outbox_sealed import Unsealed
from aparte.e2ee.content import Content, Deletion, Pin, Profile, Reaction, Settings, Text, Ttl, encode
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


@dataclass(frozen=True, slots=True)
class Beside:
    """What a message says beside its words."""

    reply: EntryId | None = None
    """The message that it answers."""
    mentions: tuple[AccountId, ...] = ()
    thread: EntryId | None = None
    """The root of the thread that it belongs to."""
    ttl: Ttl | None = None
    """How long it is there; none: as the settings of the conversation say."""
    is_forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Copied:
    """The words of a message, to be forwarded, and how long they are there."""

    content: MessageContent
    ttl: Ttl | None


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

    async def check(self, conversation: ConversationId) -> ConversationId:
        """Give back a conversation that is encrypted. Raises ClientError `mode_mismatch`."""
        if not await self.has(conversation):
            raise ClientError("mode_mismatch")
        return conversation

    def unreadable(self) -> dict[ConversationId, int]:
        """Count the entries whose key is not here, by conversation."""
        with self._session.store.reading() as tx:
            return sealed.select_unreadable(tx)

    async def say(self, conversation: ConversationId, content: MessageContent, beside: Beside, wait: float) -> Sent:
        """Send a message with more than words: what it answers, whom it mentions, how long it is there."""
        reply, root = await self.aims(conversation, beside)
        text = Text(
            at=now_ms(),
            text=content.text,
            format=content.format,
            reply=reply.hash if reply else None,
            mentions=tuple(account.bytes for account in beside.mentions),
            forwarded=beside.is_forwarded,
            ttl=beside.ttl,
        )
        where = (root.id, root.hash) if root is not None else (None, None)
        item = self._outbox.put_sealed(conversation, Unsealed(kinds.MESSAGE, _encoded(text), *where), content)
        return await self._outbox.deliver(conversation, item, wait)

    async def edit(
        self,
        conversation: ConversationId,
        message: EntryId,
        content: MessageContent,
        wait: float,
        *,
        mentions: tuple[AccountId, ...] = (),
    ) -> Sent:
        """Change what a message says, and whom it mentions."""
        target = await self._target(conversation, message)
        named = tuple(account.bytes for account in mentions)
        text = Text(at=now_ms(), text=content.text, format=content.format, mentions=named)
        return await self._send(conversation, kinds.EDIT, text, target, wait)

    async def set_ttl(self, conversation: ConversationId, ttl: Ttl | None, wait: float) -> Sent:
        """Say how long everybody's new messages are there; None: they stay. What was said before stays as it was."""
        sent = await self._send(conversation, kinds.SETTINGS, Settings(at=now_ms(), ttl=ttl), None, wait)
        with suppress(ClientError):  # it is said, whatever becomes of reading it
            await self.caught_up(conversation)
        return sent

    async def ttl(self, conversation: ConversationId) -> Ttl | None:
        """Read how long new messages are there."""
        await self.caught_up(conversation)
        with self._session.store.reading() as tx:
            return disappearing.default(tx, conversation)

    async def copied(self, conversation: ConversationId, message: EntryId) -> Copied:
        """Copy the words of a message as they are now, to forward them; what disappears does so there too.

        Raises ClientError `not_found`, `gone`.
        """
        row, target = await self.readable(conversation), await self._target(conversation, message)
        disappearing.sweep(self._session.store)
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, conversation, target.id)
            found = past.at_once(tx, row, [entry.seq]) if entry is not None else []
            ttl = disappearing.ttl_of(tx, conversation, entry.seq) if entry is not None else None
        if not found or found[0].message.content is None:
            raise ClientError("gone")
        said = found[0].message.content
        return Copied(MessageContent(said.text, said.format), ttl)

    async def delete(self, conversation: ConversationId, message: EntryId, wait: float) -> Sent:
        """Delete a message for everyone."""
        target = await self._target(conversation, message)
        return await self._send(conversation, kinds.DELETION, Deletion(at=now_ms(), on=True), target, wait)

    async def restore(self, conversation: ConversationId, message: EntryId, wait: float) -> Sent:
        """Take back a deletion for everyone, with the key that this account has kept. Raises ClientError `gone`."""
        await self.caught_up(conversation)  # edits come back with the message only if they are here
        target = await self._target(conversation, message)
        me = self._session.profile
        disappearing.sweep(self._session.store)
        with self._session.store.reading() as tx:
            key = keyring.kept_key(tx, conversation, target.hash, me.account)
        if key is None:
            raise ClientError("gone")
        content = Deletion(at=now_ms(), on=False, key=key)
        return await self._send(conversation, kinds.DELETION, content, target, wait)

    async def react(
        self, conversation: ConversationId, message: EntryId, reaction: tuple[str, bool], wait: float
    ) -> Sent:
        """Set a reaction, or take it back."""
        target = await self._target(conversation, message)
        content = Reaction(at=now_ms(), emoji=reaction[0], on=reaction[1])
        return await self._send(conversation, kinds.REACTION, content, target, wait)

    async def pin(self, conversation: ConversationId, message: EntryId, wait: float, *, on: bool) -> Sent:
        """Pin a message, or unpin it."""
        target = await self._target(conversation, message)
        return await self._send(conversation, kinds.PIN, Pin(at=now_ms(), on=on), target, wait)

    async def describe(self, conversation: ConversationId, profile: Profile, wait: float) -> Sent:
        """Say what a group is called and what it is about."""
        return await self._send(conversation, kinds.PROFILE, profile, None, wait)

    async def position(self, conversation: ConversationId, message: EntryId) -> Position:
        """Give the place of an entry in the log. Raises ClientError `not_found`."""
        return self._position(await self.caught_up(conversation), message)

    async def _send(
        self, conversation: ConversationId, kind: int, content: Content, target: SealedTarget | None, wait: float
    ) -> Sent:
        data = _encoded(content)
        is_on = not isinstance(content, Deletion | Reaction | Pin) or content.on
        target_id, target_hash = (target.id, target.hash) if target is not None else (None, None)
        return await self._deliver(conversation, Unsealed(kind, data, target_id, target_hash, is_on), wait)

    async def _deliver(self, conversation: ConversationId, what: Unsealed, wait: float) -> Sent:
        return await self._outbox.deliver(conversation, self._outbox.put_sealed(conversation, what), wait)

    async def aims(
        self, conversation: ConversationId, beside: Beside
    ) -> tuple[SealedTarget | None, SealedTarget | None]:
        """Find the message that one answers, and the root of its thread. Raises ClientError `not_found`, `gone`."""
        reply = await self._target(conversation, beside.reply) if beside.reply is not None else None
        root = await self._root(conversation, beside.thread) if beside.thread is not None else None
        return reply, root

    async def _target(self, conversation: ConversationId, message: EntryId) -> SealedTarget:
        """Find a message by its id, here or after fetching what is missing. Raises ClientError `not_found`."""
        found = self._hash_of(conversation, message)
        if found is None:
            await self.caught_up(conversation)
            found = self._hash_of(conversation, message)
        if found is None:
            raise ClientError("not_found")
        return SealedTarget(message, found)

    async def _root(self, conversation: ConversationId, message: EntryId) -> SealedTarget:
        """Find the root of a thread; whatever is in a thread names that thread. Raises ClientError `gone`."""
        target = await self._target(conversation, message)
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, conversation, message)
            kept = sealed.select_hashed(tx, conversation, target.hash)
        if entry is not None and entry.target is not None:
            return await self._root(conversation, entry.target.id)
        if kept is not None and any(kept.target):
            raise ClientError("not_found", "the root of this thread is not here")
        if kept is not None and kept.state == "deleted":
            raise ClientError("gone")
        return target

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

    async def readable(self, conversation: ConversationId) -> ConversationRow:
        """Give a conversation as far as it can be read: of one that one is out of, what is stored here."""
        try:
            return await self.caught_up(conversation)
        except ClientError as error:
            if error.code != "not_member":
                raise
            return self._row(conversation)

    async def caught_up(self, conversation: ConversationId) -> ConversationRow:
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


def _encoded(content: Content) -> bytes:
    """Write a content. Raises ClientError `invalid`."""
    try:
        return encode(content)
    except BadContent:
        raise ClientError("invalid") from None
