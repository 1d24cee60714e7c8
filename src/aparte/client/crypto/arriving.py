"""Before entries of an encrypted conversation are stored: what checking them needs is fetched, as a transaction cannot
wait.

Of a group what was signed is taken ahead of the log, entry by entry: so what is missing is missed before it matters.
What does not hold changes nothing here; it is named where the entry is stored.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from aparte.client.core import retry
from aparte.client.core.bodies import body_of
from aparte.client.crypto import disagreeing, folding, learning, lists, passing, pins, rosters
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.rosters import Changed, Named
from aparte.client.errors import ClientError, KeyRefused, NotSignedIn
from aparte.client.session import Session
from aparte.client.store import conversations, epochs, key_questions, passed_on, sealed, statements
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.db import Tx
from aparte.wire.groups import SignedStatement
from aparte.wire.ids import AccountId, ConversationId
from aparte.wire.kinds import DevicesChange, StatementChange
from aparte.wire.limits import SAFE_INTEGER
from aparte.wire.messages import Entry

HOUR_MS = 3_600_000


async def prepare(session: Session, conversation: ConversationId, new: Sequence[Entry]) -> bool:
    """Fetch what is missing; tells whether the conversation is encrypted. A refused list is told in a notice."""
    me = session.profile.account
    with session.store.reading() as tx:
        row = conversations.select_conversation(tx, conversation)
        if row is None or not row.is_sealed:
            return False
        wanted = lists.unknown(tx, row, new, me) if not row.has_chain else set()
        is_new = row.has_chain and _has_new(tx, row, new)
    if wanted:
        with suppress(KeyRefused):
            await pins.refresh(session, sorted(wanted))
    if is_new:
        await _prepare_group(session, row, new, me)
    return True


def must_ask(session: Session) -> bool:
    """Tell whether the mailbox has something to do: keys to ask for or to give, lists to show, something to pass on."""
    with session.store.reading() as tx:
        is_waiting = bool(sealed.select_waiting(tx, now_ms() - HOUR_MS, 1))
        is_asked = key_questions.has_answerable(tx)
        return is_waiting or is_asked or disagreeing.is_due(tx) or passing.is_due(tx) or passed_on.has_links(tx)


def _has_new(tx: Tx, row: ConversationRow, new: Sequence[Entry]) -> bool:
    """Tell whether entries change who is in a group, or name an epoch that is not known."""
    for entry in new:
        if entry.sealed is None:
            if isinstance(body_of(entry), DevicesChange | StatementChange):
                return True
            continue
        head = epochs.select_head(tx, row.conversation, entry.sealed.epoch)
        if head is None or head.roster != entry.sealed.roster:
            return True
    return False


async def _prepare_group(session: Session, row: ConversationRow, new: Sequence[Entry], me: AccountId) -> None:
    signed = _statements(new)
    with session.store.reading() as tx:
        wanted = folding.unknown_accounts(tx, signed) | lists.ahead(tx, new)
        newest = statements.select_newest(tx, row.conversation)
    await learning.know(session, wanted)
    if newest is None or any(folding.number_of(one) > newest[0] + 1 for one in signed[:1]):
        await _settled(learning.learn_statements(session, row.conversation, None))
    for entry in new:
        missing = _tried(session, row, entry, me)
        if missing is not None:
            await _settled(learning.learn(session, row.conversation, missing))
            _tried(session, row, entry, me)
        await asyncio.sleep(0)


async def _settled(learning_more: Awaitable[None]) -> None:
    """Learn what can be learnt; what is not told is missing when the entry is stored, and named there."""
    try:
        await learning_more
    except ClientError as error:
        if retry.is_transient(error) or isinstance(error, NotSignedIn):
            raise


def _statements(new: Sequence[Entry]) -> list[SignedStatement]:
    bodies = [body_of(entry) for entry in new if entry.sealed is None]
    return [body.signed for body in bodies if isinstance(body, StatementChange)]


def _tried(session: Session, row: ConversationRow, entry: Entry, me: AccountId) -> int | None:
    """Take what was signed for an entry and compute its epoch; gives the epoch's number if that cannot be."""
    with suppress(KeyRefused), session.store.transaction() as tx:
        named, changed = _named(tx, row, entry, me)
        if not 0 < named[0] <= SAFE_INTEGER:
            return None
        computed = rosters.compute(tx, row, me, named, entry.seq, changed)
        if computed is None:
            return named[0]
        rosters.meet(tx, row.conversation, computed[0])
    return None


def _named(tx: Tx, row: ConversationRow, entry: Entry, me: AccountId) -> tuple[Named, Changed | None]:
    """Give the epoch that an entry names and what has begun it, after taking that. Raises KeyRefused."""
    if entry.sealed is not None:
        return (entry.sealed.epoch, entry.sealed.roster), None
    body = body_of(entry)
    if isinstance(body, StatementChange):
        folding.take(tx, row.conversation, [body.signed], now_ms())
        return (body.epoch, body.roster), Changed(statement=folding.number_of(body.signed))
    if isinstance(body, DevicesChange):
        account = lists.account_of(body.devices)
        if lists.is_inside(tx, row, me, account):
            pins.take(tx, account, [body.devices], now_ms())
        return (body.epoch, body.roster), Changed(account=account, version=pins.version_of(body.devices))
    return (0, b""), None
