"""A screened room in a process of its own, and what is said there."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.support import database, rooms

from aparte.server.filters import actions as filters
from aparte.server.filters.model import HeldRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.messages import actions as messages
from aparte.server.messages.lanes import Lanes
from aparte.server.messages.writer import Writer
from aparte.server.moderation import actions
from aparte.server.moderation.model import Send
from aparte.server.state import actions as state
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import ClientMessageId, ConversationId, HeldId
from aparte.wire.messages import SendMessage
from aparte.wire.moderation import Decision, Held, Word, WordList

Admin = Any
YES = Decision(approve=True)


class Scene:
    """A screened room, its owner, and an author whose words wait."""

    def __init__(self, db: Database, writer: Writer, owner: Caller, author: Caller, room: ConversationId) -> None:
        self.db, self.writer, self.owner, self.author, self.room = db, writer, owner, author, room
        self.send: Send = partial(messages.send_screened, writer)

    async def hold(self, text: str = "spam") -> HeldId:
        """Say something that waits."""
        message = SendMessage(ClientMessageId(uuid4()), MessageContent(text))
        with pytest.raises(Refusal, match="held") as told:
            await messages.send(self.writer, self.author, self.room, message)
        return HeldId(UUID(told.value.data["held"]))

    async def approve(self, held: HeldId) -> HeldRow:
        """Write the decision, and die."""
        return await filters.decide(self.db, self.owner, self.room, held, YES)

    async def waiting(self) -> list[Held]:
        """What moderators are shown."""
        return (await filters.held(self.db, self.owner, self.room, HeldId(UUID(int=0)))).held

    async def round(self) -> int:
        """One look at what is approved and not settled."""
        return await actions.send_approved(self.db, self.send, seconds=0)

    async def own_state(self) -> dict[str, Any]:
        """The author's account state about what waits."""
        page = await state.page(self.db, self.author, 0)
        return {item.key: item.value for item in page.items if item.key.startswith("held:")}


@pytest.fixture
async def scene(cluster: database.Cluster, database_name: str, db: Database, admin: Admin) -> AsyncIterator[Scene]:
    """A process on a database of its own."""
    owner, author = await rooms.person(admin), await rooms.person(admin)
    room = await rooms.room(admin, owner, author)
    await admin.execute("UPDATE heads SET is_screened = true WHERE conversation_id = $1", room)
    await filters.put_words(db, owner, room, WordList([Word("spam")]))
    lanes = Lanes(cluster.dsn(database_name, service=True))
    writer = Writer(lanes, lambda _: None, db, partial(filters.screen, db))
    writer.start()
    yield Scene(db, writer, owner, author, room)
    await writer.close()
    await lanes.close()


async def said(admin: Admin, room: ConversationId) -> list[str]:
    """What is said in a conversation, in order."""
    rows = await admin.fetch(
        "SELECT content ->> 'text' AS t FROM messages WHERE conversation_id = $1 ORDER BY id", room
    )
    return [row["t"] for row in rows]
