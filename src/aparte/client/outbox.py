"""Sends messages: kept before they are asked for, in order for each conversation, repeated with the same bytes.

A message waits in the store with the exact body of its request until the server has answered for good. One request of
a conversation is in flight at a time, whichever process of the profile makes it; who comes first also sends what was
left over before, and everybody finds the answer to their own in the store. So a process may die at any point: the
message goes out later, and the server stores it once, because it is the same request. For an encrypted conversation an
item waits as its content, and is sealed when its turn comes.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from aparte.client.core import retry
from aparte.client.crypto import delivering, sealing
from aparte.client.crypto.sealing import Sealing
from aparte.client.errors import ClientError, NotSignedIn, error_for
from aparte.client.locks import Lock
from aparte.client.session import Session, decoded, time_over
from aparte.client.store import conversations, outbox, outbox_sealed, state
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.outbox import APPROVED, HELD, SENT, OutboxRow
from aparte.client.store.outbox_sealed import Unsealed
from aparte.client.transport.http import Request
from aparte.e2ee.content import Text, encode
from aparte.e2ee.errors import BadContent
from aparte.wire import kinds
from aparte.wire.codec import to_json
from aparte.wire.content import MessageContent
from aparte.wire.ids import ClientMessageId, ConversationId, EntryId, HeldId, new_id
from aparte.wire.messages import ForwardOf, SendMessage, Sent
from aparte.wire.sealed import SealedTarget

STRIPES = 64
"""Conversations share so many lock files; two that share one wait for each other, nothing else."""
_random = random.SystemRandom()


_Answer = tuple[str, bytes]
"""The outcome, `sent` or a code, and the body that goes with it."""


class _Refusal(msgspec.Struct):
    code: str
    detail: str
    data: dict[str, object]


class Outbox:
    """The messages of a profile that are on their way."""

    def __init__(self, session: Session) -> None:
        """Send in the name of a session."""
        self._session = session
        self._store = session.store
        self._turns: dict[ConversationId, asyncio.Lock] = {}
        self._trouble: dict[ConversationId, str] = {}
        """The last code that each conversation's sending has met, to say why it takes so long."""
        with self._store.transaction() as tx:
            outbox.delete_untaken(tx, now_ms())

    def put(
        self,
        conversation: ConversationId,
        contents: Sequence[MessageContent],
        forward: ForwardOf | None = None,
        *,
        thread: EntryId | None = None,
    ) -> list[int]:
        """Keep messages for sending, in this order; gives their numbers. `forward`: where the server has the words;
        `thread`: the root of a readable thread."""
        with self._store.transaction() as tx:
            row = conversations.select_conversation(tx, conversation)
            items: list[int] = []
            for content in contents:
                key = ClientMessageId(new_id())
                body = to_json(SendMessage(key, content, thread, forward))
                item = outbox.insert_item(tx, conversation, key, body, now_ms())
                if row is not None and row.is_sealed:
                    outbox_sealed.insert_unsealed(tx, item, unsealed_text(content))
                items.append(item)
            return items

    def put_sealed(self, conversation: ConversationId, what: Unsealed, words: MessageContent | None = None) -> int:
        """Keep more than words for an encrypted conversation; gives its number. `words`: how it is shown as unsent."""
        key = ClientMessageId(new_id())
        body = to_json(SendMessage(key, words)) if words is not None else b""
        with self._store.transaction() as tx:
            item = outbox.insert_item(tx, conversation, key, body, now_ms())
            outbox_sealed.insert_unsealed(tx, item, what)
            return item

    async def deliver(self, conversation: ConversationId, item: int, seconds: float) -> Sent:
        """Send a kept message, and first what was kept before it. Gives where it is in the log.

        Raises TimeOver when that took longer than `seconds`: it stays and is sent later. Raises ClientError
        when the server refuses it: it is gone then.
        """
        own: _Answer | None = None
        try:
            async with asyncio.timeout(seconds), self._turn(conversation):
                own = await self._drain(conversation, item, own=item)
        except TimeoutError:
            own = own or self._take(item)
            if own is None:
                self._store.settle()
                raise time_over(self._trouble.get(conversation, ""), queued=1) from None
        except NotSignedIn:
            self.drop([item])
            raise
        return result_of(own or self._take(item))

    async def deliver_left_over(self, seconds: float) -> None:
        """Send what earlier processes have kept and not sent; what fails stays for the next time."""
        with self._store.reading() as tx:
            waiting = outbox.select_last_waiting(tx)
        for conversation, item in waiting.items():
            try:
                async with asyncio.timeout(seconds), self._turn(conversation):
                    await self._drain(conversation, item)
            except TimeoutError:
                return

    def unsent(self) -> list[OutboxRow]:
        """Give what waits, what a moderator has to decide on, and what was refused after its sender had gone.

        What was let through came back in the log; what was rejected is refused from then on.
        """
        with self._store.transaction() as tx:
            for row in outbox.select_held(tx):
                key = f"held:{held_of(row)}"
                decided = state.select_value(tx, key)
                if isinstance(decided, dict) and decided.get("status") == "rejected":
                    refusal = _Refusal("filtered", str(decided.get("reason", "")), {"held": held_of(row)})
                    outbox.update_answered(tx, row.item, "filtered", to_json(refusal))
                elif outbox.is_in_log(tx, row) or state.is_gone(tx, key):
                    outbox.update_answered(tx, row.item, APPROVED, row.answer or b"")
            return outbox.select_unsent(tx)

    def withdrawn(self, held: HeldId) -> None:
        """Forget a message that its author has taken back while it was held."""
        with self._store.transaction() as tx:
            for row in outbox.select_held(tx):
                if held_of(row) == str(held):
                    outbox.delete_item(tx, row.item)

    def drop(self, items: Sequence[int]) -> None:
        """Forget messages, sent or not; but for a sealed one that the server may have, which is sent to the end."""
        with self._store.transaction() as tx:
            for item in items:
                if not outbox_sealed.is_in_doubt(tx, item):
                    outbox.delete_item(tx, item)

    @asynccontextmanager
    async def _turn(self, conversation: ConversationId) -> AsyncIterator[None]:
        """Have the conversation for oneself: first among this process's tasks, in order, then among processes."""
        lock = Lock(self._session.folder.lock(f"send-{conversation.int % STRIPES:02d}"))
        async with self._turns.setdefault(conversation, asyncio.Lock()):
            await lock.take()
            try:
                yield
            finally:
                lock.release()

    async def _drain(self, conversation: ConversationId, last_item: int, own: int | None = None) -> "_Answer | None":
        """Send everything kept for a conversation up to a number, oldest first; gives the answer to one's `own`.

        None when somebody else has sent that. Answers to the others are left in the store for whoever waits for them.
        """
        while True:
            with self._store.reading() as tx:
                row = outbox.select_first_waiting(tx, conversation, last_item)
            if row is None:
                return None
            sealed = self._sealed(row)
            outcome, answer = await (self._post(row) if sealed is None else self._post_sealed(sealed, row))
            with self._store.transaction() as tx:
                if sealed is not None and outcome == SENT:
                    sealing.accepted(tx, Sealing(sealed, row))
                if row.item == own and outcome != HELD:
                    outbox.delete_item(tx, row.item)
                    return outcome, answer
                outbox.update_answered(tx, row.item, outcome, answer)
                if row.item == own:
                    return outcome, answer

    async def _post(self, row: OutboxRow) -> tuple[str, bytes]:
        """Make the request until the server answers it for good: stored, or refused with a code."""
        request = Request("POST", f"/conversations/{row.conversation}/messages", row.body)
        attempt = 0
        while True:
            try:
                body = await self._session.once(request)
                decoded(body, Sent)
            except NotSignedIn:
                raise
            except ClientError as error:
                self._trouble[row.conversation] = error.code
                if not retry.is_transient(error):
                    return error.code, to_json(_Refusal(error.code, error.detail, error.data))
                await asyncio.sleep(retry.pause(error, attempt, _random.random()))
            else:
                return SENT, body
            attempt += 1

    def _sealed(self, row: OutboxRow) -> ConversationRow | None:
        """Give the conversation of an item that must be sealed."""
        with self._store.reading() as tx:
            is_sealed = outbox_sealed.select_unsealed(tx, row.item) is not None
            return conversations.select_conversation(tx, row.conversation) if is_sealed else None

    async def _post_sealed(self, conversation: ConversationRow, row: OutboxRow) -> tuple[str, bytes]:
        """Seal an item and send it until the server answers for good."""

        def trouble(code: str) -> None:
            self._trouble[row.conversation] = code

        try:
            return SENT, await delivering.post(self._session, conversation, row, trouble)
        except NotSignedIn:
            raise
        except ClientError as error:
            return error.code, to_json(_Refusal(error.code, error.detail, error.data))

    def _take(self, item: int) -> "_Answer | None":
        """Take the answer to a message out of the store; None if there is none yet."""
        with self._store.transaction() as tx:
            row = outbox.select_item(tx, item)
            if row is None or row.outcome is None or row.answer is None:
                return None
            if row.outcome != HELD:
                outbox.delete_item(tx, item)
        return row.outcome, row.answer


def unsealed_text(content: MessageContent, kind: int = kinds.MESSAGE, target: SealedTarget | None = None) -> Unsealed:
    """Give a message, or an edit, as what is to be sealed. Raises ClientError `invalid`."""
    try:
        data = encode(Text(at=now_ms(), text=content.text, format=content.format))
    except BadContent:
        raise ClientError("invalid") from None
    return Unsealed(kind, data, *((target.id, target.hash) if target else ()))


def result_of(answer: "_Answer | None") -> Sent:
    """Read an answer: where the message is, or raise what it was refused with."""
    if answer is None:
        raise ClientError("unexpected_answer", "the outbox lost a message's answer")
    outcome, body = answer
    if outcome == SENT:
        return decoded(body, Sent)
    refusal = decoded(body, _Refusal)
    raise error_for(refusal.code, refusal.detail, data=refusal.data)


def held_of(row: OutboxRow) -> str:
    """Give under which id the server holds a message; empty if it does not."""
    if row.outcome != HELD or not row.answer:
        return ""
    return str(decoded(row.answer, _Refusal).data.get("held", ""))


def now_ms() -> int:
    """Tell the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
