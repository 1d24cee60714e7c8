"""Screen: look for words that are not wanted in what is about to be said.

A message is asked about before it is stored, outside of the conversation's lock; that it waits is written under it.
"""

from collections.abc import Sequence

from aparte.server.conversations import actions as conversations
from aparte.server.conversations.model import Standing
from aparte.server.filters import rules, store
from aparte.server.filters.actions.telling import tell
from aparte.server.filters.model import HeldRow
from aparte.server.kit.caller import Caller
from aparte.server.kit.clock import now
from aparte.server.kit.db import Database, Reader, Tx
from aparte.server.log import actions as log
from aparte.wire import limits
from aparte.wire.content import MessageContent
from aparte.wire.errors import Refusal
from aparte.wire.ids import ConversationId, HeldId, new_id
from aparte.wire.messages import SendMessage
from aparte.wire.moderation import Word


async def screen(db: Database, caller: Caller, conversation: ConversationId, message: SendMessage) -> None:
    """Let a message pass, or refuse it: with `filtered` where a word is not said here, with `held` where a moderator
    decides. What waits already, or was decided, is answered as such, whatever the list says by now."""
    digest = rules.digest(conversation, message)
    async with db.read() as reader:
        await _check_repeat(reader, caller, conversation, message, digest)
        standing = await conversations.authorise(reader, caller, conversation, "read")
        hits = await _hits(reader, standing, message.content)
    if not hits:
        return
    rules.check_hits(hits)
    async with db.transaction() as tx:
        await log.lock(tx, conversation)
        await _check_repeat(tx, caller, conversation, message, digest)
        row = await _hold(tx, caller, conversation, message, digest, hits)
        await tell(tx, row)
    raise Refusal("held", data={"held": str(row.id)})


async def check_edit(reader: Reader, standing: Standing, words: MessageContent) -> None:
    """Refuse an edit with `filtered` that says what a message may not, or not without a moderator: what is said already
    does not wait."""
    if await _hits(reader, standing, words):
        raise Refusal("filtered")


async def _hits(reader: Reader, standing: Standing, words: MessageContent) -> list[Word]:
    """Find what is not wanted; nothing in what moderators say, and where nothing is screened."""
    if rules.moderates(standing):
        return []
    return rules.hits(await store.select_lists(reader, standing.conversation), words)


async def _check_repeat(
    reader: Reader, caller: Caller, conversation: ConversationId, message: SendMessage, digest: int
) -> None:
    before = await store.select_repeat(reader, conversation, caller.device, message.client_message_id)
    if before is not None:
        rules.check_repeat(before, digest)


async def _hold(
    tx: Tx,
    caller: Caller,
    conversation: ConversationId,
    message: SendMessage,
    digest: int,
    hits: Sequence[Word],
) -> HeldRow:
    if await store.count_pending(tx, conversation, caller.account) >= limits.HELD:
        raise Refusal("too_many", f"{limits.HELD} messages of yours wait for a moderator")
    return await store.insert_held(
        tx,
        HeldRow(
            HeldId(new_id()),
            conversation,
            caller.account,
            caller.device,
            message.client_message_id,
            digest,
            "pending",
            now(),
            tuple(rules.named(hits)),
            message,
        ),
    )
