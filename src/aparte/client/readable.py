"""What conversations that the server can read show of what was said: asked of the server, and shown as sealed ones are.

What happened between the messages comes out of this device's own copy of the log, as far back as it reaches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from aparte.client import past
from aparte.client.api import messages as api
from aparte.client.api.conversations import Rooms
from aparte.client.errors import ClientError
from aparte.client.history import Asked
from aparte.client.model import Message, Thread, Version, event_message, origin_of, quoted, rendered, title_of
from aparte.client.private import Names, Private
from aparte.client.session import Session
from aparte.client.store import entries
from aparte.client.store.conversations import ConversationRow
from aparte.wire import messages as wire
from aparte.wire.content import MessageContent
from aparte.wire.ids import AccountId, ConversationId, EntryId

REPLIES = 500
"""How many answers to one message are shown."""


class Readable:
    """What was said in the readable conversations of an open profile."""

    def __init__(self, session: Session, rooms: Rooms, private: Private, names: Names) -> None:
        """Ask in the name of a session. `names`: what people are called."""
        self._session = session
        self._rooms = rooms
        self._private = private
        self._names = names

    async def newest(self, conversation: ConversationId, asked: Asked) -> list[Message]:
        """Read the newest messages as they are now, or those before one; with events, what happened between them."""
        found = await api.newest(self._session, conversation, asked.limit, asked.before)
        shown = await self.shown(found)
        if not asked.events:
            return shown
        first = found[0].seq if found and len(found) == asked.limit else 0
        return sorted([*shown, *await self._events(conversation, first, asked.before)], key=lambda one: one.seq)

    async def one(self, conversation: ConversationId, message: EntryId) -> Message:
        """Read one message as it is now. Raises ClientError `not_found`."""
        return (await self.shown([await api.get(self._session, conversation, message)]))[0]

    async def pinned(self, conversation: ConversationId) -> list[Message]:
        """Read the messages that are pinned, the one that was pinned last first."""
        return await self.shown(await api.pinned(self._session, conversation))

    async def answers(self, conversation: ConversationId, message: EntryId) -> list[Message]:
        """Read the messages that answer one, oldest first."""
        return await self.shown(await api.replies(self._session, conversation, message, REPLIES))

    async def thread(self, conversation: ConversationId, root: EntryId, asked: Asked) -> list[Message]:
        """Read the newest messages of a thread, or those before one, oldest first."""
        return await self.shown(await api.newest(self._session, conversation, asked.limit, asked.before, root))

    async def threads(
        self, conversation: ConversationId, limit: int, *, before: EntryId | None = None, followed: bool = False
    ) -> list[Message]:
        """Read the roots of threads, the one with the newest message first."""
        found = await api.threads(self._session, conversation, limit, before=before, followed=followed)
        return await self.shown(found)

    async def mentioning(self, limit: int, *, before: EntryId | None = None) -> list[Message]:
        """Read the newest messages of all readable conversations that mention one, or those before one."""
        found: list[wire.Message] = []
        async for message in api.mentions(self._session, before):
            if len(found) == limit:
                break
            if not (await self._rooms.row(message.conversation)).is_sealed:
                found.append(message)
        return await self.shown(found)

    async def versions(self, conversation: ConversationId, message: EntryId) -> list[Version]:
        """Read everything that a message has said, the original first. Raises ClientError `gone`."""
        found = (await api.versions(self._session, conversation, message)).versions
        return [Version(one.at, one.content.text, one.content.format) for one in found if one.content is not None]

    async def shown(self, found: Iterable[wire.Message]) -> list[Message]:
        """Show messages of the wire, with the names of people and the words that are answered."""
        found = list(found)
        answered = await self._answered(found)
        names = await self._names(_people([*found, *answered.values()]))
        rows = {where: await self._rooms.row(where) for where in {message.conversation for message in found}}
        return [_shown(message, title_of(rows[message.conversation], names), names, answered) for message in found]

    async def _answered(self, found: list[wire.Message]) -> dict[EntryId, wire.Message]:
        """Find the messages that are answered: among these, in the store, or at the server; those gone are left out."""
        known = {message.id: message for message in found}
        wanted: dict[EntryId, wire.Message] = {}
        for message in found:
            answers = message.content.reply if message.content is not None else None
            if answers is None or answers in wanted:
                continue
            there = known.get(answers) or self._kept(message.conversation, answers)
            if there is None:
                try:
                    there = await api.get(self._session, message.conversation, answers)
                except ClientError as error:
                    if error.code not in {"not_found", "not_member", "gone"}:
                        raise
                    continue
            wanted[answers] = there
        return wanted

    def _kept(self, conversation: ConversationId, message: EntryId) -> wire.Message | None:
        with self._session.store.reading() as tx:
            return past.known(tx, conversation, message)

    async def _events(self, conversation: ConversationId, first: int, before: EntryId | None) -> list[Message]:
        row = await self._private.caught_up(conversation)
        end = self._seq(row, before)
        told = past.happened(self._session.store, row, (first, end))
        names = await self._names({who for item in told for who in item.people})
        title = title_of(row, names)
        return [event_message(item, row, title, names) for item in told]

    def _seq(self, row: ConversationRow, before: EntryId | None) -> int:
        if before is None:
            return row.cursor.seq + 1
        with self._session.store.reading() as tx:
            entry = entries.select_by_id(tx, row.conversation, before)
        return entry.seq if entry is not None else 0


def _people(found: Iterable[wire.Message]) -> set[AccountId]:
    """Name everybody who is named where these messages are shown."""
    people: set[AccountId] = set()
    for message in found:
        people.add(message.account)
        people |= {account for reaction in message.reactions.values() for account in reaction.accounts}
        if message.content is not None:
            people |= set(message.content.mentions)
            forwarded = message.content.forwarded
            people |= {forwarded.account} if forwarded is not None and forwarded.account is not None else set()
    return people


def _shown(
    message: wire.Message, title: str, names: Mapping[AccountId, str], answered: Mapping[EntryId, wire.Message]
) -> Message:
    def name(account: AccountId) -> str:
        return names.get(account, str(account))

    return replace(
        rendered(message, title, names),
        **said_beside(message.content, names, answered),
        reactions={emoji: tuple(map(name, one.accounts)) for emoji, one in message.reactions.items()},
        reaction_counts={emoji: one.count for emoji, one in message.reactions.items()},
        is_pinned=message.pinned_at is not None,
        thread=Thread(**structs.asdict(message.thread)) if message.thread is not None else None,
        expires_at=message.expires_at,
        typed=message.source,
        flag_count=message.flag_count,
    )


def said_beside(
    content: MessageContent | None, names: Mapping[AccountId, str], answered: Mapping[EntryId, wire.Message]
) -> dict[str, Any]:
    """Give what a readable message says beside its words: what it answers, whom it mentions, whose words they were."""
    if content is None:
        return {}
    there = answered.get(content.reply) if content.reply is not None else None
    return {
        "reply": quoted(there, names),
        "mentions": tuple(names.get(account, str(account)) for account in content.mentions),
        "is_forwarded": content.forwarded is not None,
        "origin": origin_of(content.forwarded, names),
    }
