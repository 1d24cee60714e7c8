"""Giving a group's chain away before an entry names it: sessions begun in batches, envelopes handed in by parts.

What is encrypted is kept first, so that a process may die between two parts: the rest goes out later, and what went
out goes out again byte for byte. The server keeps parts for ten minutes; the entry that names the chain commits them.
"""

import asyncio
from collections.abc import Callable, Iterator

from aparte.client.api import keys as api
from aparte.client.crypto import bundles, own, pairwise, passing, rosters, sender_keys
from aparte.client.crypto.own import now_ms
from aparte.client.crypto.sender_keys import Recipient
from aparte.client.errors import ClientError
from aparte.client.session import Session
from aparte.client.store import own_chains
from aparte.client.store.conversations import ConversationRow
from aparte.client.store.own_chains import GivenRow
from aparte.wire import limits
from aparte.wire.groups import Distributions
from aparte.wire.ids import ConversationId
from aparte.wire.sealed import Envelope

AT_ONCE = 20
"""How many devices are encrypted for in one transaction, before others have a turn."""
PART_BYTES = 350_000
"""What one part may have as JSON."""
KEPT_MS = 540_000
"""How long the server surely has a part: it keeps them a minute longer."""
WAIT_SECONDS = 30.0
BUSY = 429
ROOM_BYTES = 128
"""What an envelope has in JSON beside its body."""


async def make(session: Session, row: ConversationRow) -> None:
    """Keep what every device needs that lacks the chain, in steps; a new chain begins where that is due."""
    with session.store.transaction() as tx:
        mine = own.load(tx)
        readers, _ = rosters.newest(tx, row, mine.account)
        lacking = sender_keys.begin(tx, mine, row.conversation, readers, now_ms())
        strange = [one for one in lacking if not pairwise.has_session(tx, mine, one.account, one.listed)]
    tell = _teller(session, "sessions", len(strange))
    failed = await bundles.begin_sessions(session, [(one.account, one.listed) for one in strange], tell)
    for start in range(0, len(lacking), AT_ONCE):
        _keep(session, row.conversation, lacking[start : start + AT_ONCE], failed)
        await asyncio.sleep(0)


async def hand_in(session: Session, row: ConversationRow, epoch: int) -> None:
    """Give the server what it has not, or may have no more: before what names the chain, sealed for an epoch."""
    conversation = row.conversation
    with session.store.reading() as tx:
        waiting = own_chains.count_pending(tx, conversation, now_ms() - KEPT_MS)
        chain = own_chains.select_own_chain(tx, conversation) if waiting else None
    if chain is None:
        return
    tell, sent = _teller(session, "distribution", waiting), 0
    while part := _next_part(session, conversation):
        envelopes = [_envelope(one) for one in part]
        await _distribute(session, conversation, Distributions(chain.chain_id, epoch, envelopes))
        with session.store.transaction() as tx:
            own_chains.update_uploaded(tx, conversation, [one.device for one in part], now_ms())
        sent += len(part)
        tell(sent)


def taken(rows: list[GivenRow]) -> Iterator[GivenRow]:
    """Give as many of the rows as fit into one part; one always."""
    size = 0
    for one in rows:
        size += ROOM_BYTES + len(one.body) * 4 // 3
        if size > PART_BYTES and one is not rows[0]:
            return
        yield one


def _keep(session: Session, conversation: ConversationId, some: list[Recipient], failed: frozenset[bytes]) -> None:
    with session.store.transaction() as tx:
        mine, now = own.load(tx), now_ms()
        for one in some:
            if one.listed.device not in failed and pairwise.has_session(tx, mine, one.account, one.listed):
                sender_keys.give(tx, mine, conversation, one, now)
            else:
                sender_keys.give_up(tx, conversation, one, now)
        passing.owe_newcomers(tx, conversation, mine.account, {one.account for one in some})


async def _distribute(session: Session, conversation: ConversationId, part: Distributions) -> None:
    try:
        await api.distribute(session, conversation, part)
    except ClientError as error:
        if error.code != "too_many":
            raise
        # chains that were given up are forgotten by the server within minutes
        raise ClientError(error.code, error.detail, retry_after=WAIT_SECONDS, status=BUSY) from None


def _next_part(session: Session, conversation: ConversationId) -> list[GivenRow]:
    with session.store.reading() as tx:
        rows = own_chains.select_pending(tx, conversation, now_ms() - KEPT_MS, limits.DISTRIBUTIONS)
    return list(taken(rows))


def _envelope(row: GivenRow) -> Envelope:
    return Envelope(row.device, 0 if row.type == 0 else 2 if row.type == 2 else 3, row.body)


def _teller(session: Session, what: str, total: int) -> Callable[[int], None]:
    """Report to whoever has asked to be told."""

    def tell(done: int) -> None:
        if session.progress is not None and total > 0:
            session.progress(what, done, total)

    return tell
