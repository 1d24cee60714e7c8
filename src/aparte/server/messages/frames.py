"""Gateway frames of messages: translate, nothing else. The same actions as REST, the same outcomes."""

import asyncio

from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database
from aparte.server.kit.door import Reply
from aparte.server.messages import actions
from aparte.server.messages.coverage import Coverage
from aparte.server.messages.model import Placed
from aparte.server.messages.writer import Writer
from aparte.wire import frames
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, Position, time_of
from aparte.wire.messages import Sent


class Frames:
    """Frames of messages."""

    def __init__(self, db: Database, writer: Writer, coverage: Coverage) -> None:
        """Keep what the actions need."""
        self._db = db
        self._writer = writer
        self._coverage = coverage

    async def send(self, caller: Caller, frame: frames.Send, reply: Reply) -> None:
        """Store a message; the answer comes after COMMIT, and the next frame is read meanwhile."""
        done = await actions.enqueue(self._writer, caller, frame.conversation, frame.message)
        done.add_done_callback(lambda future: reply(_outcome(frame.ref, frame.conversation, future)))

    async def seal(self, caller: Caller, frame: frames.Seal, reply: Reply) -> None:
        """Store a sealed entry; the next frame is read while a batch is under way."""
        conversation, entry = frame.conversation, frame.entry
        if actions.joins_a_batch(entry):
            done = await actions.enqueue_sealed(self._writer, self._coverage, caller, conversation, entry)
            done.add_done_callback(lambda future: reply(_outcome(frame.ref, conversation, future)))
        else:
            at = await actions.seal(self._db, self._writer, self._coverage, caller, conversation, entry)
            reply(_sent(frame.ref, at))

    async def edit(self, caller: Caller, frame: frames.Edit, reply: Reply) -> None:
        """Change one of my messages."""
        reply(_sent(frame.ref, await actions.edit(self._db, caller, frame.conversation, frame.message, frame.change)))

    async def delete(self, caller: Caller, frame: frames.Delete, reply: Reply) -> None:
        """Delete a message for everyone, or only for me."""
        if frame.scope == "me":
            await actions.hide(self._db, caller, frame.conversation, frame.message)
            reply(frames.Done(frame.ref))
            return
        at = await actions.delete(self._db, caller, frame.conversation, frame.message, frame.client_message_id)
        reply(_sent(frame.ref, at))

    async def restore(self, caller: Caller, frame: frames.Restore, reply: Reply) -> None:
        """Take back a deletion for everyone."""
        at = await actions.restore(self._db, caller, frame.conversation, frame.message, frame.client_message_id)
        reply(_sent(frame.ref, at))

    async def react(self, caller: Caller, frame: frames.SetReaction, reply: Reply) -> None:
        """Set a reaction, or take it back."""
        at = await actions.react(self._db, caller, frame.conversation, frame.message, frame.reaction)
        reply(_sent(frame.ref, at) if at else frames.Done(frame.ref))

    async def pin(self, caller: Caller, frame: frames.SetPin, reply: Reply) -> None:
        """Pin a message for everybody, or unpin it."""
        at = await actions.pin(self._db, caller, frame.conversation, frame.message, frame.pin)
        reply(_sent(frame.ref, at) if at else frames.Done(frame.ref))

    async def entries(self, caller: Caller, frame: frames.Entries, reply: Reply) -> None:
        """Read the log after an entry."""
        page = await actions.entries(self._db, caller, frame.conversation, frame.after, frame.limit)
        reply(frames.Log(frame.ref, frame.conversation, page.entries, page.more))

    async def changes(self, caller: Caller, frame: frames.Changes, reply: Reply) -> None:
        """Name the conversations that moved."""
        heads, following = await actions.changes(self._db, caller.account, frame.after, frame.before, frame.limit)
        reply(frames.Heads(frame.ref, heads, following))


def _sent(ref: int, at: Sent) -> frames.Sent:
    return frames.Sent(ref, at.conversation, at.seq, at.id, at.at)


def _outcome(ref: int, conversation: ConversationId, future: "asyncio.Future[Placed]") -> frames.Sent | frames.Error:
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or (error is not None and not isinstance(error, Refusal)):
        error = Refusal("unavailable", retry_after=1)
    if isinstance(error, Refusal):
        return frames.Error(error.code, ref, error.detail, error.retry_after, data=error.data)
    at: Position = future.result().position
    return frames.Sent(ref, conversation, at.seq, at.id, time_of(at.id))
