"""Send: check what can be checked alone, then join a batch."""

import asyncio

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.messages import rules
from aparte.server.messages.model import Outgoing, Placed
from aparte.server.messages.writer import Writer
from aparte.wire import kinds
from aparte.wire.ids import ConversationId, time_of
from aparte.wire.messages import SendMessage, Sent


def enqueue(
    writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage
) -> "asyncio.Future[Placed]":
    """Check a message and hand it to the writer; the future has its place after COMMIT, or a Refusal.

    Membership, repeats and order are decided in the database, under the conversation's lock.
    """
    conversations.check_platform(caller.role)
    content = rules.check_content(message.content)
    return writer.put(
        Outgoing(
            conversation,
            caller.account,
            caller.device,
            message.client_message_id,
            message.content,
            content,
            rules.digest(conversation, kinds.MESSAGE, None, content),
            future(),
        )
    )


def future() -> "asyncio.Future[Placed]":
    """A future whose refusal counts as seen even when the asker has gone."""
    done: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
    done.add_done_callback(lambda future: future.cancelled() or future.exception())
    return done


async def send(writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage) -> Sent:
    """Store a message and tell where it is. A repeat is answered as the first was, after a commit of its own."""
    placed = await asyncio.shield(enqueue(writer, caller, conversation, message))
    at = placed.position
    return Sent(conversation, at.seq, at.id, time_of(at.id))
