"""Send: check what can be checked alone, then join a batch."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec.structs import replace

from aparte.server.conversations import actions as conversations
from aparte.server.kit.caller import Caller
from aparte.server.messages import rules
from aparte.server.messages.actions.compose import Composed, compose
from aparte.server.messages.model import Outgoing, Placed
from aparte.server.messages.writer import Writer
from aparte.wire.codec import to_json
from aparte.wire.ids import ConversationId, time_of
from aparte.wire.messages import PostMessage, SendMessage, Sent


async def enqueue(
    writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage, *, screened: bool = False
) -> "asyncio.Future[Placed]":
    """Check a message and hand it to the writer; the future has its place after COMMIT, or a Refusal.

    Membership, rights, repeats and order are decided in the database, under the conversation's lock. `screened`: a
    moderator has let it pass the word lists.
    """
    conversations.check_platform(caller.role)
    composed = await compose(writer.db, caller, conversation, message)
    body = to_json(composed.content)
    is_as_given = composed.content is message.content and composed.bonds is None
    return writer.put(
        Outgoing(
            conversation,
            caller.account,
            caller.device,
            message.client_message_id,
            composed.content,
            body,
            rules.request_digest(conversation, message, body if is_as_given else None),
            future(),
            bonds=composed.bonds,
            refusal=composed.refusal,
            screening=None if screened else _screening(writer, caller, conversation, message, composed),
        )
    )


def _screening(
    writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage, composed: Composed
) -> Callable[[], Awaitable[None]] | None:
    """How the word lists are asked, should the conversation have any: about what is stored, under its first name."""
    return partial(writer.screen, caller, conversation, words_of(message, composed)) if writer.screen else None


def words_of(message: SendMessage, composed: Composed) -> SendMessage:
    """Give a message with the words that would be stored: those that it forwards, where it does."""
    if message.forward is None:
        return message
    stored = composed.content
    return replace(message, content=replace(message.content, text=stored.text, format=stored.format))


def future() -> "asyncio.Future[Placed]":
    """A future whose refusal counts as seen even when the asker has gone."""
    done: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
    done.add_done_callback(lambda future: future.cancelled() or future.exception())
    return done


async def send(writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage) -> Sent:
    """Store a message and tell where it is. A repeat is answered as the first was, after a commit of its own."""
    return await _sent(conversation, await enqueue(writer, caller, conversation, message))


async def post(
    writer: Writer, caller: Caller, conversation: ConversationId, message: PostMessage, idempotency_key: str | None
) -> Sent:
    """Store a message of a program that may have another name for it than a client id."""
    return await send(writer, caller, conversation, rules.named(caller.device, message, idempotency_key))


async def send_screened(writer: Writer, caller: Caller, conversation: ConversationId, message: SendMessage) -> Sent:
    """Store a message that the word lists held back and a moderator has let through; all else is judged as ever."""
    return await _sent(conversation, await enqueue(writer, caller, conversation, message, screened=True))


async def _sent(conversation: ConversationId, done: "asyncio.Future[Placed]") -> Sent:
    at = (await asyncio.shield(done)).position
    return Sent(conversation, at.seq, at.id, time_of(at.id))
